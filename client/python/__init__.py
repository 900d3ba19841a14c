"""The Python client of Vivavoce: a conversation over the public protocol. See README.md."""

from client.python.conversation import Conversation, Options
from client.python.errors import ToolError, VoiceError
from client.python.events import ConversationEvent
from client.python.lifeline import Reconnecting
from client.python.tools import Tool

__all__ = ["Conversation", "ConversationEvent", "Options", "Reconnecting", "Tool", "ToolError", "VoiceError"]
