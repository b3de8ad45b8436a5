"""Mistakes in files, each with its place."""

from __future__ import annotations

from typing import Any, NamedTuple


class Place(NamedTuple):
    """A line of a file."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class Problem(NamedTuple):
    """What is wrong where."""

    place: Place
    what: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


def line_of(mapping: Any, key: Any = None, otherwise: int = 1) -> int:
    """Return the line at which a mapping or list of a file begins, or that of one of its keys or items."""
    place = getattr(mapping, "lc", None)
    if place is None:
        return otherwise
    try:
        if key is None:
            return int(place.line) + 1
        return int((place.item(key) if isinstance(mapping, list) else place.key(key))[0]) + 1
    except (KeyError, TypeError, IndexError):
        return otherwise
