"""Progress of a conversation for a person, on stderr."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from protocol.control import Starting
from protocol.media import Error, GoingAway, Live, ToolCall, Transcript, TurnEnded, TurnInterrupted

if TYPE_CHECKING:
    from vivavoce import ConversationEvent

STILL_EVERY_S = 5.0  #: a wait that goes on says so this often


class Narrator:
    """Prints one line for each thing worth knowing."""

    def __init__(self) -> None:
        self._link = "connecting"  #: what the connection is at, empty while it is live
        self._now = ""  #: what the script waits for
        self._session = ""  #: the one that is being opened
        self._words: dict[str, tuple[str, str]] = {}  #: utterances so far: message -> role, text

    @property
    def is_offline(self) -> bool:
        """Whether there is no conversation at present."""
        return self._link != ""

    def say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    def wait_for(self, what: str) -> None:
        """Announce a step of the script that may take a while."""
        self._now = what
        self.say(f"{what}…")

    def connect(self, how: str) -> None:
        """Announce a step of the connection that may take a while."""
        self._link = how
        self.say(f"{how}…")

    async def keep_saying(self) -> None:
        """Show that a long wait is still one, until cancelled."""
        while True:
            what = self._link or self._now
            await asyncio.sleep(STILL_EVERY_S)
            if what and what == (self._link or self._now):
                self.say(f"still {what}…")

    def stage(self, stage: Starting) -> None:
        if self._session and stage.session != self._session:
            self.say("-- no relay came up; starting again. A local stack's terminal says why it did not.")
        self._session = stage.session
        expected = f" (about {max(1, round(stage.eta_ms / 1000))} s)" if stage.eta_ms else ""
        self.connect(f"starting: {stage.stage}{expected}")

    def tell(self, event: ConversationEvent) -> None:
        """Print the line for `event`, if it has one."""
        from vivavoce import Quality, Reconnecting

        match event:
            case Live():
                self._link = ""
                again = ", resumed" if event.resumed else ""
                self.say(f"live: session {event.session}, agent {event.agent.name}{again}")
            case Transcript():
                self._hear(event)
            case TurnEnded(role="agent"):
                self._finish("agent")
                if event.outcome not in ("", "completed", "interrupted"):
                    self.say(f"-- no full answer ({event.outcome})")
            case TurnInterrupted():
                self._finish("agent")
                self.say(f"-- interrupted ({event.cause})")
            case ToolCall():
                self.say(f"-- tool {event.name}")
            case Reconnecting():
                self.connect(f"reconnecting ({event.code})")
            case Quality(quality="narrow"):
                self.say("-- the line is narrow: you are heard less well, and with gaps")
            case Quality():
                self.say("-- the line is wide again")
            case GoingAway():
                self.say("-- the relay is going away")
            case Error():
                self.say(f"-- error {event.code}: {event.message}")

    def _hear(self, event: Transcript) -> None:
        before = "" if event.whole else self._words.get(event.message, ("", ""))[1]
        text = before + event.text
        self._words[event.message] = (event.role, text)
        if event.final:
            self._print(event.message)

    def _finish(self, role: str) -> None:
        """Print transcripts that never became final."""
        for message in [message for message, said in self._words.items() if said[0] == role]:
            self._print(message)

    def _print(self, message: str) -> None:
        role, text = self._words.pop(message)
        if text.strip():
            self.say(f"{'you' if role == 'user' else role}: {text.strip()}")
