"""The statements of an SQL text, for steps whose statements are executed separately.

A statement ends where psql ends it: at a semicolon outside of quotes, comments and parentheses, and outside of the body
BEGIN ATOMIC ... END of a function. Like psql, this file knows nothing else of SQL. What is no statement is left to the
server, which says so. A test compares the two on generated texts.

psql's commands begin with a backslash. `\\;` puts a semicolon into a statement without ending it, and `\\:` a colon. All
others are refused, and psql's variables are no variables here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

MOST_WORDS = 4  # that tell whether a statement makes a routine: CREATE OR REPLACE FUNCTION
ROUTINES = [["create", *more, noun] for more in ([], ["or", "replace"]) for noun in ("function", "procedure")]

# psql takes every character beyond ASCII for a letter.
_LETTER = "A-Za-z_\x80-\U0010ffff"
_BEFORE = re.compile(r"(?:[ \t\n\r\f\v]++|--[^\n\r]*+)*+")  # what psql leaves out in front of a statement
# What may hold a semicolon, or decides whether one counts. Of several at the same place the first one wins.
_TOKEN = re.compile(
    rf"""
    (?P<line_comment> --[^\n\r]* )
  | (?P<comment>      /\* )
  | (?P<escaped>      [eE]' )
  | (?P<literal>      (?:[uU]&|[bBxX])' )
  | (?P<string>       [nN]?' )
  | (?P<name>         (?:[uU]&)?" )
  | (?P<dollar>       \$(?:[{_LETTER}][{_LETTER}0-9]*)?\$ )
  | (?P<no_word>      [uU]&|::|:[{_LETTER}0-9]+ )
  | (?P<number>       [0-9]+(?:[{_LETTER}][{_LETTER}0-9$]*)? )
  | (?P<word>         [{_LETTER}][{_LETTER}0-9$]* )
  | (?P<open>         \( )
  | (?P<close>        \) )
  | (?P<semicolon>    ; )
  | (?P<backslash>    \\[;:]? )
    """,
    re.VERBOSE,
)
# What follows an opening quote. Where the closing one is missing, it is the rest of the text.
_PLAIN = re.compile(r"(?:[^']++|'')*+'?")
_ESCAPED = re.compile(r"(?:[^'\\]++|\\.|'')*+'?", re.DOTALL)
_NAME = re.compile(r'[^"]*+"?')
_COMMENT_MARK = re.compile(r"/\*|\*/")


class StatementError(Exception):
    """A statement can't be sent, for example because it is a command of psql."""


class Statement(NamedTuple):
    """A statement, and the line of the text that it begins in, from 1."""

    text: str
    line: int


class Statements:
    """Read a text, statement by statement.

    *standard_strings* tells whether a backslash in '...' is a mere character: the setting standard_conforming_strings. A
    statement may change it. As in psql, that holds from the next line on.
    """

    def __init__(self, text: str, standard_strings: Callable[[], bool]) -> None:
        """Begin at the start of *text*."""
        self._text = text
        self._ask = standard_strings
        self._position = 0
        self._line = 1
        self._end_of_line = self._find("\n", 0)
        self._standard_here = self._standard_later = (
            standard_strings()
        )  # up to the end of the line; behind it

    def next(self) -> Statement | None:
        """Return the next statement; None if there is none. Raise `StatementError` where a command of psql stands."""
        self._standard_later = self._ask()
        start = self._after(_BEFORE, self._position)
        line = self._line + self._text.count("\n", self._position, start)
        text = self._read(start)
        self._line = line + self._text.count("\n", start, self._position)
        if self._position > self._end_of_line:
            self._end_of_line = self._find("\n", self._position)
            self._standard_here = self._standard_later
        return Statement(text, line) if text else None

    def _read(self, start: int) -> str:
        """Return the statement that begins at *start*, and stop behind it."""
        text, parts, position, nesting = self._text, [], start, _Nesting()
        while token := _TOKEN.search(text, position):
            kind, position = token.lastgroup, token.end()
            if kind == "semicolon":
                if nesting.is_closed:
                    break
            elif kind == "backslash":
                if token[0] == "\\":
                    raise self._refusal(token.start())
                parts.append(text[start : token.start()])
                start = token.start() + 1
                if token[0] == "\\;":
                    nesting.begin_statement()
            elif kind in ("open", "close", "word"):
                nesting.take(kind, token[0])
            else:
                position = self._skip(kind, token[0], position)
        else:
            position = len(text)
        self._position = position
        return "".join([*parts, text[start:position]])

    def _skip(self, kind: str | None, opening: str, position: int) -> int:
        """Return the end of what *opening*, which ends at *position*, has opened."""
        standard = self._standard_here if position <= self._end_of_line else self._standard_later
        if kind == "comment":
            return self._skip_comment(position)
        if kind == "dollar":
            return min(self._find(opening, position) + len(opening), len(self._text))
        if kind == "name":
            return self._after(_NAME, position)
        if kind == "escaped" or (kind == "string" and not standard):
            return self._after(_ESCAPED, position)
        return self._after(_PLAIN, position) if kind in ("literal", "string") else position

    def _skip_comment(self, position: int) -> int:
        """Return the end of a comment, in which there may be others."""
        depth = 1
        for mark in _COMMENT_MARK.finditer(self._text, position):
            depth += 1 if mark[0] == "/*" else -1
            if not depth:
                return mark.end()
        return len(self._text)

    def _find(self, part: str, position: int) -> int:
        """Return where *part* is; the end of the text if it is missing."""
        found = self._text.find(part, position)
        return len(self._text) if found < 0 else found

    def _after(self, pattern: re.Pattern[str], position: int) -> int:
        found = pattern.match(self._text, position)
        assert found  # these patterns match anything
        return found.end()

    def _refusal(self, position: int) -> StatementError:
        command = re.compile(r"\\\S*").match(self._text, position)
        assert command
        line = 1 + self._text.count("\n", 0, position)
        return StatementError(f"{command[0]} in line {line} is a command of psql, not SQL")


class _Nesting:
    """What is open in a statement: parentheses, and in the body of a routine BEGIN and CASE."""

    def __init__(self) -> None:
        self._parentheses = self._blocks = 0
        self._words: list[str] = []

    @property
    def is_closed(self) -> bool:
        return not self._parentheses and not self._blocks

    def begin_statement(self) -> None:
        """Take the next word for the first one."""
        self._words = []

    def take(self, kind: str, text: str) -> None:
        """Note a parenthesis or a word."""
        if kind == "open":
            self._parentheses += 1
        elif kind == "close":
            self._parentheses = max(0, self._parentheses - 1)
        else:
            self._take_word(text)

    def _take_word(self, text: str) -> None:
        if self._parentheses:
            return
        if len(self._words) < MOST_WORDS:
            self._words.append(text.lower())
        elif self._words[0] != "create":
            return
        if not any(self._words[: len(words)] == words for words in ROUTINES):
            return
        word = text.lower()
        if word == "begin" or (word == "case" and self._blocks):
            self._blocks += 1
        elif word == "end" and self._blocks:
            self._blocks -= 1
