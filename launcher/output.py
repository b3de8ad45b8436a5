"""A step's output, kept within a limit however much the step writes."""

from __future__ import annotations

from typing import Any

from .shortages import NO_MEMORY

DEFAULT_LIMIT = 1024 * 1024  # bytes
FIRST_LINE_BYTES = 1000  # in which the first line is looked for


class Output:
    """Keep the head and the tail of a byte stream, half of *limit* bytes each, in flat memory.

    If there is no memory even for that, all is dropped, and *lost* is set.
    """

    __slots__ = ("_head", "_invalid", "_limit", "_tail", "_total", "error", "lost")

    def __init__(self, limit: int = DEFAULT_LIMIT, *, escape: bool = False) -> None:
        """Make an empty output that keeps at most *limit* bytes (at least 2).

        *escape*: bytes that are not UTF-8 are shown as \\xff.
        """
        self._invalid = "backslashreplace" if escape else "replace"
        self._limit = max(limit, 2)
        self._head = bytearray()
        self._tail = bytearray()
        self._total = 0
        self.error = ""  # the first line of the first error
        self.lost = False

    def __len__(self) -> int:
        """Return how many bytes were written, kept or not."""
        return self._total

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append *data*; beyond the limit the oldest bytes after the head are forgotten."""
        try:
            self._write(data)
        except MemoryError:
            self.lose()

    def skip(self, count: int) -> None:
        """Count bytes that are not kept, after the first *limit* bytes."""
        self._total += count

    def first_line(self) -> str:
        """Return the first line that is not empty."""
        lines = self._decode(bytes(self._head[:FIRST_LINE_BYTES])).split("\n")
        return next((line.strip() for line in lines if line.strip()), "")

    def lose(self) -> None:
        """Drop everything for want of memory."""
        self.lost = True
        self._head, self._tail, self._limit = bytearray(), bytearray(), 2

    def _write(self, data: bytes | bytearray | memoryview) -> None:
        size = len(data)
        self._total += size
        room = self._limit // 2 - len(self._head)
        if size <= room:
            self._head += data
            return
        if room:
            self._head += data[:room]
        keep = self._limit - self._limit // 2
        start = max(room, size - keep)  # more would not stay in the tail
        if start > room:
            self._tail.clear()
        self._tail += data[start:]
        # The tail is cut only at twice its size: so rarely that it costs nothing per byte.
        if len(self._tail) > 2 * keep:
            del self._tail[:-keep]

    def line(self, text: bytes) -> None:
        """Append *text* as a line of its own, starting a new line if the last one is unfinished."""
        last = self._tail or self._head
        if last and not last.endswith(b"\n"):
            self.write(b"\n")
        self.write(text + b"\n")

    def fail(self, error: bytes) -> None:
        """Append an error, as `line` does."""
        if not self.error:
            self.error = self._decode(error[:FIRST_LINE_BYTES]).split("\n")[0]
        self.line(error)

    def text(self, limit: int | None = None) -> str:
        """Return the output as text that PostgreSQL can store: bytes that are not UTF-8, and NUL, replaced.

        If something is left out of the middle, here also to come down to *limit* bytes, a line says how much.
        """
        try:
            return NO_MEMORY if self.lost else self._text(limit)
        except MemoryError:
            self.lose()
            return NO_MEMORY

    def _text(self, limit: int | None) -> str:
        keep = self._limit if limit is None else min(self._limit, max(limit, 2))
        if self._total <= keep:
            return self._decode(bytes(self._head) + bytes(self._tail))
        half = keep // 2
        head = _whole_characters(bytes(self._head[:half]))
        tail = (bytes(self._head[half:]) + bytes(self._tail))[half - keep :]
        for _ in range(3):  # the rest of a character that was cut in two
            if tail and tail[0] & 0xC0 == 0x80:
                tail = tail[1:]
        cut = self._total - len(head) - len(tail)
        return f"{self._decode(head)}\n[... {cut} bytes cut ...]\n{self._decode(tail)}"

    def _decode(self, data: bytes) -> str:
        return data.decode("utf-8", self._invalid).replace("\0", "\N{REPLACEMENT CHARACTER}")


def _whole_characters(data: bytes) -> bytes:
    """Return *data* without an unfinished UTF-8 character at its end."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 == 0xC0:  # the first byte of a character of 2 to 4 bytes
            size = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return data[:-back] if size > back else data
        if byte & 0x80 == 0:
            break
    return data


def with_lines(text: str, *lines: str) -> str:
    """Append lines to a text that may end in the middle of one; empty ones are left out."""
    for line in lines:
        if line:
            text += ("\n" if text and not text.endswith("\n") else "") + line + "\n"
    return text


def storable(value: Any, encoding: str) -> Any:
    """Return texts, also those in a list, with the characters replaced that a database of this encoding can't have."""
    if isinstance(value, list):
        return [storable(part, encoding) if isinstance(part, str | list) else part for part in value]
    if not isinstance(value, str) or (value.isascii() and "\0" not in value):
        return value
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(encoding, "replace").decode(encoding)
