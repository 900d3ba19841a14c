"""The Python client of Vivavoce: a conversation over the public protocol. See README.md."""

from .control import end_session
from .conversation import Conversation, Options
from .errors import ToolError, VoiceError
from .events import ConversationEvent, Quality
from .lifeline import Reconnecting
from .tools import Tool

__all__ = [
    "Conversation",
    "ConversationEvent",
    "Options",
    "Quality",
    "Reconnecting",
    "Tool",
    "ToolError",
    "VoiceError",
    "end_session",
]
