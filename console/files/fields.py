"""The fields of jobs in files: their names, which are those of the functions' arguments, and what each may hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TEXT, BOOLEAN, INTEGER, NUMBER = "text", "boolean", "integer", "number"
INTERVAL, TIME, OBJECT, TEXTS = "interval", "time", "object", "texts"
CRON, DAYS, MONTHS, NUMBERS = "cron", "days", "months", "numbers"
MONTHDAYS = "days of the month"
# One of these words
ON_ERROR = "fail, success or ignore"
WHEN = "success, failure, finish, recovered, late or overrun"
CHANNEL, ATTACH, CATCH_UP = "email, webhook or chat", "csv or html", "once, skip or all"
ROLL = "skip, forward, backward, nearest or in_month"
CHOICES = (ON_ERROR, WHEN, CHANNEL, ATTACH, CATCH_UP, ROLL)

Kinds = Mapping[str, str]

# In the place of steps with one step, and of schedules with one schedule, under the name of the job.
SHORT_STEP = ("sql", "batch", "database")
SHORT_SCHEDULE = ("cron", "every", "timezone")

JOB: Kinds = {
    "name": TEXT,
    "description": TEXT,
    "class": TEXT,
    "host": TEXT,
    "enabled": BOOLEAN,
    "owner": TEXT,
    "run_as": TEXT,
    "timeout": INTERVAL,
    "max_lateness": INTERVAL,
    "priority": INTEGER,
    "group": TEXT,
    "max_failures": INTEGER,
    "delete_on_success": BOOLEAN,
    "keep_runs": INTEGER,
    "keep_for": INTERVAL,
    "parameters": OBJECT,
    "labels": TEXTS,
    "late_after": INTERVAL,
    "overrun_after": INTERVAL,
    "catch_up": CATCH_UP,
    "catch_up_limit": INTEGER,
    "window": TEXT,
    "at_window_end": TEXT,
    "cron": CRON,
    "every": INTERVAL,
    "timezone": TEXT,
    "sql": TEXT,
    "batch": TEXT,
    "database": TEXT,
}
STEP: Kinds = {
    "name": TEXT,
    "description": TEXT,
    "enabled": BOOLEAN,
    "sql": TEXT,
    "batch": TEXT,
    "database": TEXT,
    "connstr": TEXT,
    "on_error": ON_ERROR,
    "atomic": BOOLEAN,
    "timeout": INTERVAL,
    "retries": INTEGER,
    "retry_delay": INTERVAL,
    "retry_backoff": NUMBER,
    "separately": BOOLEAN,
    "engine": TEXT,
    "engine_options": OBJECT,
    "keep_rows": INTEGER,
}
SCHEDULE: Kinds = {
    "name": TEXT,
    "description": TEXT,
    "enabled": BOOLEAN,
    "cron": CRON,
    "minutes": NUMBERS,
    "hours": NUMBERS,
    "weekdays": DAYS,
    "monthdays": MONTHDAYS,
    "months": MONTHS,
    "start": TIME,
    "end": TIME,
    "timezone": TEXT,
    "every": INTERVAL,
    "at": TIME,
    "exceptions": TEXTS,
    "calendars": TEXTS,
    "only_calendars": TEXTS,
    "nth": NUMBERS,
    "workdays": NUMBERS,
    "roll": ROLL,
    "recurs": TEXT,
    "spread": INTERVAL,
}
MESSAGE: Kinds = {
    "kind": CHANNEL,
    "target": TEXT,
    "when": WHEN,
    "subject": TEXT,
    "text": TEXT,
    "html": TEXT,
    "attach": ATTACH,
    "cc": TEXT,
    "bcc": TEXT,
}
CALENDAR: Kinds = {"description": TEXT, "days": TEXTS, "weekend": DAYS}
WINDOW: Kinds = {
    "description": TEXT,
    "cron": CRON,
    "minutes": NUMBERS,
    "hours": NUMBERS,
    "weekdays": DAYS,
    "monthdays": MONTHDAYS,
    "months": MONTHS,
    "nth": NUMBERS,
    "workdays": NUMBERS,
    "duration": INTERVAL,
    "timezone": TEXT,
    "closed": BOOLEAN,
}

# Fields of export_jobs() that have an underscore. All others are columns' names, which have none.
WITH_UNDERSCORE = ("on_error", "run_as", "engine_options")


def document_field(name: str) -> str:
    """Return what export_jobs() calls a field."""
    return name if name in WITH_UNDERSCORE else name.replace("_", "")


def file_field(kinds: Kinds, field: str) -> str:
    """Return what files call a field of export_jobs(). One that is not known keeps its name."""
    return next((name for name in kinds if document_field(name) == field), field)


WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
MONTH_NAMES = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip


def words(kind: str) -> list[str]:
    """Return the words of one of CHOICES."""
    return kind.replace(" or ", ", ").split(", ")


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of a file, for editors."""
    step = _object(STEP)
    schedule = _object(SCHEDULE)
    message = _object(MESSAGE)
    after = {
        "oneOf": [
            {"type": "array", "items": {"type": "string"}},
            {"type": "object", "additionalProperties": {"enum": ["success", "failure", "finish"]}},
        ]
    }
    job = _object(JOB)
    job["properties"] |= {
        "steps": {"type": "array", "items": step},
        "schedules": {"type": "array", "items": schedule},
        "messages": {"type": "array", "items": message},
        "after": after,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Jobs of pgagent_py",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "jobs": {"type": "object", "additionalProperties": job},
            "calendars": {"type": "object", "additionalProperties": _object(CALENDAR)},
            "windows": {"type": "object", "additionalProperties": _object(WINDOW)},
        },
    }


def _object(kinds: Kinds) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _SCHEMAS.get(kind, {"type": "string"}) for name, kind in kinds.items()},
    }


_LIST = {"type": "array", "items": {"type": ["string", "integer"]}}
_SCHEMAS: dict[str, dict[str, Any]] = {
    BOOLEAN: {"type": "boolean"},
    INTEGER: {"type": "integer"},
    NUMBER: {"type": "number"},
    INTERVAL: {"type": ["string", "number"]},
    OBJECT: {"type": "object"},
    TEXTS: {"type": "array", "items": {"type": "string"}},
    NUMBERS: {"type": "array", "items": {"type": "integer"}},
    DAYS: {
        "type": "array",
        "items": {"anyOf": [{"enum": list(WEEKDAYS)}, {"type": "integer", "minimum": 0, "maximum": 6}]},
    },
    MONTHS: {
        "type": "array",
        "items": {"anyOf": [{"enum": list(MONTH_NAMES)}, {"type": "integer", "minimum": 1, "maximum": 12}]},
    },
    MONTHDAYS: {
        "type": "array",
        "items": {"anyOf": [{"const": "last"}, {"type": "integer", "minimum": -31, "maximum": 32}]},
    },
}
_SCHEMAS |= {kind: {"enum": words(kind)} for kind in CHOICES}
