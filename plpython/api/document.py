"""The form in which export_jobs writes jobs, and import_jobs reads them.

A document is {"jobs": {label: job}, "calendars": {name: calendar}}. A label is the job's name, with a number where several jobs
have it; the "after" of other jobs names it. A field stands for a column, by the column's name without its table's prefix. What
has its default is left out. A new column of a table of options is a field without a change here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..ground.checks import read_classes
from ..ground.errors import PgAgentError, invalid
from ..ground.exact_json import read_json
from ..ground.plan import Statement
from ..ground.plpy import Plpy, Row
from ..ground.vocabulary import ON_ERROR, SETS
from . import jobs, schedules, steps


@dataclass(frozen=True, eq=False)
class Table:
    """A table whose rows are part of a job: *parent* is the column of what they belong to, *columns* has the field of each."""

    name: str
    parent: str
    columns: Mapping[str, str]
    order: str = ""

    @property
    def fields(self) -> dict[str, str]:
        """The columns by field."""
        return {field: column for column, field in self.columns.items()}


@dataclass(frozen=True, eq=False)
class Entity:
    """Jobs, steps or schedules: their table, with its key, and the tables of their options and lists."""

    table: Table
    key: str
    options: Table
    lists: Mapping[str, Table]


def _columns(prefix: str, names: Iterable[str], **fields: str) -> dict[str, str]:
    """Return the field of each column: that in *fields*, else the column's name without *prefix*."""
    return {name: fields.get(name, name.removeprefix(prefix)) for name in names}


# Columns that the database finds out by itself, and those that are a state and no definition, are left out.
JOB_OPTION = Table(
    "pgagent_py.job_option",
    "jobid",
    _columns(
        "job", ["jobowner", "jobrunas", *(jobs.OPTIONS.columns.keys() - {"jobfailures"})], jobrunas="run_as"
    ),
)
STEP_OPTION = Table(
    "pgagent_py.step_option",
    "jstid",
    _columns("jst", steps.OPTIONS.columns, jstengineoptions="engine_options"),
)
SCHEDULE_OPTION = Table("pgagent_py.schedule_option", "jscid", _columns("jsc", schedules.OPTIONS.columns))
MORE_OF_MESSAGE = ["msghtml", "msgattach", "msgcc", "msgbcc"]
MESSAGE = Table(
    "pgagent_py.message",
    "msgjobid",
    _columns("msg", ["msgkind", "msgtarget", "msgwhen", "msgsubject", "msgtext", *MORE_OF_MESSAGE]),
    order="t.msgid",
)
EXCEPTION = Table(
    "pgagent_py.every_exception",
    "jexscid",
    _columns("jex", ["jexdate", "jextime"]),
    order="t.jexdate, t.jextime",
)
SCHEDULE_CALENDAR = Table(
    "pgagent_py.schedule_calendar", "jscid", _columns("cal", ["calname", "calonly"]), order="t.calname"
)
JOB = Entity(
    Table(
        "pgagent.pga_job",
        "jobid",
        _columns("job", jobs.JOB.columns, jobdesc="description", jobjclid="class", jobhostagent="host"),
    ),
    "jobid",
    JOB_OPTION,
    {"messages": MESSAGE},
)
STEP = Entity(
    Table(
        "pgagent.pga_jobstep",
        "jstjobid",
        _columns(
            "jst",
            steps.STEP.columns.keys() - {"jstjobid"},
            jstdesc="description",
            jstdbname="database",
            jstonerror="on_error",
        ),
        order="t.jstname, t.jstid",
    ),
    "jstid",
    STEP_OPTION,
    {},
)
SCHEDULE = Entity(
    Table(
        "pgagent.pga_schedule",
        "jscjobid",
        _columns("jsc", schedules.SCHEDULE.columns.keys() - {"jscjobid"}, jscdesc="description"),
        order="t.jscname, t.jscid",
    ),
    "jscid",
    SCHEDULE_OPTION,
    {"exceptions": EXCEPTION, "calendars": SCHEDULE_CALENDAR},
)
ENTITIES = (JOB, STEP, SCHEDULE)
OPTION_TABLES = tuple(entity.options for entity in ENTITIES)
LIST_TABLES = tuple(table for entity in ENTITIES for table in entity.lists.values())

SET_COLUMNS = {f"jsc{name}": limits for name, limits in SETS.items()}


def wrong(path: str, message: str) -> PgAgentError:
    """Return the error for what stands at *path* of a document."""
    hint = "What export_jobs() returns is what import_jobs() reads."
    return invalid("jobs", f"jobs: {path}: {message}", hint)


HERE = Statement("SELECT current_database()::text AS name")
READ_DEFAULTS = Statement(
    """
    SELECT a.attname::text AS name, pg_get_expr(d.adbin, d.adrelid) AS expression
      FROM pg_attribute a JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE a.attrelid = $1::regclass AND NOT a.attisdropped""",
    "text",
)


class Fields:
    """What rows are as fields, and fields as rows, in this database."""

    def __init__(self, plpy: Plpy) -> None:
        self.plpy = plpy
        self.database: str = HERE(plpy)[0]["name"]
        self.classes = read_classes(plpy)
        self._defaults: dict[str, Row] = {}

    def defaults(self, table: Table) -> Row:
        """Return the default of each column; None where that is NULL, or no constant."""
        if table.name not in self._defaults:
            constants = {
                row["name"]: row["expression"]
                for row in READ_DEFAULTS(self.plpy, table.name)
                if row["name"] in table.columns
                and "(" not in row["expression"]
                and "CURRENT" not in row["expression"]
            }
            values = ", ".join(f"'{name}', {expression}" for name, expression in constants.items())
            (row,) = self.plpy.execute(f"SELECT jsonb_build_object({values})::text AS defaults")
            self._defaults[table.name] = dict.fromkeys(table.columns) | read_json(row["defaults"])
        return self._defaults[table.name]

    def to_fields(self, table: Table, row: Row) -> Row:
        """Return a row without what is at its default."""
        value = {
            table.columns[column]: self._to_value(column, row[column])
            for column, default in self.defaults(table).items()
            if row[column] is not None and row[column] != default
        }
        if table is STEP.table:
            value["sql" if value.pop("kind") == "s" else "batch"] = value.pop("code")
            if value.get("database") == self.database:
                del value["database"]
        return value

    def _to_value(self, column: str, value: Any) -> Any:
        if column in SET_COLUMNS:
            first, _ = SET_COLUMNS[column]
            return [number for number, flag in enumerate(value, first) if flag]
        if column == "jobjclid":
            return next(name for name, jclid in self.classes.items() if jclid == value)
        return ON_ERROR[value] if column == "jstonerror" else value

    def to_row(self, table: Table, value: Row, path: str) -> Row:
        """Return the columns that the fields *value* stand for, with defaults for what is not given."""
        value = {name: given for name, given in value.items() if given is not None}
        if table is STEP.table:
            self._from_step(value, path)
        row = dict(self.defaults(table))
        for name, given in value.items():
            column = table.fields[name]
            row[column] = self._from_value(column, given, f"{path}.{name}")
        if table is JOB.table and row["jobjclid"] is None:
            row["jobjclid"] = min(self.classes.values())
        return row

    def _from_step(self, value: Row, path: str) -> None:
        """Replace sql or batch by kind and code."""
        if ("sql" in value) == ("batch" in value):
            raise wrong(path, "a step has either sql or batch")
        value["kind"] = "s" if "sql" in value else "b"
        value["code"] = value.pop("sql") if "sql" in value else value.pop("batch")
        if value["kind"] == "s" and "connstr" not in value:
            value.setdefault("database", self.database)

    def _from_value(self, column: str, value: Any, path: str) -> Any:
        if column in SET_COLUMNS:
            first, last = SET_COLUMNS[column]
            numbers = range(first, last + 1)
            if not isinstance(value, list) or not all(type(n) is int and n in numbers for n in value):
                raise wrong(path, f"must be a list of numbers from {first} to {last}")
            return [number in value for number in numbers]
        if column == "jobjclid":
            if not isinstance(value, str) or value not in self.classes:
                raise wrong(path, f'class "{value}" does not exist')
            return self.classes[value]
        if column == "jstonerror":
            if not isinstance(value, str) or value not in steps.LETTERS:
                raise wrong(path, "must be fail, success or ignore")
            return steps.LETTERS[value]
        return value
