"""Times and lengths of time that people write."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import click

SECONDS = {"s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60}
UNITS = SECONDS | {"h": 3600, "hour": 3600, "d": 86400, "day": 86400, "w": 604800, "week": 604800}
LENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+?)s?")
DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}
HINT = (
    "a length of time such as 2h or 7d, a day such as today or 2026-12-24, or a time such as 2026-12-24T18:00"
)


def read_length(text: str) -> timedelta | None:
    """Return a length of time such as 90 s, 2h or 7 days; None if it is none."""
    found = LENGTH.fullmatch(text.strip().lower())
    if not found or (unit := UNITS.get(found[2] or "s")) is None:
        return None
    try:
        return timedelta(seconds=float(found[1]) * unit)
    except OverflowError:
        return None


def read_time(text: str, forwards: bool) -> datetime:
    """Return an instant. A length of time counts from now, forwards or backwards; a time without offset is the user's."""
    now = datetime.now().astimezone()
    words = text.strip().lower()
    length = read_length(words)
    try:
        if length is not None:
            return now + length if forwards else now - length
        if words == "now":
            return now
        if words in DAYS:
            # The end of a day that lies ahead, the beginning of one that is asked back to.
            day = now.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
            return (day + timedelta(days=DAYS[words] + forwards)).astimezone()
        if re.fullmatch(r"\d{1,2}:\d{2}", words):
            hour, minute = map(int, words.split(":"))
            return now.replace(hour=hour, minute=minute, second=0, microsecond=0, tzinfo=None).astimezone()
        return datetime.fromisoformat(text.strip()).astimezone()
    except (ValueError, OverflowError):
        raise click.BadParameter(f"{text!r} is no time: give {HINT}") from None


class Time(click.ParamType):  # type: ignore[type-arg] # in older versions of click it takes none
    """A time that people write. A length of time lies ahead if *forwards*."""

    name = "time"

    def __init__(self, forwards: bool = False) -> None:
        self.forwards = forwards

    def convert(self, value: str | datetime, param: object, ctx: object) -> datetime:  # noqa: ARG002
        """Return the instant."""
        return value if isinstance(value, datetime) else read_time(value, self.forwards)
