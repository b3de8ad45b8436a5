"""Whole job definitions as JSON: what export_jobs writes and import_jobs reads.

The document is {"jobs": {label: job}, "calendars": {name: calendar}}; a label is the job's name, with a number where several
have it; the "after" of other jobs names it. A field stands for a column, by the column's name without its table's prefix;
what has its default is left out. Columns are read from the catalog: a new column of an option table is carried without a
change here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ..ground.errors import PgAgentError, invalid
from ..ground.plan import run
from ..ground.roles import check_edit, refresh_names
from ..ground.vocabulary import ON_ERROR, SETS
from ..rules.zones import check_zone
from .compare import change
from .dependencies import add_dependency, drop_dependency
from .messages import check_message
from .owners import check_code, set_roles
from .schedules import are_set, check_every

Row = dict[str, Any]


@dataclass(frozen=True)
class Table:
    """A table whose rows are part of a job: how its columns are called in JSON, and which of them are not carried."""

    name: str
    parent: str  # column that leads to the row that it belongs to
    prefix: str
    key: str = ""  # column that others refer to
    order: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    skip: frozenset[str] = frozenset()


# What the database finds out by itself, or what is a state and not a definition, is not carried.
JOB = Table(
    "pgagent.pga_job",
    "jobid",
    "job",
    "jobid",
    "t.jobid",
    {"jobdesc": "description", "jobjclid": "class", "jobhostagent": "host"},
    frozenset(["jobcreated", "jobchanged", "jobagentid", "jobnextrun", "joblastrun"]),
)
STEP = Table(
    "pgagent.pga_jobstep",
    "jstjobid",
    "jst",
    "jstid",
    "t.jstname, t.jstid",
    {"jstdesc": "description", "jstdbname": "database", "jstonerror": "on_error"},
    frozenset(["jscnextrun"]),
)
SCHEDULE = Table(
    "pgagent.pga_schedule", "jscjobid", "jsc", "jscid", "t.jscname, t.jscid", {"jscdesc": "description"}
)
EXCEPTION = Table("pgagent.pga_exception", "jexscid", "jex", "jexid", "t.jexdate, t.jextime")
JOB_OPTION = Table(
    "pgagent_py.job_option",
    "jobid",
    "job",
    names={"jobrunas": "run_as"},
    skip=frozenset(["jobfailures", "jobdone", "jobownerid", "jobrunasid"]),
)
STEP_OPTION = Table("pgagent_py.step_option", "jstid", "jst")
SCHEDULE_OPTION = Table("pgagent_py.schedule_option", "jscid", "jsc")
SCHEDULE_CALENDAR = Table("pgagent_py.schedule_calendar", "jscid", "cal", order="t.calname")
MESSAGE = Table("pgagent_py.message", "msgjobid", "msg", "msgid", "t.msgid")

OPTIONS = {"job": JOB_OPTION, "step": STEP_OPTION, "schedule": SCHEDULE_OPTION}
LISTS = {
    "job": {"messages": MESSAGE},
    "step": {},
    "schedule": {"exceptions": EXCEPTION, "calendars": SCHEDULE_CALENDAR},
}
# The numbers that the flags of the five sets stand for start here.
FIRST = {f"jsc{name}": first for name, (first, _) in SETS.items()}

COLUMNS = """
SELECT a.attname::text AS name, pg_get_expr(d.adbin, d.adrelid) AS expression
  FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""


class UndoError(Exception):
    """Leave the subtransaction of a dry run."""


class Document:
    """The definitions in this database, read and written by field."""

    def __init__(self, plpy: Any, caller: str) -> None:
        self.plpy = plpy
        self.caller = caller
        self._columns: dict[str, dict[str, Any]] = {}
        self._labels: dict[int, str] = {}
        refresh_names(plpy)
        (here,) = run(plpy, "SELECT current_database()::text AS name")
        self._database = here["name"]
        classes = run(plpy, "SELECT c.jclid, c.jclname FROM pgagent.pga_jobclass c ORDER BY c.jclid")
        self._classes = {row["jclid"]: row["jclname"] for row in classes}

    # Reading

    def jobs(self) -> dict[str, Row]:
        """Return all jobs by label."""
        return {label: self.job(jobid) for label, jobid in self.labels().items()}

    def labels(self) -> dict[str, int]:
        """Return the ids of all jobs by label."""
        rows = run(self.plpy, "SELECT j.jobid, j.jobname FROM pgagent.pga_job j ORDER BY j.jobid")
        taken = {row["jobname"] for row in rows}
        labels: dict[str, int] = {}
        for row in rows:
            label, number = row["jobname"], 1
            while label in labels or (number > 1 and label in taken):
                number += 1
                label = f"{row['jobname']} ({number})"
            labels[label] = row["jobid"]
        self._labels = {jobid: label for label, jobid in labels.items()}
        return labels

    def job(self, jobid: int) -> Row:
        """Return the definition of a job; `labels` must have been called since jobs were added."""
        (job,) = self._read(JOB, "job", jobid)
        for name, table, kind in (("steps", STEP, "step"), ("schedules", SCHEDULE, "schedule")):
            if rows := self._read(table, kind, jobid):
                job[name] = [{k: v for k, v in row.items() if k != "id"} for row in rows]
        if after := self._after(jobid):
            job["after"] = {self._labels[id_]: when for id_, when in after.items()}
        del job["id"]
        return job

    def _after(self, jobid: int) -> dict[int, str]:
        """Return for which jobs this one waits, and for what end."""
        sql = "SELECT d.jobafter, d.depwhen FROM pgagent_py.job_dependency d WHERE d.jobid = $1 ORDER BY d.jobafter"
        return {row["jobafter"]: row["depwhen"] for row in run(self.plpy, sql, ["int4"], [jobid])}

    def _read(self, table: Table, kind: str, parent: int) -> list[Row]:
        """Return the rows of *parent* with their options and lists, and their id."""
        result = []
        for row in self._rows(table, parent):
            id_ = row[table.key]
            value = self._to_fields(table, row)
            for option in self._rows(OPTIONS[kind], id_):
                value |= self._to_fields(OPTIONS[kind], option)
            for name, list_ in LISTS[kind].items():
                if rows := self._rows(list_, id_):
                    value[name] = [self._to_fields(list_, r) for r in rows]
            result.append({"id": id_, **value})
        return result

    def _rows(self, table: Table, parent: int) -> list[Row]:
        sql = f"SELECT to_jsonb(t)::text AS row FROM {table.name} t WHERE t.{table.parent} = $1"
        order = f" ORDER BY {table.order}" if table.order else ""
        return [json.loads(row["row"]) for row in run(self.plpy, sql + order, ["int4"], [parent])]

    def calendars(self) -> dict[str, Row]:
        """Return the calendars with their days by name."""
        sql = """
            SELECT c.calname AS name, c.caldesc AS description,
                   (SELECT to_jsonb(array_agg(d.calday ORDER BY d.calday))::text FROM pgagent_py.calendar_day d
                     WHERE d.calname = c.calname) AS days
              FROM pgagent_py.calendar c ORDER BY c.calname"""
        return {
            row["name"]: {"description": row["description"], "days": json.loads(row["days"] or "[]")}
            for row in run(self.plpy, sql)
        }

    # Columns and fields

    def columns(self, table: Table) -> dict[str, Any]:
        """Return the carried columns of *table* with their defaults; None where that is NULL, or no constant."""
        if table.name not in self._columns:
            columns = {}
            for row in run(self.plpy, COLUMNS, ["text"], [table.name]):
                if row["name"] in table.skip | {table.key, table.parent}:
                    continue
                expression = row["expression"]
                constant = expression is not None and "(" not in expression and "CURRENT" not in expression
                columns[row["name"]] = self._constant(expression) if constant else None
            self._columns[table.name] = columns
        return self._columns[table.name]

    def _constant(self, expression: str) -> Any:
        return json.loads(self.plpy.execute(f"SELECT to_jsonb({expression})::text AS value")[0]["value"])

    def field_of(self, table: Table, column: str) -> str:
        """Return what *column* is called in JSON."""
        return table.names.get(column, column.removeprefix(table.prefix))

    def fields(self, table: Table) -> dict[str, str]:
        """Return the columns of *table* by field."""
        return {self.field_of(table, column): column for column in self.columns(table)}

    def _to_fields(self, table: Table, row: Row) -> Row:
        """Return a row without what is at its default."""
        value = {
            self.field_of(table, column): self._to_value(column, row[column])
            for column, default in self.columns(table).items()
            if row[column] is not None and row[column] != default
        }
        if table is STEP:
            value["sql" if value.pop("kind") == "s" else "batch"] = value.pop("code")
            if value.get("database") == self._database:
                del value["database"]
        return value

    def _to_value(self, column: str, value: Any) -> Any:
        if column in FIRST:
            return [number for number, flag in enumerate(value, FIRST[column]) if flag]
        if column == "jobjclid":
            return self._classes[value]
        return ON_ERROR[value] if column == "jstonerror" else value

    def to_row(self, table: Table, value: Row, path: str) -> Row:
        """Return the columns of *table* that the fields *value* stand for, with defaults for what is not given."""
        value = {name: given for name, given in value.items() if given is not None}
        if table is STEP:
            self._from_step(value, path)
        fields = self.fields(table)
        row = dict(self.columns(table))
        for name, given in value.items():
            column = fields[name]
            row[column] = self._from_value(column, given, f"{path}.{name}")
        if table is JOB and row["jobjclid"] is None:
            row["jobjclid"] = min(self._classes)
        return row

    def _from_step(self, value: Row, path: str) -> None:
        if ("sql" in value) == ("batch" in value):
            raise wrong(path, "a step has either sql or batch")
        value["kind"] = "s" if "sql" in value else "b"
        value["code"] = value.pop("sql") if "sql" in value else value.pop("batch")
        if value["kind"] == "s" and "connstr" not in value:
            value.setdefault("database", self._database)

    def _from_value(self, column: str, value: Any, path: str) -> Any:
        if column in FIRST:
            size = len(self.columns(SCHEDULE)[column])
            numbers = range(FIRST[column], FIRST[column] + size)
            if not isinstance(value, list) or not all(type(n) is int and n in numbers for n in value):
                raise wrong(path, f"must be a list of numbers from {numbers[0]} to {numbers[-1]}")
            return [number in value for number in numbers]
        if column == "jobjclid":
            return self._class_id(value, path)
        if column == "jstonerror":
            letters = {word: letter for letter, word in ON_ERROR.items()}
            if value not in letters:
                raise wrong(path, "must be fail, success or ignore")
            return letters[value]
        return value

    def _class_id(self, name: Any, path: str) -> int:
        for jclid, jclname in self._classes.items():
            if jclname == name:
                return int(jclid)
        raise wrong(path, f'class "{name}" does not exist')

    # Writing

    def write_job(self, jobid: int | None, job: Row, path: str) -> int:
        """Make the job *jobid*, a new one when it is None, what *job* says; return its id."""
        lists = ("steps", "schedules", "after")
        value = {name: given for name, given in job.items() if name not in lists}
        if not isinstance(value.get("name"), str) or not value["name"].strip():
            raise wrong(path, "name is missing")
        jobid = self._write(JOB, "job", None, jobid, value, path)
        old_steps = self._read(STEP, "step", jobid)
        old_schedules = self._read(SCHEDULE, "schedule", jobid)
        self._write_list(STEP, "step", jobid, old_steps, rows_of(job, "steps", path), f"{path}.steps")
        self._write_list(
            SCHEDULE, "schedule", jobid, old_schedules, rows_of(job, "schedules", path), f"{path}.schedules"
        )
        with self._at(path):
            check_code(self.plpy, jobid, "owner")
        return jobid

    def write_after(self, given: Mapping[str, Row]) -> None:
        """Make the jobs *given* by label wait for those that their "after" names; all of them exist by now."""
        labels = self.labels()
        wanted = {}
        for label, job in given.items():
            path = f'jobs."{label}".after'
            after = job.get("after", {})
            if not isinstance(after, dict):
                raise wrong(path, "must be an object with jobs as keys")
            if unknown := after.keys() - labels.keys():
                raise wrong(path, f'there is no job "{min(unknown)}"')
            wanted[labels[label]] = {labels[other]: when for other, when in after.items()}
        # What goes first: else a dependency that is turned round would be taken for a circle.
        old = {jobid: self._after(jobid) for jobid in wanted}
        for jobid, after in old.items():
            for other in after.keys() - wanted[jobid].keys():
                drop_dependency(self.plpy, self.caller, job=jobid, after=other)
        for jobid, after in wanted.items():
            for other, when in after.items():
                if old[jobid].get(other) != when:
                    with self._at(f'jobs."{self._labels[jobid]}".after."{self._labels[other]}"'):
                        add_dependency(self.plpy, self.caller, job=jobid, after=other, when=when)

    def _write_list(
        self, table: Table, kind: str, parent: int, old: list[Row], new: Sequence[Row], path: str
    ) -> None:
        """Make the rows of *parent* those in *new*: by name, so that a row that stays keeps its id and history."""
        left: dict[str, list[Row]] = {}
        for row in old:
            left.setdefault(row["name"], []).append(row)
        for number, value in enumerate(new):
            where = f"{path}[{number}]"
            if not isinstance(value.get("name"), str) or not value["name"].strip():
                raise wrong(where, "name is missing")
            same_name = left.get(value["name"])
            before = same_name.pop(0) if same_name else None
            if before is None:
                self._write(table, kind, parent, None, value, where)
            elif {k: v for k, v in before.items() if k != "id"} != value:
                self._write(table, kind, parent, before["id"], value, where)
        gone = [row["id"] for rows in left.values() for row in rows]
        if gone:
            run(self.plpy, f"DELETE FROM {table.name} t WHERE t.{table.key} = ANY ($1)", ["int4[]"], [gone])

    def _write(
        self, table: Table, kind: str, parent: int | None, id_: int | None, value: Row, path: str
    ) -> int:
        """Write one row with its options and lists; return its id."""
        option, lists = OPTIONS[kind], LISTS[kind]
        option_fields = self.fields(option)
        own = {"sql", "batch"} | self.fields(table).keys() - {"kind", "code"}
        for name in value:
            if name not in own and name not in option_fields and name not in lists:
                raise wrong(path, f'"{name}" is unknown')
        row = self.to_row(table, {k: v for k, v in value.items() if k in own}, path)
        id_ = self._write_row(table, parent, id_, row, path)
        options = {k: v for k, v in value.items() if k in option_fields}
        self._write_options(option, id_, options, path)
        for name, list_ in lists.items():
            self._replace_list(list_, id_, rows_of(value, name, path), f"{path}.{name}")
        return id_

    def _write_row(self, table: Table, parent: int | None, id_: int | None, row: Row, path: str) -> int:
        if parent is not None:
            row = row | {table.parent: parent}
        # A column without a value is left to the table: it has a default that is no constant, such as now().
        columns = [column for column in row if row[column] is not None or id_ is not None]
        if id_ is not None and table is SCHEDULE and row["jscstart"] is None:
            columns.remove("jscstart")
        names = ", ".join(columns)
        values = f"SELECT {', '.join('r.' + c for c in columns)} FROM jsonb_populate_record(NULL::{table.name}, $1) r"
        if id_ is None:
            sql = f"INSERT INTO {table.name} ({names}) {values} RETURNING {table.key} AS id"
            (done,) = self._try(path, sql, ["jsonb"], [json.dumps(row)])
        else:
            sql = f"UPDATE {table.name} SET ({names}) = ({values}) WHERE {table.key} = $2 RETURNING {table.key} AS id"
            (done,) = self._try(path, sql, ["jsonb", "int4"], [json.dumps(row), id_])
        new: int = done["id"]
        return new

    def _write_options(self, table: Table, id_: int, value: Row, path: str) -> None:
        """Set what is given and what has its default; no row is made where nothing is given."""
        if not value and not run(
            self.plpy, f"SELECT FROM {table.name} t WHERE t.{table.parent} = $1", ["int4"], [id_]
        ):
            return
        row = self.to_row(table, value, path)
        self._check(table, row, path)
        # Roles are set by who may: the caller may not give a job to any role.
        owner, run_as = row.pop("jobowner", None), row.pop("jobrunas", None)
        row[table.parent] = id_
        names = ", ".join(row)
        values = (
            f"SELECT {', '.join('r.' + c for c in row)} FROM jsonb_populate_record(NULL::{table.name}, $1) r"
        )
        updates = ", ".join(f"{c} = excluded.{c}" for c in row)
        sql = f"INSERT INTO {table.name} ({names}) {values} ON CONFLICT ({table.parent}) DO UPDATE SET {updates}"
        self._try(path, sql, ["jsonb"], [json.dumps(row)])
        if table is JOB_OPTION and "jobowner" in self.columns(table):
            with self._at(path):
                self._write_roles(id_, owner, run_as)

    def _write_roles(self, jobid: int, owner: str | None, run_as: str | None) -> None:
        sql = "SELECT o.jobowner, o.jobrunas FROM pgagent_py.job_option o WHERE o.jobid = $1"
        (now,) = run(self.plpy, sql, ["int4"], [jobid])
        if (now["jobowner"], now["jobrunas"]) != (owner, run_as):
            given = None if now["jobowner"] == owner else owner or ""
            set_roles(self.plpy, self.caller, jobid, given, run_as or "")

    def _check(self, table: Table, row: Row, path: str) -> None:
        """Refuse what the functions that set it one by one refuse, and the table would take."""
        with self._at(path):
            if table is MESSAGE:
                check_message(row["msgkind"], row["msgtarget"], row["msgwhen"], row["msgsubject"])
            if table is SCHEDULE_OPTION:
                check_zone(self.plpy, row["jsctimezone"])
                if row["jscevery"] is not None:
                    check_every(self.plpy, "every", row["jscevery"])
                    if not are_set(self.plpy, {"every": row["jscevery"]})["every"]:
                        raise invalid("every", "every can't be 0")
                if run(self.plpy, "SELECT WHERE NOT isfinite($1)", ["timestamptz"], [row["jscat"]]):
                    raise invalid("at", "at can't be infinity")

    def _replace_list(self, table: Table, id_: int, new: Sequence[Row], path: str) -> None:
        """Make the rows of *id_* in *table* those in *new*, unless they are already."""
        if [self._to_fields(table, row) for row in self._rows(table, id_)] == new:
            return
        fields = self.fields(table)
        run(self.plpy, f"DELETE FROM {table.name} t WHERE t.{table.parent} = $1", ["int4"], [id_])
        for number, value in enumerate(new):
            where = f"{path}[{number}]"
            if unknown := value.keys() - fields.keys():
                raise wrong(where, f'"{sorted(unknown)[0]}" is unknown')
            if table is SCHEDULE_CALENDAR:  # its rows refer to the options
                sql = "INSERT INTO pgagent_py.schedule_option (jscid) VALUES ($1) ON CONFLICT DO NOTHING"
                run(self.plpy, sql, ["int4"], [id_])
            row = self.to_row(table, value, where) | {table.parent: id_}
            self._check(table, row, where)
            names = [column for column in row if row[column] is not None]
            values = ", ".join("r." + column for column in names)
            sql = (
                f"INSERT INTO {table.name} ({', '.join(names)})"
                f" SELECT {values} FROM jsonb_populate_record(NULL::{table.name}, $1) r"
            )
            self._try(where, sql, ["jsonb"], [json.dumps(row)])

    def write_calendar(self, name: str, value: Any, path: str) -> None:
        """Make the calendar *name* what *value* says."""
        if not isinstance(value, dict) or value.keys() - {"description", "days"}:
            raise wrong(path, "a calendar has description and days")
        sql = """
            WITH c AS (INSERT INTO pgagent_py.calendar (calname, caldesc) VALUES ($1, $2)
                       ON CONFLICT (calname) DO UPDATE SET caldesc = excluded.caldesc)
            DELETE FROM pgagent_py.calendar_day d WHERE d.calname = $1 AND NOT d.calday = ANY ($3)"""
        days = value.get("days") or []
        values = [name, value.get("description") or "", days]
        self._try(path, sql, ["text", "text", "date[]"], values)
        sql = """
            INSERT INTO pgagent_py.calendar_day (calname, calday) SELECT $1, d.day FROM unnest($2) d (day)
            ON CONFLICT DO NOTHING"""
        self._try(path, sql, ["text", "date[]"], [name, days])

    def _try(self, path: str, sql: str, types: Sequence[str], values: Sequence[Any]) -> Any:
        """Execute; a value that the server refuses is named by where it stands."""
        with self._at(path):
            return run(self.plpy, sql, types, values)

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


def wrong(path: str, message: str) -> PgAgentError:
    """Return the error for what stands at *path* of the document."""
    return invalid(
        "jobs", f"jobs: {path}: {message}", "What export_jobs() returns is what import_jobs() reads."
    )


def rows_of(value: Row, name: str, path: str) -> list[Row]:
    """Return the list *name* of *value*, empty when there is none."""
    rows = value.get(name, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise wrong(f"{path}.{name}", "must be a list of objects")
    return rows


def export_jobs(plpy: Any, caller: str) -> Row:
    """Return the definitions of all jobs and calendars."""
    check_edit(plpy, caller)
    document = Document(plpy, caller)
    return {"jobs": document.jobs(), "calendars": document.calendars()}


def import_jobs(plpy: Any, caller: str, jobs: Any = None, dry_run: bool | None = None) -> list[Row]:
    """Make the jobs and calendars in the document what it says, leave all others; return a row for each.

    *dry_run*: only return what would change.
    """
    check_edit(plpy, caller)
    if not isinstance(jobs, dict) or jobs.keys() - {"jobs", "calendars"}:
        raise wrong("the document", 'must be {"jobs": {...}, "calendars": {...}}')
    changes: list[Row] = []
    try:
        with plpy.subtransaction():
            changes = _import(plpy, caller, jobs)
            if dry_run:
                raise UndoError
    except UndoError:
        pass
    return changes


def _import(plpy: Any, caller: str, given: Row) -> list[Row]:
    document = Document(plpy, caller)
    before = document.calendars()
    calendars = _objects(given, "calendars")
    for name, value in calendars.items():
        document.write_calendar(name, value, f'calendars."{name}"')
    after = document.calendars()
    changes = [change("calendar", name, before.get(name), after[name]) for name in calendars]
    return changes + _import_jobs(document, _objects(given, "jobs"))


def _import_jobs(document: Document, jobs: Row) -> list[Row]:
    labels = document.labels()
    before = {}
    for label, job in jobs.items():
        if not isinstance(job, dict):
            raise wrong(f'jobs."{label}"', "must be an object")
        before[label] = document.job(labels[label]) if label in labels else None
    ids = {}
    for label, job in jobs.items():
        same = before[label] == job
        ids[label] = labels[label] if same else document.write_job(labels.get(label), job, f'jobs."{label}"')
    labels = document.labels()
    for label, jobid in ids.items():
        if labels.get(label) != jobid:
            hint = "its key must be its name, with a number such as (2) for a second job of that name"
            raise wrong(f'jobs."{label}"', hint)
    document.write_after(jobs)
    return [change("job", label, before[label], document.job(jobid)) for label, jobid in ids.items()]


def _objects(given: Row, name: str) -> Row:
    value = given.get(name, {})
    if not isinstance(value, dict):
        raise wrong(name, "must be an object with names as keys")
    return value
