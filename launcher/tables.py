"""Rows as plain text, as CSV and as HTML. In files for spreadsheets no cell is a formula."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Iterable, Sequence

WIDEST = 100  # characters of a column in plain text: beyond it, values are not aligned any more
NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")

Row = Sequence[str | None]


def as_text(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """Return a table in plain text, a line for each row."""
    lines = [
        [" ".join(str(value).splitlines()) if value is not None else "" for value in row]
        for row in (columns, *rows)
    ]
    widths = [min(max(map(len, column)), WIDEST) for column in zip(*lines, strict=True)]
    text = [" | ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    text.insert(1, "-+-".join("-" * width for width in widths))
    return "\n".join(text) + "\n"


def as_csv(columns: Sequence[str], rows: Iterable[Row]) -> str:
    """Return CSV as RFC 4180 has it; NULL is an empty cell."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    for row in (columns, *rows):
        writer.writerow([harmless(value) for value in row])
    return file.getvalue()


def as_html(columns: Sequence[str], rows: Iterable[Row]) -> str:
    """Return an HTML table; NULL is an empty cell."""
    cells = [f"<tr>{''.join(f'<th>{html.escape(str(name))}</th>' for name in columns)}</tr>"]
    cells += [
        f"<tr>{''.join(f'<td>{html.escape(harmless(value), quote=False)}</td>' for value in row)}</tr>"
        for row in rows
    ]
    return '<table border="1" cellspacing="0" cellpadding="4">\n' + "\n".join(cells) + "\n</table>\n"


def harmless(value: str | None) -> str:
    """Return the text of a cell. A spreadsheet would calculate what begins like a formula; a number may have a sign."""
    text = "" if value is None else str(value)
    if text.lstrip()[:1] in ("=", "+", "-", "@") and not NUMBER.fullmatch(text):
        return "'" + text
    return "'" + text if text[:1] in ("\t", "\r") else text
