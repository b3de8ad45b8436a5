"""Times, durations, code and the output of steps, as people read them."""

import json
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from rich.color import Color, ColorSystem, ColorType
from rich.style import Style
from rich.text import Text

from ..output import duration

LONG_CODE = 100_000
MARKS = {"success": "✓", "failure": "✕", "running": "▶", "aborted": "■", "no steps": "○", "ignored": "!"}


def span(value: timedelta | float | None) -> str:
    """Return a duration as pgagentctl writes it, nothing for None."""
    return "" if value is None else duration(value)


def local(value: datetime | None, zone: ZoneInfo, form: str = "%Y-%m-%d %H:%M:%S") -> Markup:
    """Return a time with its offset, readable by machines, too."""
    if value is None:
        return Markup("")
    there = value.astimezone(zone)
    offset = there.strftime("%z")
    title = f"{there:%A} {there.isoformat()}"
    return Markup('<time datetime="{}" title="{}">{} <small>{}:{}</small></time>').format(
        there.isoformat(), title, there.strftime(form), offset[:3], offset[3:5]
    )


def status(word: str | None) -> Markup:
    """Return a status with a mark of its own, so that colour is not all that tells it."""
    word = word or "never run"
    return Markup('<span class="status {}"><span aria-hidden="true">{}</span> {}</span>').format(
        word.replace(" ", "-"), MARKS.get(word, "·"), word
    )


@lru_cache(maxsize=16)
def _lexer(name: str) -> Lexer:
    return get_lexer_by_name(name)


def code(text: str, kind: str) -> Markup:
    """Return a step's code, highlighted and with line numbers. What is very long stays plain."""
    if len(text) > LONG_CODE:
        return Markup('<pre class="code" tabindex="0">{}</pre>').format(text)
    lexer = _lexer("postgresql" if kind == "sql" else _interpreter(text))
    lexer.stripnl = False
    # What Pygments returns is escaped.
    marked = highlight(
        text.replace("\0", ""), lexer, HtmlFormatter(linenos="inline", nowrap=False, cssclass="code")
    )
    return Markup(marked.replace("<pre>", '<pre tabindex="0">', 1))


def _interpreter(text: str) -> str:
    first = text.split("\n", 1)[0] if text.startswith("#!") else ""
    return next((name for name in ("python", "perl", "ruby") if name in first), "bash")


def output(text: str) -> Markup:
    """Return a step's output, with the colours that it sets by ANSI codes as classes."""
    if "\x1b" not in text:
        return escape(text)
    parsed = Text.from_ansi(text)
    pieces: list[Markup] = []
    for piece in parsed.divide(sorted({edge for found in parsed.spans for edge in (found.start, found.end)})):
        classes = sorted(
            {
                name
                for found in piece.spans
                if isinstance(found.style, Style)
                for name in _classes(found.style)
            }
        )
        if classes:
            pieces.append(Markup('<span class="{}">{}</span>').format(" ".join(classes), piece.plain))
        else:
            pieces.append(escape(piece.plain))
    return Markup("").join(pieces)


def _classes(style: Style) -> list[str]:
    names = [word for word in ("bold", "italic", "underline", "dim") if getattr(style, word)]
    names += [f"ink{number}" for number in _number(style.color)]
    return names + [f"paper{number}" for number in _number(style.bgcolor)]


def _number(color: Color | None) -> list[int]:
    if color is None or color.type is ColorType.DEFAULT:
        return []
    number = color.downgrade(ColorSystem.STANDARD).number
    return [] if number is None else [number]


def pretty(value: object) -> str:
    """Return a value of JSON, short ones on one line."""
    return json.dumps(value, ensure_ascii=False, default=str)
