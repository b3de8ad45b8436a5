"""Jobs, calendars and windows are made what a document says: see document.py. A verb of the SQL API, as in jobs.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..ground.exact_json import read_json
from ..ground.plan import Statement
from ..ground.plpy import Plpy, Row
from ..ground.roles import refresh_names
from ..runs.wake import wake
from .applied import check_source, drop_left_over, note_added
from .calendars import ADD_DAYS, check_weekend
from .compare import change
from .dependencies import add_dependency, drop_dependency
from .document import wrong
from .export_jobs import read_calendars
from .import_rows import Writer, at
from .windows import WINDOW_FIELDS, export_windows, import_window


class UndoError(Exception):
    """Leave the subtransaction of a dry run."""


def import_jobs(
    plpy: Plpy,
    caller: str,
    jobs: str | None = None,
    dry_run: bool | None = None,
    source: str | None = None,
    prune: bool | None = None,
) -> list[Row]:
    """Make the jobs, calendars and windows in the document what it says, leave all others; return a row for each.

    *dry_run*: only return what would change. *source*: what the document is, so that a later one of the same source can *prune*:
    drop the jobs that an earlier one has added and that it does not name.
    """
    check_source(source, prune)
    try:
        document = read_json(jobs or "null")
    except (ValueError, RecursionError):
        raise wrong("the document", "has a number of too many digits, or too many levels") from None
    if not isinstance(document, dict) or document.keys() - {"jobs", "calendars", "windows"}:
        raise wrong("the document", 'must be {"jobs": {...}, "calendars": {...}, "windows": {...}}')
    changes: list[Row] = []
    try:
        with plpy.subtransaction():
            refresh_names(plpy)
            changes = _write_calendars(plpy, _objects(document, "calendars"))
            changes += _write_windows(plpy, _objects(document, "windows"))
            changes += _write_jobs(Writer(plpy, caller), _objects(document, "jobs"), source, prune)
            if dry_run:
                raise UndoError
    except UndoError:
        pass
    return changes


def _objects(given: Row, name: str) -> Row:
    value = given.get(name, {})
    if not isinstance(value, dict):
        raise wrong(name, "must be an object with names as keys")
    return value


PUT_CALENDAR = Statement(
    """
    WITH calendar AS (
        INSERT INTO pgagent_py.calendar (calname, caldesc, calweekend) VALUES ($1, $2, $4)
        ON CONFLICT (calname) DO UPDATE SET (caldesc, calweekend) = ROW(excluded.caldesc, excluded.calweekend))
    DELETE FROM pgagent_py.calendar_day d WHERE d.calname = $1 AND NOT d.calday = ANY ($3)""",
    "text",
    "text",
    "date[]",
    "int4[]",
)


def _write_calendars(plpy: Plpy, calendars: Row) -> list[Row]:
    """Make the calendars in *calendars*, by name, what they say; return what has changed."""
    before = read_calendars(plpy)
    for name, value in calendars.items():
        path = f'calendars."{name}"'
        if not isinstance(value, dict) or value.keys() - {"description", "days", "weekend"}:
            raise wrong(path, "a calendar has description, days and weekend")
        days = value.get("days") or []
        with at(plpy, path):
            weekend = check_weekend(value.get("weekend"))
            PUT_CALENDAR(plpy, name, value.get("description") or "", days, weekend)
            ADD_DAYS(plpy, name, days)
    after = read_calendars(plpy)
    return [change("calendar", name, before.get(name), after[name]) for name in calendars]


def _write_windows(plpy: Plpy, windows: Row) -> list[Row]:
    """Make the windows in *windows*, by name, what they say; return what has changed."""
    before = export_windows(plpy)
    for name, value in windows.items():
        path = f'windows."{name}"'
        if not isinstance(value, dict) or value.keys() - set(WINDOW_FIELDS):
            raise wrong(path, "a window has the arguments of add_window")
        with at(plpy, path):
            import_window(plpy, name, value)
    after = export_windows(plpy)
    if after != before:
        wake(plpy)
    return [change("window", name, before.get(name), after[name]) for name in windows]


def _write_jobs(writer: Writer, jobs: Row, source: str | None, prune: bool | None) -> list[Row]:
    """Make the jobs in *jobs*, by label, what they say; return what has changed."""
    plpy, reader = writer.plpy, writer.reader
    labels = reader.labels()
    before = {}
    for label, job in jobs.items():
        if not isinstance(job, dict):
            raise wrong(f'jobs."{label}"', "must be an object")
        before[label] = reader.job(labels[label]) if label in labels else None
    ids = {}
    for label, job in jobs.items():
        same = before[label] == job
        ids[label] = labels[label] if same else writer.job(labels.get(label), job, f'jobs."{label}"')
    labels = reader.labels()
    for label, jobid in ids.items():
        if labels.get(label) != jobid:
            hint = "its key must be its name, with a number such as (2) for a second job of that name"
            raise wrong(f'jobs."{label}"', hint)
    _write_dependencies(writer, jobs)
    note_added(plpy, source, [ids[label] for label, job in before.items() if job is None])
    changes = [change("job", label, before[label], reader.job(jobid)) for label, jobid in ids.items()]
    return changes + (drop_left_over(plpy, writer.caller, source, ids.values(), labels) if prune else [])


def _write_dependencies(writer: Writer, jobs: Mapping[str, Row]) -> None:
    """Make *jobs*, by label, wait for those that their "after" names; all of them exist by now."""
    plpy, reader = writer.plpy, writer.reader
    wanted = _read_after(reader.labels(), jobs)
    before = {jobid: reader.after(jobid) for jobid in wanted}
    # All that go are dropped first: else a dependency that is turned round would be taken for a circle.
    for jobid, after in wanted.items():
        for other in before[jobid].keys() - after.keys():
            drop_dependency(plpy, writer.caller, job=jobid, after=other)
    for jobid, after in wanted.items():
        for other, when in after.items():
            if before[jobid].get(other) != when:
                with at(plpy, f'jobs."{reader.label(jobid)}".after."{reader.label(other)}"'):
                    add_dependency(plpy, writer.caller, job=jobid, after=other, when=when)


def _read_after(labels: Mapping[str, int], jobs: Mapping[str, Row]) -> dict[int, dict[int, Any]]:
    """Return for which jobs each of *jobs* is to wait, by id, and for what end."""
    wanted = {}
    for label, job in jobs.items():
        path = f'jobs."{label}".after'
        after = job.get("after", {})
        if not isinstance(after, dict):
            raise wrong(path, "must be an object with jobs as keys")
        if unknown := after.keys() - labels.keys():
            raise wrong(path, f'there is no job "{min(unknown)}"')
        wanted[labels[label]] = {labels[other]: when for other, when in after.items()}
    return wanted
