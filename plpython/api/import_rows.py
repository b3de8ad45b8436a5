"""One job of a document is written: its rows in pgAgent's tables and in ours. The whole document: import_jobs.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..ground.checks import check_parameters
from ..ground.errors import PgAgentError, invalid
from ..ground.exact_json import write_json
from ..ground.plan import Statement
from ..ground.plpy import Plpy, Row
from ..ground.roles import lock_jobs, note_code
from ..rules.zones import check_zone
from .calendars import MAKE_OPTIONS
from .document import (
    ENTITIES,
    JOB,
    JOB_OPTION,
    LIST_TABLES,
    MESSAGE,
    MORE_OF_MESSAGE,
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
from .export_jobs import Reader
from .launchers import check_labels
from .messages import check_email, check_message
from .owners import check_code, set_roles
from .schedule_days import check_document, check_row, spell_out
from .schedules import are_set, check_every, check_spread
from .settings import not_too_long
from .windows import check_windows

# Set by set_roles alone: the caller may not give a job to any role.
ROLES = ("jobowner", "jobrunas")
CENTURIES = {
    "jobtimeout": "timeout",
    "jobmaxlateness": "maxlateness",
    "jobkeepfor": "keepfor",
    "joblateafter": "late_after",
    "joboverrunafter": "overrun_after",
}


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


@contextmanager
def at(plpy: Plpy, path: str) -> Iterator[None]:
    """Have an error about a value say where in the document the value stands."""
    try:
        yield
    except PgAgentError as error:
        raise PgAgentError(f"jobs: {path}: {error.message}", error.hint, error.sqlstate) from None
    except plpy.SPIError as error:
        if error.sqlstate[:2] in ("22", "23"):
            raise wrong(path, str(error)) from None
        raise


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
VOUCH = Statement("UPDATE pgagent_py.message m SET msgeditor = true WHERE m.msgjobid = $1", "int4")
IS_INFINITE = Statement("SELECT NOT isfinite($1) AS infinite", "timestamptz")


class Writer:
    """Writes jobs."""

    def __init__(self, plpy: Plpy, caller: str) -> None:
        self.plpy = plpy
        self.caller = caller
        self.fields = Fields(plpy)
        self.reader = Reader(self.fields)

    def job(self, jobid: int | None, job: Row, path: str) -> int:
        """Make the job *jobid*, a new one when it is None, what *job* says; return its id."""
        _check_name(job, path)
        lists = ("steps", "schedules", "after")
        value = {name: given for name, given in job.items() if name not in lists}
        if jobid is not None:
            lock_jobs(self.plpy, [jobid])
        jobid = self._entity(JOB, None, jobid, value, path)
        for name, entity in (("steps", STEP), ("schedules", SCHEDULE)):
            self._entities(entity, jobid, _rows(job, name, path), f"{path}.{name}")
        with at(self.plpy, path):
            # Last: the steps that it has now decide what its owner and run_as may be, not those that it had.
            self._roles(jobid, job.get("owner"), job.get("run_as"))
            check_code(self.plpy, jobid, "owner")
        note_code(self.plpy, jobid)
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
        if entity is SCHEDULE:
            with at(self.plpy, path):
                check_document(value)
            value = spell_out(value)
        row = self.fields.to_row(entity.table, {k: v for k, v in value.items() if k in own}, path)
        with at(self.plpy, path):
            if id_ is None:
                new = write_json(row | {entity.table.parent: parent})
                id_ = int(INSERT[entity](self.plpy, new)[0]["id"])
            else:
                UPDATE[entity](self.plpy, write_json(row), id_)
        self._options(entity.options, id_, {k: v for k, v in value.items() if k in options}, path)
        for name, table in entity.lists.items():
            self._list(table, id_, _rows(value, name, path), f"{path}.{name}")
        return id_

    def _options(self, table: Table, id_: int, value: Row, path: str) -> None:
        """Set what is given and what has its default; no row is made where nothing is given."""
        if not value and not self.reader.rows(table, id_):
            return
        row = self.fields.to_row(table, value, path)
        with at(self.plpy, path):
            self._check(table, row)
            PUT[table](self.plpy, write_json(row | {table.parent: id_}))

    def _roles(self, jobid: int, owner: str | None, run_as: str | None) -> None:
        for now in self.reader.rows(JOB_OPTION, jobid):
            if (now["jobowner"], now["jobrunas"]) == (owner, run_as):
                continue
            given = None if now["jobowner"] == owner else owner or ""
            set_roles(self.plpy, self.caller, jobid, given, run_as or "")

    def _list(self, table: Table, id_: int, new: Sequence[Row], path: str) -> None:
        """Make the rows of *id_* in *table* those in *new*, unless they are already."""
        if table is MESSAGE:
            new = [{"when": "failure"} | value for value in new]  # the default of add_message()
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
            with at(self.plpy, where):
                self._check(table, row)
                ADD[table](self.plpy, write_json(row | {table.parent: id_}))

        if table is MESSAGE:
            VOUCH(self.plpy, id_)

    def _check(self, table: Table, row: Row) -> None:
        """Refuse what the functions that set it one by one refuse, and the table would take."""
        if table is MESSAGE:
            check_message(row["msgkind"], row["msgtarget"], row["msgwhen"], row["msgsubject"])
            more = {name.removeprefix("msg"): row[name] for name in MORE_OF_MESSAGE}
            check_email(row["msgkind"], row["msgtarget"], more)
        if table is JOB_OPTION:
            self._check_job_option(row)
        if table is SCHEDULE_OPTION:
            check_zone(self.plpy, row["jsctimezone"])
            if row["jscevery"] is not None:
                check_every(self.plpy, "every", row["jscevery"])
                if not are_set(self.plpy, {"every": row["jscevery"]})["every"]:
                    raise invalid("every", "every can't be 0")
            if row["jscat"] is not None and IS_INFINITE(self.plpy, row["jscat"])[0]["infinite"]:
                raise invalid("at", "at can't be infinity")
            if row["jscspread"] is not None:
                check_spread(self.plpy, "spread", row["jscspread"])
            check_row(self.plpy, row)

    def _check_job_option(self, row: Row) -> None:
        if row["jobcatchup"] == "once":  # the default
            row["jobcatchup"] = None
        if row["jobatwindowend"] == "finish":  # the default
            row["jobatwindowend"] = None
        if isinstance(row["jobwindow"], str):
            row["jobwindow"] = check_windows(self.plpy, "window", row["jobwindow"]) or None
        if isinstance(row["joblabels"], list):
            row["joblabels"] = check_labels(self.plpy, "labels", row["joblabels"]) or None
        for column, argument in CENTURIES.items():
            if row[column] is not None:
                not_too_long(self.plpy, argument, row[column])
        if row["jobparameters"] is not None:
            check_parameters(self.plpy, "parameters", write_json(row["jobparameters"]))
