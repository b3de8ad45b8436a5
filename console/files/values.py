"""Values of fields in files, checked without a server, as export_jobs() has them."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from typing import Any

from ..extension.api.cron import parse_cron
from ..extension.ground.errors import PgAgentError
from ..extension.ground.vocabulary import DAY_NUMBERS
from . import fields

SETS = ("minutes", "hours", "weekdays", "monthdays", "months")
RANGES = {"minutes": (0, 59), "hours": (0, 23)} | DAY_NUMBERS
EXCEPTION = re.compile(r"(?P<date>\d{4}-\d{2}-\d{2})?(?:(?:^|[ T])(?P<time>\d{1,2}:\d{2}(?::\d{2})?))?")


class WrongValueError(Exception):
    """A value is not what its field may hold."""


def read_value(name: str, kind: str, value: Any) -> Any:
    """Return the value of a field; raise WrongValueError."""
    if kind in (fields.NUMBERS, fields.DAYS, fields.MONTHS, fields.MONTHDAYS):
        return _numbers(name, kind, value)
    if kind == fields.TEXTS:
        return [_text(name, item) for item in _list(name, value)]
    if kind == fields.OBJECT:
        if not isinstance(value, dict):
            raise WrongValueError(f"{name} must be a mapping")
        return plain_value(value)
    if kind == fields.BOOLEAN:
        return _of(name, value, bool, "true or false")
    if kind == fields.INTEGER:
        return _of(name, value, int, "a whole number")
    if kind == fields.NUMBER:
        return float(_of(name, value, (int, float), "a number"))
    if kind == fields.INTERVAL and isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value} seconds"
    if kind in fields.CHOICES and value not in fields.words(kind):
        raise WrongValueError(f"{name} must be {kind}")
    return _text(name, value)


def _of(name: str, value: Any, type_: Any, what: str) -> Any:
    if not isinstance(value, type_) or (isinstance(value, bool) and type_ is not bool):
        raise WrongValueError(f"{name} must be {what}")
    return bool(value) if type_ is bool else int(value) if type_ is int else value


def _text(name: str, value: Any) -> str:
    """Return a text; what YAML takes for a time is one."""
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ")
    if isinstance(value, datetime.date):
        return value.isoformat()
    if not isinstance(value, str):
        raise WrongValueError(f"{name} must be text: write it in quotes")
    return str(value)


def _list(name: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise WrongValueError(f"{name} must be a list")
    return value


def _numbers(name: str, kind: str, value: Any) -> list[int]:
    words: Sequence[str] = ()
    first, last = RANGES.get(name, (0, 0))
    if kind == fields.DAYS:
        words, (first, last) = fields.WEEKDAYS, (0, 6)
    elif kind == fields.MONTHS:
        words, (first, last) = fields.MONTH_NAMES, (1, 12)
    found = []
    for item in _list(name, value):
        if kind == fields.MONTHDAYS and item == "last":
            found.append(32)
        elif isinstance(item, str) and (number := _word(item, words)) is not None:
            found.append(number + first)
        elif (
            isinstance(item, int)
            and not isinstance(item, bool)
            and first <= item <= last
            and (item or first >= 0)
        ):
            found.append(int(item))
        else:
            more = f", or names such as {words[1]}" if words else ""
            more = " or last" if kind == fields.MONTHDAYS else more
            raise WrongValueError(f"{name} can't be {item}: give numbers from {first} to {last}{more}")
    return sorted(set(found))


def _word(text: str, words: Sequence[str]) -> int | None:
    found = [number for number, word in enumerate(words) if len(text) >= 3 and word.startswith(text.lower())]
    return found[0] if found else None


def read_cron(text: Any, key: int = 0) -> list[dict[str, Any]]:
    """Return the schedules of a cron expression: what they have, without what means any. *key* settles H."""
    if not isinstance(text, str):
        raise WrongValueError("cron must be text such as 0 3 * * 1-5")
    if text.strip().lower() == "@reboot":
        return [{"reboot": True}]
    try:
        ways = parse_cron(text, key)
    except PgAgentError as error:
        raise WrongValueError(f"{error.message}. {error.hint or ''}".strip()) from None
    return [{name: list(numbers) for name, numbers in way._asdict().items() if numbers} for way in ways]


def read_exception(text: str) -> dict[str, str]:
    """Return date and time of an exception such as 2026-12-24, 12:00, or both."""
    found = EXCEPTION.fullmatch(text.strip())
    if not found or not any(found.groups()):
        raise WrongValueError(f"exceptions: {text!r} is neither a date, a time nor both")
    parts = {name: value for name, value in found.groupdict().items() if value}
    if "time" in parts:
        parts["time"] = (
            (parts["time"].zfill(5) if parts["time"].count(":") == 1 else parts["time"].zfill(8))
            .ljust(8, "x")
            .replace("xxx", ":00")
        )
    return parts


def plain_value(value: Any) -> Any:
    """Return a value of a file without what YAML has added to it."""
    if isinstance(value, dict):
        return {str(key): plain_value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain_value(item) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    for type_ in (int, float, str):
        if isinstance(value, type_):
            return type_(value)
    return _text("value", value)
