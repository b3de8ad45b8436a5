"""Jobs and calendars are made what a document says: see document.py. A verb of the SQL API, as in jobs.py."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ..ground.errors import PgAgentError, invalid
from ..ground.plan import Statement
from ..ground.plpy import Plpy, Row
from ..ground.roles import refresh_names
from ..rules.zones import check_zone
from .calendars import ADD_DAYS, MAKE_OPTIONS
from .compare import change
from .dependencies import add_dependency, drop_dependency
from .document import (
    ENTITIES,
    JOB,
    JOB_OPTION,
    LIST_TABLES,
    MESSAGE,
    OPTION_TABLES,
    SCHEDULE,
    SCHEDULE_CALENDAR,
    SCHEDULE_OPTION,
    STEP,
    Entity,
    Fields,
    Table,
    wrong,
)
from .export_jobs import Reader, read_calendars
from .messages import check_message
from .owners import check_code, set_roles
from .schedules import are_set, check_every

# Set by set_roles alone: the caller may not give a job to any role.
ROLES = ("jobowner", "jobrunas")


class UndoError(Exception):
    """Leave the subtransaction of a dry run."""


def import_jobs(plpy: Plpy, caller: str, jobs: Any = None, dry_run: bool | None = None) -> list[Row]:
    """Make the jobs and calendars in the document what it says, leave all others; return a row for each.

    *dry_run*: only return what would change.
    """
    if not isinstance(jobs, dict) or jobs.keys() - {"jobs", "calendars"}:
        raise wrong("the document", 'must be {"jobs": {...}, "calendars": {...}}')
    changes: list[Row] = []
    try:
        with plpy.subtransaction():
            refresh_names(plpy)
            writer = Writer(plpy, caller)
            changes = writer.calendars(_objects(jobs, "calendars")) + writer.jobs(_objects(jobs, "jobs"))
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


def _rows(value: Row, name: str, path: str) -> list[Row]:
    """Return the list *name* of *value*, empty when there is none."""
    rows = value.get(name, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise wrong(f"{path}.{name}", "must be a list of objects")
    return rows


def _check_name(value: Row, path: str) -> str:
    name = value.get("name")
    if not isinstance(name, str) or not name.strip():
        raise wrong(path, "name is missing")
    return name


def _insert(table: Table, columns: Sequence[str]) -> str:
    """Return SQL that inserts $1, a row as JSON."""
    names = list(columns) if table is JOB.table else [*columns, table.parent]
    return f"INSERT INTO {table.name} ({', '.join(names)}) {_values(table, names, 'now()')}"


def _values(table: Table, columns: Sequence[str], start: str) -> str:
    """Return SQL for the values of *columns* in $1; *start* is that of jscstart, the only one whose default is no constant."""
    values = [
        f"coalesce(r.jscstart, {start})" if column == "jscstart" else f"r.{column}" for column in columns
    ]
    return f"SELECT {', '.join(values)} FROM jsonb_populate_record(NULL::{table.name}, $1) r"


def _put(table: Table) -> str:
    """Return SQL that inserts $1, options as JSON, or puts them in the place of what is there."""
    columns = [column for column in table.columns if column not in ROLES]
    excluded = ", ".join(f"excluded.{column}" for column in columns)
    return f"{_insert(table, columns)} ON CONFLICT ({table.parent}) DO UPDATE SET ({', '.join(columns)}) = ROW({excluded})"


INSERT = {
    entity: Statement(
        f"{_insert(entity.table, list(entity.table.columns))} RETURNING {entity.key} AS id", "jsonb"
    )
    for entity in ENTITIES
}
UPDATE = {
    entity: Statement(
        f"UPDATE {entity.table.name} t SET ({', '.join(entity.table.columns)}) ="
        f" ({_values(entity.table, list(entity.table.columns), 't.jscstart')}) WHERE t.{entity.key} = $2",
        "jsonb",
        "int4",
    )
    for entity in ENTITIES
}
DELETE = {
    entity: Statement(f"DELETE FROM {entity.table.name} t WHERE t.{entity.key} = ANY ($1)", "int4[]")
    for entity in ENTITIES
}
PUT = {table: Statement(_put(table), "jsonb") for table in OPTION_TABLES}
ADD = {table: Statement(_insert(table, list(table.columns)), "jsonb") for table in LIST_TABLES}
CLEAR = {
    table: Statement(f"DELETE FROM {table.name} t WHERE t.{table.parent} = $1", "int4")
    for table in LIST_TABLES
}
PUT_CALENDAR = Statement(
    """
    WITH calendar AS (
        INSERT INTO pgagent_py.calendar (calname, caldesc) VALUES ($1, $2)
        ON CONFLICT (calname) DO UPDATE SET caldesc = excluded.caldesc)
    DELETE FROM pgagent_py.calendar_day d WHERE d.calname = $1 AND NOT d.calday = ANY ($3)""",
    "text",
    "text",
    "date[]",
)
IS_INFINITE = Statement("SELECT NOT isfinite($1) AS infinite", "timestamptz")


class Writer:
    """Writes what a document says."""

    def __init__(self, plpy: Plpy, caller: str) -> None:
        self.plpy = plpy
        self.caller = caller
        self.fields = Fields(plpy)
        self.reader = Reader(self.fields)

    def jobs(self, jobs: Row) -> list[Row]:
        """Make the jobs *jobs*, by label, what they say; return what has changed."""
        labels = self.reader.labels()
        before = {}
        for label, job in jobs.items():
            if not isinstance(job, dict):
                raise wrong(f'jobs."{label}"', "must be an object")
            before[label] = self.reader.job(labels[label]) if label in labels else None
        ids = {
            label: labels[label]
            if before[label] == job
            else self._job(labels.get(label), job, f'jobs."{label}"')
            for label, job in jobs.items()
        }
        labels = self.reader.labels()
        for label, jobid in ids.items():
            if labels.get(label) != jobid:
                hint = "its key must be its name, with a number such as (2) for a second job of that name"
                raise wrong(f'jobs."{label}"', hint)
        self._dependencies(jobs)
        return [change("job", label, before[label], self.reader.job(jobid)) for label, jobid in ids.items()]

    def _job(self, jobid: int | None, job: Row, path: str) -> int:
        """Make the job *jobid*, a new one when it is None, what *job* says; return its id."""
        _check_name(job, path)
        lists = ("steps", "schedules", "after")
        value = {name: given for name, given in job.items() if name not in lists}
        jobid = self._entity(JOB, None, jobid, value, path)
        for name, entity in (("steps", STEP), ("schedules", SCHEDULE)):
            self._entities(entity, jobid, _rows(job, name, path), f"{path}.{name}")
        with self._at(path):
            check_code(self.plpy, jobid, "owner")
        return jobid

    def _entities(self, entity: Entity, parent: int, new: Sequence[Row], path: str) -> None:
        """Make the steps or schedules of a job those in *new*: by name, so that one that stays keeps its id and history."""
        before = self.reader.entities(entity, parent)
        left: dict[str, list[int]] = {}
        for id_, value in before.items():
            left.setdefault(value["name"], []).append(id_)
        for number, value in enumerate(new):
            where = f"{path}[{number}]"
            same_name = left.get(_check_name(value, where))
            present = same_name.pop(0) if same_name else None
            if present is None or before[present] != value:
                self._entity(entity, parent, present, value, where)
        if gone := [id_ for ids in left.values() for id_ in ids]:
            DELETE[entity](self.plpy, gone)

    def _entity(self, entity: Entity, parent: int | None, id_: int | None, value: Row, path: str) -> int:
        """Write a job, step or schedule with its options and lists; return its id."""
        options = entity.options.fields
        own = {"sql", "batch"} | entity.table.fields.keys() - {"kind", "code"}
        for name in value:
            if name not in own and name not in options and name not in entity.lists:
                raise wrong(path, f'"{name}" is unknown')
        row = self.fields.to_row(entity.table, {k: v for k, v in value.items() if k in own}, path)
        with self._at(path):
            if id_ is None:
                new = json.dumps(row | {entity.table.parent: parent})
                id_ = int(INSERT[entity](self.plpy, new)[0]["id"])
            else:
                UPDATE[entity](self.plpy, json.dumps(row), id_)
        self._options(entity.options, id_, {k: v for k, v in value.items() if k in options}, path)
        for name, table in entity.lists.items():
            self._list(table, id_, _rows(value, name, path), f"{path}.{name}")
        return id_

    def _options(self, table: Table, id_: int, value: Row, path: str) -> None:
        """Set what is given and what has its default; no row is made where nothing is given."""
        if not value and not self.reader.rows(table, id_):
            return
        row = self.fields.to_row(table, value, path)
        with self._at(path):
            self._check(table, row)
            PUT[table](self.plpy, json.dumps(row | {table.parent: id_}))
            if table is JOB_OPTION:
                self._roles(id_, row["jobowner"], row["jobrunas"])

    def _roles(self, jobid: int, owner: str | None, run_as: str | None) -> None:
        (now,) = self.reader.rows(JOB_OPTION, jobid)
        if (now["jobowner"], now["jobrunas"]) != (owner, run_as):
            given = None if now["jobowner"] == owner else owner or ""
            set_roles(self.plpy, self.caller, jobid, given, run_as or "")

    def _list(self, table: Table, id_: int, new: Sequence[Row], path: str) -> None:
        """Make the rows of *id_* in *table* those in *new*, unless they are already."""
        if [self.fields.to_fields(table, row) for row in self.reader.rows(table, id_)] == new:
            return
        CLEAR[table](self.plpy, id_)
        for number, value in enumerate(new):
            where = f"{path}[{number}]"
            if unknown := value.keys() - table.fields.keys():
                raise wrong(where, f'"{min(unknown)}" is unknown')
            if table is SCHEDULE_CALENDAR:  # its rows refer to the row of options
                MAKE_OPTIONS(self.plpy, id_)
            row = self.fields.to_row(table, value, where)
            with self._at(where):
                self._check(table, row)
                ADD[table](self.plpy, json.dumps(row | {table.parent: id_}))

    def _check(self, table: Table, row: Row) -> None:
        """Refuse what the functions that set it one by one refuse, and the table would take."""
        if table is MESSAGE:
            check_message(row["msgkind"], row["msgtarget"], row["msgwhen"], row["msgsubject"])
        if table is SCHEDULE_OPTION:
            check_zone(self.plpy, row["jsctimezone"])
            if row["jscevery"] is not None:
                check_every(self.plpy, "every", row["jscevery"])
                if not are_set(self.plpy, {"every": row["jscevery"]})["every"]:
                    raise invalid("every", "every can't be 0")
            if row["jscat"] is not None and IS_INFINITE(self.plpy, row["jscat"])[0]["infinite"]:
                raise invalid("at", "at can't be infinity")

    def _dependencies(self, jobs: Mapping[str, Row]) -> None:
        """Make *jobs*, by label, wait for those that their "after" names; all of them exist by now."""
        wanted = self._after(jobs)
        before = {jobid: self.reader.after(jobid) for jobid in wanted}
        # All that go, first: else a dependency that is turned round would be taken for a circle.
        for jobid, after in wanted.items():
            for other in before[jobid].keys() - after.keys():
                drop_dependency(self.plpy, self.caller, job=jobid, after=other)
        for jobid, after in wanted.items():
            for other, when in after.items():
                if before[jobid].get(other) != when:
                    label, other_label = self.reader.label(jobid), self.reader.label(other)
                    with self._at(f'jobs."{label}".after."{other_label}"'):
                        add_dependency(self.plpy, self.caller, job=jobid, after=other, when=when)

    def _after(self, jobs: Mapping[str, Row]) -> dict[int, dict[int, Any]]:
        """Return for which jobs each of *jobs* is to wait, by id, and for what end."""
        labels = self.reader.labels()
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

    def calendars(self, calendars: Row) -> list[Row]:
        """Make the calendars what *calendars*, by name, says; return what has changed."""
        before = read_calendars(self.plpy)
        for name, value in calendars.items():
            path = f'calendars."{name}"'
            if not isinstance(value, dict) or value.keys() - {"description", "days"}:
                raise wrong(path, "a calendar has description and days")
            days = value.get("days") or []
            with self._at(path):
                PUT_CALENDAR(self.plpy, name, value.get("description") or "", days)
                ADD_DAYS(self.plpy, name, days)
        after = read_calendars(self.plpy)
        return [change("calendar", name, before.get(name), after[name]) for name in calendars]

    @contextmanager
    def _at(self, path: str) -> Iterator[None]:
        """Have an error about a value say where that stands."""
        try:
            yield
        except PgAgentError as error:
            raise PgAgentError(f"jobs: {path}: {error.message}", error.hint, error.sqlstate) from None
        except self.plpy.SPIError as error:
            if error.sqlstate[:2] in ("22", "23"):
                raise wrong(path, str(error)) from None
            raise
