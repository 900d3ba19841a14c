"""Form in which microphone frames are written: PCM, or ADPCM while the line is too narrow for it."""

from __future__ import annotations

from ._protocol.adpcm import Encoder
from ._protocol.audio import encode_adpcm
from ._protocol.client import ClientSession
from ._protocol.uplink_form import UplinkForm

CAPABILITY = "adpcm"  #: of servers that take it


class FrameForm:
    """Between the frames that wait, which are PCM, and the socket."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session
        self._form = UplinkForm()
        self._encoder = Encoder()

    def dropped(self, now: float) -> None:
        """A frame was dropped that had waited too long for room on the line."""
        self._form.dropped(now, is_possible=self._is_possible)

    def held(self, now: float) -> None:
        """A frame has to wait for room on the line."""
        if self._is_possible:
            self._form.held(now)

    def is_narrow(self, now: float) -> bool:
        return self._form.is_narrow(now)

    def written(self, frame: bytes, now: float) -> bytes:
        """Return the frame as it goes out now."""
        is_lean = self._is_possible and self._form.is_adpcm(now)
        return encode_adpcm(frame, self._encoder) if is_lean else frame

    @property
    def _is_possible(self) -> bool:
        return CAPABILITY in self._session.capabilities
