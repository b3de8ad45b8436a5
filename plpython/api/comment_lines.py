"""The @ lines of a comment: which there are, and what their values mean. What they set: comments.py."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ..ground.errors import PgAgentError, invalid
from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.vocabulary import AT_LINE
from .options import Kind

MOST_LINES = 100  # of one comment
LINE = re.compile(AT_LINE + r"[^\r\n]*")
WHEN = re.compile(r"(.*\S)\s+on\s+(\w+)", re.DOTALL)


class Line(NamedTuple):
    """A line @NAME VALUE of a comment."""

    name: str
    value: str

    @property
    def text(self) -> str:
        """The line as it is kept."""
        return f"@{self.name} {self.value}".rstrip()


def read_lines(comment: str) -> list[Line]:
    """Return the @ lines of a comment, each once, in their order."""
    found = {}
    for text in LINE.findall(comment):
        name, _, value = text.strip()[1:].replace("\t", " ").partition(" ")
        line = Line(name.lower(), value.strip())
        found[line.text] = line
    return list(found.values())


def check_lines(noun: str, lines: list[Line], known: Iterable[str], only: Callable[[Line], str]) -> None:
    """Refuse lines whose names are not *known*, too many of them, and two that have *only* in common."""
    if len(lines) > MOST_LINES:
        raise PgAgentError(f"the comment has {len(lines)} @ lines", f"It may have {MOST_LINES}.")
    names = sorted(known)
    for line in lines:
        if line.name not in names:
            hint = f"Lines that begin with @ are options. Of a {noun}: {', '.join(f'@{name}' for name in names)}."
            raise PgAgentError(
                f'the comment has the line "@{line.name[:100]}", which is no option of a {noun}', hint
            )
    said = [only(line) for line in lines]
    for text in said:
        if said.count(text) > 1:
            raise PgAgentError(f"the comment has several lines @{text}", "Leave one of them.")


def split_when(line: Line, default: str) -> tuple[str, str]:
    """Return what stands before the last ` on WORD` of a line, and the word, which *default* stands for."""
    found = WHEN.fullmatch(line.value)
    value, when = found.groups() if found else (line.value, default)
    if not value:
        raise invalid(line.name, f"@{line.name} has no value", "Write it behind the name.")
    return value, when


def split_list(line: Line) -> list[str]:
    """Return the values of a list, which are separated by commas."""
    values = [value.strip() for value in line.value.strip("{}").split(",")]
    if "" in values:
        raise invalid(line.name, f"@{line.name} has no value", "Separate several by commas.")
    return values


SWITCH = {
    **dict.fromkeys(("", "on", "true", "yes", "1"), True),
    **dict.fromkeys(("off", "false", "no", "0"), False),
}
READ_SECONDS = Statement("SELECT extract(epoch FROM $1::interval)::float8 AS value", "text")
READ_INTERVAL = Statement("SELECT $1::interval::text AS value", "text")
READ_JSON = Statement("SELECT $1::jsonb::text AS value", "text")
READ_INSTANT = Statement("SELECT $1::timestamptz::text AS value", "text")
SET_ZONE = Statement("SELECT set_config('TimeZone', $1, true)", "text")


def read_value(plpy: Plpy, line: Line, kind: Kind, zone: str) -> Any:
    """Return the value of an option as its verb takes it; *zone* is that of times that name none."""
    if kind.type == "bool":
        if line.value.lower() not in SWITCH:
            raise invalid(line.name, f'@{line.name} can\'t be "{line.value}"', "Write on, off or nothing.")
        return SWITCH[line.value.lower()]
    if not line.value:
        raise invalid(line.name, f"@{line.name} has no value", "Write it behind the name.")
    if kind.type.endswith("[]"):
        return [_number(line, value, int) if "int" in kind.type else value for value in split_list(line)]
    if kind.type == "int4":
        return _number(line, line.value, int)
    if kind.type == "float8" and kind.stored == "{}":
        return _number(line, line.value, float)
    try:
        return _read_by_server(plpy, line.value, kind, zone)
    except plpy.SPIError as error:
        raise invalid(line.name, f"@{line.name} can't be read: {error}", "Correct the line.") from None


def _read_by_server(plpy: Plpy, text: str, kind: Kind, zone: str) -> Any:
    if kind.type == "float8":
        return READ_SECONDS(plpy, text)[0]["value"]
    if kind.type == "interval":
        return READ_INTERVAL(plpy, text)[0]["value"]
    if kind.type == "jsonb":
        return READ_JSON(plpy, text)[0]["value"]
    if kind.type == "timestamptz":
        SET_ZONE(plpy, zone)
        value = READ_INSTANT(plpy, text)[0]["value"]
        SET_ZONE(plpy, "UTC")
        return value
    return text


def nothing(kind: Kind) -> Any:
    """Return the value that takes an option of this kind back."""
    if kind.type.endswith("[]"):
        return []
    return 0 if kind.type in ("int4", "float8") else kind.nothing.strip("'")


def _number(line: Line, text: str, type_: type[int] | type[float]) -> float:
    try:
        return type_(text)
    except ValueError:
        kind = "whole number" if type_ is int else "number"
        raise invalid(line.name, f'@{line.name} can\'t be "{text}"', f"Write a {kind}.") from None
