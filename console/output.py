"""Answers on the screen and as JSON. What comes from the database is never taken for control characters or markup."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import IO, Any

import click
from rich.cells import cell_len, set_cell_size

Row = Mapping[str, Any]
Pages = Iterable[Sequence[Row]]

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
COLOURS = {
    "success": "green",
    "failure": "red",
    "aborted": "magenta",
    "running": "cyan",
    "ignored": "yellow",
    "no steps": "yellow",
}


def plain(text: object) -> str:
    """Return text for one line of a terminal: what would move the cursor is shown as an escape."""
    return CONTROL.sub(lambda found: "\\n" if found[0] == "\n" else f"\\x{ord(found[0]):02x}", str(text))


def block(text: str) -> str:
    """Return text of several lines for a terminal."""
    return "\n".join(plain(line.replace("\t", "    ")) for line in text.splitlines())


def is_screen(stream: IO[str]) -> bool:
    """Return whether this is a terminal on which one can draw."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def coloured() -> bool:
    """Return whether the answer has colours."""
    return is_screen(sys.stdout) and not os.environ.get("NO_COLOR")


def draw(text: str, stream: IO[str]) -> None:
    """Write what moves the cursor. Without colours click would take it away."""
    stream.write(text)
    stream.flush()


def local(at: datetime) -> datetime:
    """Return an instant in the user's zone: that of PGTZ, which the server has heeded, else the system's."""
    return at if os.environ.get("PGTZ") else at.astimezone()


def when(at: datetime) -> str:
    """Return an instant in the user's zone, with the offset."""
    shown = local(at)
    offset = shown.strftime("%z")
    return f"{shown:%Y-%m-%d %H:%M:%S} {offset[:3]}:{offset[3:5]}"


def duration(length: timedelta | float | Decimal) -> str:
    """Return a length of time for people: 250 ms, 3.2 s, 4 min 05 s, 2 h 03 min, 5 d 04 h."""
    seconds = length.total_seconds() if isinstance(length, timedelta) else float(length)
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours < 48 else f"{hours // 24} d {hours % 24:02} h"


def cell(value: Any) -> str:
    """Return a value for a table."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return when(value)
    if isinstance(value, timedelta):
        return duration(value)
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, list):
        return ", ".join(map(cell, value)) or "-"
    if isinstance(value, dict):
        return plain(json.dumps(value, ensure_ascii=False, default=_json_value))
    return plain(value)


def to_json(value: Any) -> str:
    """Return JSON: times with offset, durations as seconds."""
    return json.dumps(_finite(value), ensure_ascii=False, default=_json_value)


def _json_value(value: Any) -> Any:
    if isinstance(value, datetime):
        return local(value).isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return str(value)


def _finite(value: Any) -> Any:
    """JSON knows no NaN."""
    return None if isinstance(value, float) and value != value else value


def write_json(value: Any) -> None:
    """Write one JSON document, on one line."""
    click.echo(to_json(value))


def write_rows(pages: Pages, columns: Mapping[str, str], as_json: bool, nothing: str = "") -> None:
    """Write rows as a table of *columns* (key: heading), or all as one JSON array.

    The first page is written before the second is asked for. That there is *nothing* is told beside the table, on standard error.
    """
    if as_json:
        _write_array(pages)
    elif not Table(columns).write(pages) and nothing:
        click.echo(nothing, err=True)


def _write_array(pages: Pages) -> None:
    count = 0
    click.echo("[", nl=False)
    sys.stdout.flush()
    for page in pages:
        for row in page:
            click.echo(("," if count else "") + "\n" + to_json(row), nl=False)
            count += 1
        sys.stdout.flush()
    click.echo("\n]" if count else "]")


# On a terminal, a column is not made narrower than this
NARROW = 12
WIDEST = 200  # what is longer stands out of its column: one name of megabytes must not make all lines as long


class Table:
    """A table whose columns are as wide as what the first page has; on a terminal, lines are cut at its edge."""

    def __init__(self, columns: Mapping[str, str], indent: int = 0) -> None:
        self.columns = columns
        self.indent = indent
        self.widths = [cell_len(heading) for heading in columns.values()]
        self.edge = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0

    def write(self, pages: Pages) -> int:
        """Write the rows; return how many there were."""
        count = 0
        for page in pages:
            lines = [[cell(row[key]) for key in self.columns] for row in page]
            self.widths = [
                min(max(old, *map(cell_len, texts)), WIDEST)
                for old, texts in zip(self.widths, zip(*lines, strict=True), strict=True)
            ]
            self._fit()
            if not count and lines:
                self._line(list(self.columns.values()), page[0], heading=True)
            for texts, row in zip(lines, page, strict=True):
                self._line(texts, row)
            count += len(lines)
            sys.stdout.flush()
        return count

    def _fit(self) -> None:
        """Make the widest columns narrower until all fit: a long name would hide the status behind it."""
        room = self.edge - self.indent - 2 * (len(self.widths) - 1)
        while self.edge and sum(self.widths) > room and max(self.widths) > NARROW:
            widest = max(self.widths)
            self.widths[self.widths.index(widest)] = max(NARROW, widest - (sum(self.widths) - room))

    def _line(self, texts: Sequence[str], row: Row, heading: bool = False) -> None:
        left, parts = self.edge - self.indent if self.edge else sys.maxsize, []
        last = len(texts) - 1
        for number, (key, text, width) in enumerate(zip(self.columns, texts, self.widths, strict=True)):
            shown = text if cell_len(text) <= width or not self.edge else set_cell_size(text, width - 1) + "…"
            # Numbers stand on the right, text on the left.
            size = cell_len(shown)
            right = (
                isinstance(row[key], int | float | Decimal) and not isinstance(row[key], bool) and not heading
            )
            padded = (
                " " * (width - size) + shown
                if right
                else shown
                if number == last
                else shown + " " * (width - size)
            )
            if cell_len(padded) > left:
                padded = set_cell_size(padded, max(0, left - 1)) + "…" if left > 0 else ""
            left -= width + 2
            if number == last or left <= 0:
                padded = padded.rstrip()
            if padded:
                parts.append(_coloured(padded, text, heading))
        click.echo(" " * self.indent + "  ".join(parts).rstrip())


def _coloured(padded: str, text: str, heading: bool) -> str:
    if heading:
        return click.style(padded, bold=True)
    return click.style(padded, fg=COLOURS[text]) if text in COLOURS else padded
