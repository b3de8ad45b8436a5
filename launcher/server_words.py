"""The words of the server's errors and notices, as libpq puts them together, for answers that libpq does not read.

The fields and their letters are those of the frontend/backend protocol, version 3.
"""

from __future__ import annotations

import re
from itertools import accumulate
from unicodedata import east_asian_width

SEVERITY, MESSAGE, POSITION, INTERNAL_POSITION, INTERNAL_QUERY = b"S", b"M", b"P", b"p", b"q"
FATAL = (b"FATAL", b"PANIC")  # in the field that is never translated
UNTRANSLATED_SEVERITY = b"V"
# What follows the message, and whether only errors have it
PARTS = ((b"D", b"DETAIL", False), (b"H", b"HINT", False), (b"q", b"QUERY", False), (b"W", b"CONTEXT", True))

# What most notices have: severity, code, message, and then nothing that is shown
_PLAIN = re.compile(rb"S([^\0]*)\0V[^\0]*\0C[^\0]*\0M([^\0]*)\0(?:[WFLR][^\0]*\0)*\0")

WIDTH = 60  # columns of a line of the query that are shown, as with libpq
RIGHT = 10  # columns at least that are shown from the error's place on

Fields = dict[bytes, bytes]


def fields_of(body: bytes) -> Fields:
    """Return the fields of an ErrorResponse or a NoticeResponse by their letters."""
    return {field[:1]: field[1:] for field in body.split(b"\0") if field}


def is_fatal(fields: Fields) -> bool:
    """Return whether the server ends the session with this."""
    return fields.get(UNTRANSLATED_SEVERITY) in FATAL


def notice_words(body: bytes, query: str) -> bytes:
    """Return the text of a NoticeResponse. There may be millions of them."""
    plain = _PLAIN.fullmatch(body)
    return b"%b:  %b\n" % plain.groups() if plain else words(fields_of(body), query, error=False)


def words(fields: Fields, query: str, *, error: bool) -> bytes:
    """Return the text of an error, or of a notice, that *query* has led to: lines that end in a newline."""
    text = fields.get(SEVERITY, b"") + b":  " + fields.get(MESSAGE, b"") + b"\n"
    if POSITION in fields:
        text += place(query, int(fields[POSITION])).encode()
    elif INTERNAL_POSITION in fields:
        text += place(
            fields.get(INTERNAL_QUERY, b"").decode(errors="replace"), int(fields[INTERNAL_POSITION])
        ).encode()
    for letter, label, only_errors in PARTS:
        if letter in fields and (error or not only_errors):
            text += label + b":  " + fields[letter] + b"\n"
    return text


def place(query: str, position: int) -> str:
    """Return the line of *query* with the character *position* (from 1), and a mark below it; '' if there is none such."""
    at = position - 1
    if not 0 <= at <= len(query):
        return ""
    ends = [end.start() for end in re.finditer(r"\r\n|\r|\n", query[:at])]
    # Within \r\n the line has ended, and the next one has not begun.
    begin = max(query.rfind("\n", 0, at), query.rfind("\r", 0, at)) + 1
    found = re.compile(r"[\r\n]").search(query, at)
    line = query[begin : found.start() if found else len(query)].replace("\t", " ")
    column = at - begin
    left, right = _extract(line, column)
    shown = f"LINE {len(ends) + 1}: {'...' if left else ''}"
    mark = len(shown) + sum(map(_width, line[left:column]))
    return f"{shown}{line[left:right]}{'...' if right < len(line) else ''}\n{' ' * mark}^\n"


def _extract(line: str, column: int) -> tuple[int, int]:
    """Return where the part of a long line begins and ends that is shown, so that *column* is in it."""
    left, right = 0, len(line)
    edges = [0, *accumulate(map(_width, line))]  # the screen's column at which each character begins
    if edges[right] <= WIDTH:
        return left, right
    if edges[column] + RIGHT > WIDTH:
        while edges[right] > edges[column] + RIGHT:
            right -= 1
        while edges[right] - edges[left] > WIDTH:
            left += 1
    else:
        while edges[right] > WIDTH:
            right -= 1
    return left, right


def _width(character: str) -> int:
    return 2 if east_asian_width(character) in "WF" else 1
