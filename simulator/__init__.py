"""Gemini Live on a real socket, without Google: wire-exact, scripted, with faults on request."""

from simulator.conversation.world import Config
from simulator.scenario import Scenario, ScenarioError, load, parse
from simulator.server.server import Running, serve

__all__ = ["Config", "Running", "Scenario", "ScenarioError", "load", "parse", "serve"]
