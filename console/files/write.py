"""Documents of export_jobs() become files."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

from ..extension.rules.schedule_text import as_cron
from . import fields
from .values import SETS

Value = Mapping[str, Any]
EVERY_SET = {
    "minutes": range(60),
    "hours": range(24),
    "weekdays": range(7),
    "monthdays": range(1, 33),
    "months": range(1, 13),
}
# Rules of days, beside which the sets hold only the days on which a schedule may fire.
RULES = {"days", "nth", "workdays", "roll", "recurs"}


def to_yaml_parts(documents: Iterable[Value]) -> Iterator[str]:
    """Yield the text of one file with all that is in the documents, part by part. Each has jobs, which may be none."""
    begun = False
    for document in documents:
        if document["jobs"]:
            text = to_yaml({"jobs": document["jobs"]})
            yield text.removeprefix("jobs:\n") if begun else text
            begun = True
        if rest := {key: value for key, value in document.items() if key != "jobs" and value}:
            yield to_yaml(rest)
    if not begun:
        yield "jobs: {}\n"


def to_yaml(document: Value) -> str:
    """Return the text of a file with all jobs, calendars and windows of a document."""
    content: dict[str, Any] = {}
    if "jobs" in document:
        content["jobs"] = {label: to_job(label, job) for label, job in document["jobs"].items()}
    if document.get("calendars"):
        content["calendars"] = {name: _calendar(calendar) for name, calendar in document["calendars"].items()}
    if document.get("windows"):
        content["windows"] = {
            name: {key: value for key, value in window.items() if value}
            for name, window in document["windows"].items()
        }
    yaml = YAML(typ="rt", pure=True)
    yaml.width = 120
    yaml.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    yaml.dump(_styled(content), stream)
    return stream.getvalue()


def _calendar(calendar: Value) -> dict[str, Any]:
    row = {key: value for key, value in calendar.items() if value}
    # No day of the week is one without work, which is not the default.
    if calendar.get("weekend") is not None:
        row["weekend"] = [fields.WEEKDAYS[number] for number in calendar["weekend"]]
    return row


def to_job(label: str, job: Value) -> dict[str, Any]:
    """Return a job as files have it. What has one step and one schedule under its name is written short."""
    given = dict(job)
    steps, schedules = given.pop("steps", []), given.pop("schedules", [])
    messages, after = given.pop("messages", []), given.pop("after", {})
    name = given.get("name", label)
    if name == label:
        given.pop("name", None)
    written = _named(fields.JOB, given)
    rows = _schedules(schedules)
    if len(rows) == 1 and rows[0]["name"] == name and rows[0].keys() <= {"name", "cron", "timezone"}:
        written |= {key: value for key, value in rows[0].items() if key != "name"}
        rows = []
    if len(steps) == 1 and steps[0]["name"] == name and steps[0].keys() <= {"name", *fields.SHORT_STEP}:
        written |= {key: value for key, value in steps[0].items() if key != "name"}
        steps = []
    if rows:
        written["schedules"] = rows
    if steps:
        written["steps"] = [_named(fields.STEP, step) for step in steps]
    if messages:
        written["messages"] = [_named(fields.MESSAGE, message) for message in messages]
    if after:
        written["after"] = list(after) if set(after.values()) == {"success"} else dict(after)
    return written


def _named(kinds: Mapping[str, str], row: Value) -> dict[str, Any]:
    """Return a row with the names that files have, in their order."""
    named = {fields.file_field(kinds, key): value for key, value in row.items()}
    order = list(kinds)
    return dict(
        sorted(named.items(), key=lambda item: order.index(item[0]) if item[0] in order else len(order))
    )


def _sets(schedule: Value) -> dict[str, tuple[int, ...]]:
    sets = {}
    for name in SETS:
        numbers = tuple(schedule.get(name, ()))
        every = set(EVERY_SET[name]) - ({32} if name == "monthdays" else set())
        sets[name] = () if set(numbers) >= every else numbers
    return sets


def _schedules(schedules: list[Value]) -> list[dict[str, Any]]:
    """Return the schedules as files have them; the two of one cron expression as one."""
    rows: list[dict[str, Any]] = []
    place = 0
    while place < len(schedules):
        first, *second = schedules[place : place + 2]
        if (
            second
            and not first.keys() & RULES
            and _rest(first) == _rest(second[0])
            and (cron := as_cron(_sets(first), _sets(second[0])))
        ):
            rows.append(_schedule(first, cron))
            place += 2
        else:
            rows.append(_schedule(first, _own_cron(first)))
            place += 1
    return rows


def _own_cron(schedule: Value) -> str | None:
    if schedule.keys() & RULES:
        return None
    if schedule.get("reboot"):
        return "@reboot"
    return None if "every" in schedule or "at" in schedule else as_cron(_sets(schedule))


def _rest(schedule: Value) -> dict[str, Any]:
    return {key: value for key, value in schedule.items() if key not in (*SETS, "start")}


def _schedule(schedule: Value, cron: str | None) -> dict[str, Any]:
    row = dict(schedule)
    row.pop("reboot", None)
    # The set has more days then: those on which the schedule may fire.
    if (days := row.pop("days", None)) is not None:
        row["monthdays"] = days
        if not days:
            del row["monthdays"]
    # A start that is past makes no difference, but to every.
    start = row.get("start")
    if start is not None and "every" not in row and _is_past(start):
        del row["start"]
    if cron is not None:
        row = {key: value for key, value in row.items() if key not in SETS} | {"cron": cron}
    _name_numbers(row)
    if "exceptions" in row:
        row["exceptions"] = [
            " ".join(e[key] for key in ("date", "time") if e.get(key)) for e in row["exceptions"]
        ]
    if calendars := row.pop("calendars", None):
        for key, only in (("calendars", False), ("only_calendars", True)):
            if names := [calendar["name"] for calendar in calendars if bool(calendar.get("only")) is only]:
                row[key] = names
    return _named(fields.SCHEDULE, row)


def _name_numbers(row: dict[str, Any]) -> None:
    """Write the names of days and months in the place of their numbers."""
    for name, words in (("weekdays", fields.WEEKDAYS), ("months", fields.MONTH_NAMES)):
        if name in row:
            row[name] = [words[number - EVERY_SET[name].start] for number in row[name]]
    if "monthdays" in row:
        row["monthdays"] = ["last" if day == 32 else day for day in row["monthdays"]]


def _is_past(start: str) -> bool:
    try:
        at = datetime.fromisoformat(start)
    except ValueError:
        return False
    return at.astimezone() <= datetime.now().astimezone()


# Characters that YAML's plain, quoted and block texts would change. In double quotes they are escaped.
ODD = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")


def _styled(value: Any) -> Any:
    """Return the value with texts of several lines as blocks, as far as YAML can write them so."""
    if isinstance(value, Mapping):
        return {_text(key): _styled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_styled(item) for item in value]
    return _text(value) if isinstance(value, str) else value


def _text(text: str) -> Any:
    # Tabs are safe in a block, but not in front of its first text.
    if "\n" in text and text[0] not in " \t\n" and not ODD.search(text.replace("\t", "")):
        return LiteralScalarString(text)
    return DoubleQuotedScalarString(text) if "\n" in text or ODD.search(text) else text
