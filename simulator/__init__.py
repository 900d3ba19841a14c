"""Gemini Live on a real socket, without Google: wire-exact, scripted, and made to fail on request."""

from simulator.scenario import Scenario, ScenarioError, load, parse
from simulator.server import Running, serve
from simulator.world import Config

__all__ = ["Config", "Running", "Scenario", "ScenarioError", "load", "parse", "serve"]
