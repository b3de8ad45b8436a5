"""The rows of a step's result that the log keeps."""

from __future__ import annotations

import json

from psycopg.pq.abc import PGresult

from .tables import as_text

MOST_BYTES = 1_000_000  # of all rows as JSON: a cell that holds nothing counts, too


class KeptRows:
    """The first rows of the last statement of a step that returns any, as many as are asked for and fit."""

    __slots__ = ("_ended", "_limit", "_size", "columns", "rows", "total")

    def __init__(self, limit: int) -> None:
        """Keep so many rows at most."""
        self._limit = limit
        self._begin()
        self._ended = True

    def _begin(self) -> None:
        self.columns: list[str] = []
        self.rows: list[list[str | None]] = []
        self.total = self._size = 0
        self._ended = False

    def take(self, result: PGresult, *, last: bool) -> bytes:
        """Take some of a statement's rows; return the text for the log when these are its *last* ones."""
        if not result.nfields:
            self._ended = self._ended or last
            return b""
        if self._ended:
            if not last and not result.ntuples:  # what libpq sends behind the result with the tag
                return b""
            self._begin()
            self.columns = [_text(result.fname(number)) for number in range(result.nfields)]
        self._ended = last
        self.total += result.ntuples
        for row in range(result.ntuples):
            if len(self.rows) >= self._limit or self._size >= MOST_BYTES:
                break
            cells = (result.get_value(row, column) for column in range(result.nfields))
            values = [None if cell is None else _text(cell) for cell in cells]
            self._size += len(json.dumps(values, ensure_ascii=False).encode())
            if self._size < MOST_BYTES:
                self.rows.append(values)
        return self._table().encode() if last else b""

    def _table(self) -> str:
        """Return the rows as a table in plain text."""
        text = as_text(self.columns, self.rows)
        return (
            text
            if len(self.rows) == self.total
            else f"{text}(the first {len(self.rows)} rows of {self.total})\n"
        )


def _text(value: bytes | None) -> str:
    text = (value or b"").decode(errors="backslashreplace")
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")
