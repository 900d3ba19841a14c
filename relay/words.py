"""The words of one party in one turn: collected in pieces, joined when they are read."""

from __future__ import annotations

from protocol.limits import TURN_TEXT_BYTES

CUT = " […]"  #: stands for what was said beyond the bound


class Words:
    """Text that comes in pieces. Adding one costs its own length, however much is there already."""

    def __init__(self, text: str = "") -> None:
        self._pieces = [text] if text else []
        self._left_bytes = TURN_TEXT_BYTES - len(text.encode("utf-8", "surrogatepass"))

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def __str__(self) -> str:
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        return self._pieces[0] if self._pieces else ""

    @property
    def is_cut(self) -> bool:
        """There was more than is here."""
        return self._left_bytes < 0

    def needs_space(self, piece: str) -> bool:
        """`piece` would run into the word before it."""
        return bool(self._pieces) and not (self._pieces[-1][-1:].isspace() or piece[:1].isspace())

    def add(self, piece: str) -> str:
        """Collect `piece`. Returns what was taken of it: nothing once the bound is reached."""
        if self.is_cut:
            return ""
        data = piece.encode("utf-8", "surrogatepass")
        if len(data) > self._left_bytes:
            piece = data[: self._left_bytes].decode("utf-8", "ignore") + CUT
        self._left_bytes -= len(data)
        if piece:
            self._pieces.append(piece)
        return piece


class TextField:
    """A dataclass field that reads as a `str` and is kept as `Words`. The class must not have slots."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: object | None, owner: type) -> str:
        return "" if instance is None else str(self.words(instance))  # of the class: the field's default

    def __set__(self, instance: object, text: str) -> None:
        vars(instance)[self._name] = Words(text)

    def words(self, instance: object) -> Words:
        """The pieces, to add to them."""
        words: Words = vars(instance)[self._name]
        return words

    def put(self, instance: object, words: Words) -> None:
        """Have `words` in the place of what was there."""
        vars(instance)[self._name] = words
