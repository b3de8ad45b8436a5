"""Adding and changing steps. Verbs of the SQL API, as in jobs.py."""

from __future__ import annotations

from typing import Any, TypedDict

from ..ground.bounds import check_count
from ..ground.checks import check_job, check_name, not_blank
from ..ground.errors import invalid
from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.roles import missing, note_code
from ..ground.vocabulary import ON_ERROR
from .engines import check_engine, check_engine_options, engine_columns
from .options import (
    BOOLEAN,
    INTEGER,
    JSON,
    NAME,
    NUMBER,
    SECONDS,
    TEXT,
    Column,
    Columns,
    New,
    Options,
    Values,
    checked,
    insert,
    number,
    seconds,
)
from .owners import check_code

LETTERS = {word: letter for letter, word in ON_ERROR.items()}


def letter(plpy: Plpy, argument: str, word: str) -> str:
    """Return pgAgent's letter for what a step's failure means."""
    if word not in LETTERS:
        raise invalid("on_error", f'on_error "{word}" is unknown', "Use fail, success or ignore.")
    return LETTERS[word]


DAY, CENTURY = 86400.0, 100 * 366 * 86400.0  # seconds

STEP = Columns(
    "pgagent.pga_jobstep",
    "jstid",
    Column("jstjobid", INTEGER),
    Column("jstname", TEXT, "name", not_blank),
    Column("jstdesc", TEXT, "description"),
    Column("jstenabled", BOOLEAN, "enabled"),
    Column("jstkind", TEXT),
    Column("jstcode", TEXT),
    Column("jstconnstr", TEXT),
    Column("jstdbname", NAME),
    Column("jstonerror", TEXT, "on_error", letter),
)
OPTIONS = Options(
    "pgagent_py.step_option",
    "jstid",
    Column("jstatomic", BOOLEAN, "atomic"),
    Column("jsttimeout", SECONDS, "timeout", seconds(0, CENTURY), optional=True),
    Column("jstretries", INTEGER, "retries", number(0, 100)),
    Column("jstretrydelay", SECONDS, "retry_delay", seconds(0, DAY)),
    Column("jstretrybackoff", NUMBER, "retry_backoff", number(1, 100)),
    Column("jstengine", TEXT, "engine", check_engine, optional=True),
    Column("jstengineoptions", JSON, "engine_options", check_engine_options, optional=True),
    Column("jstseparately", BOOLEAN, "separately"),
    Column("jstkeeprows", INTEGER, "keep_rows", number(0, 10_000), optional=True),
)


class Present(TypedDict):
    """What a step executes where, before it is changed; *here* is this database."""

    jstjobid: int
    jstkind: str
    jstconnstr: str
    jstdbname: str
    jstatomic: bool
    jstseparately: bool
    jstengine: str | None
    here: str


NEW_STEP = Statement(
    """
    SELECT 0 AS jstjobid, 's' AS jstkind, '' AS jstconnstr, '' AS jstdbname, false AS jstatomic,
           false AS jstseparately, NULL AS jstengine, current_database()::text AS here""",
    row=Present,
)


def add_step(
    plpy: Plpy,
    caller: str,
    job: int | None = None,
    name: str | None = None,
    sql: str | None = None,
    batch: str | None = None,
    database: str | None = None,
    connstr: str | None = None,
    atomic: bool | None = None,
    separately: bool | None = None,
    engine: str | None = None,
    engine_options: str | None = None,
    **given: Any,
) -> int:
    """Add a step to *job*, either sql or batch; return its id."""
    check_name(name)
    check_job(plpy, job)
    ways = {"jstatomic": atomic, "jstseparately": separately}
    new = new_step(plpy, {"jstname": name}, sql, batch, database, connstr, ways, given)
    (options,) = checked(plpy, {"engine": engine, "engine_options": engine_options}, OPTIONS)
    options = engine_columns(plpy, None, batch is not None, options)
    if atomic or separately or options:
        new = new._replace(parts=(New(OPTIONS, ways | options, "jstid"),))
    new.values["jstjobid"] = job
    step = insert(plpy, new)
    check_code(plpy, job, "sql" if batch is None else "batch")
    note_code(plpy, job)
    check_count(plpy, job, steps=1)
    return step


def new_step(
    plpy: Plpy,
    values: Values,
    sql: str | None,
    batch: str | None,
    database: str | None,
    connstr: str | None,
    ways: Values,
    given: Values,
) -> New:
    """Return the row of a new step, without its options."""
    if sql is None and batch is None:
        raise invalid("sql", "neither sql nor batch is given", EITHER)
    _check_not_blank(plpy, "Give the code that the step is to execute.", sql=sql, batch=batch)
    if batch is None:
        hint = "Leave it out for a step in this database."
        _check_not_blank(plpy, hint, database=database, connstr=connstr)
    (more,) = checked(plpy, given, STEP)
    return New(STEP, values | more | _code(_nothing_yet(plpy), sql, batch, database, connstr, ways))


_nothing: list[Present] = []


def _nothing_yet(plpy: Plpy) -> Present:
    """Return a step before it is added. The database keeps its name while a session is in it."""
    if not _nothing:
        _nothing.extend(NEW_STEP(plpy))
    return _nothing[0]


FIND_STEP = Statement(
    """
    SELECT s.jstjobid, s.jstkind::text AS jstkind, s.jstconnstr, s.jstdbname::text AS jstdbname,
           coalesce(o.jstatomic, false) AS jstatomic, coalesce(o.jstseparately, false) AS jstseparately,
           o.jstengine, current_database()::text AS here
      FROM pgagent.pga_jobstep s LEFT JOIN pgagent_py.step_option o ON o.jstid = s.jstid WHERE s.jstid = $1""",
    "int4",
    row=Present,
)


def alter_step(
    plpy: Plpy,
    caller: str,
    step: int | None = None,
    sql: str | None = None,
    batch: str | None = None,
    database: str | None = None,
    connstr: str | None = None,
    **given: Any,
) -> None:
    """Change what is given of *step*; connstr '' leads back to the local database, timeout 0 takes the option back."""
    if step is None:
        raise invalid("step", "step is missing", "Give a jstid of the view pgagent_py.visible_step.")
    found = FIND_STEP(plpy, step)
    if not found:
        raise missing("step", step)
    _check_not_blank(plpy, "NULL leaves it as it is.", sql=sql, batch=batch, database=database)
    values, options = checked(plpy, given, STEP, OPTIONS)
    code = {
        "batch": batch,
        "sql": sql,
        "connstr": connstr,
        "database": database,
        **{argument: options.get(name) or None for argument, name in WAYS.items()},
    }
    changed = [argument for argument, value in code.items() if value is not None]
    if changed:
        values |= _code(found[0], sql, batch, database, connstr, options)
    is_batch = batch is not None or (sql is None and found[0]["jstkind"] == "b")
    engine: Values = {name: options.pop(name) for name in ENGINE if name in options}
    options |= engine_columns(plpy, found[0]["jstengine"], is_batch, engine)
    changed += ["engine"] if options.get("jstengine") else []
    if batch is not None:
        options["jstatomic"] = options["jstseparately"] = False
    STEP.write(plpy, step, values)
    OPTIONS.write(plpy, step, options)
    if changed:
        check_code(plpy, found[0]["jstjobid"], changed[0])
    note_code(plpy, found[0]["jstjobid"])


ENGINE = "jstengine", "jstengineoptions"
WAYS = {"atomic": "jstatomic", "separately": "jstseparately"}  # in which SQL is executed
EITHER = "A step is either sql => '...' or batch => '...'."


def _check_not_blank(plpy: Plpy, hint: str, **given: str | None) -> None:
    for argument, text in given.items():
        if text is not None:
            not_blank(plpy, argument, text, hint)


def _code(
    present: Present,
    sql: str | None,
    batch: str | None,
    database: str | None,
    connstr: str | None,
    ways: Values,
) -> Values:
    """Return the columns that say what a step executes where; error where they would not fit together."""
    if sql is not None and batch is not None:
        raise invalid("sql", "both sql and batch are given", EITHER)
    is_sql = batch is None and (sql is not None or present["jstkind"] == "s")
    if not is_sql:
        of_sql = {argument: ways.get(name) for argument, name in WAYS.items()}
        for argument, value in {"database": database, "connstr": connstr, **of_sql}.items():
            if value:
                hint = f"{argument} is for sql steps."
                raise invalid(argument, f"{argument} is given for a batch step", hint)
    if database is not None and connstr:
        raise invalid("connstr", "both database and connstr are given", "Give the one or the other.")
    values: Values = {} if sql is None else {"jstkind": "s", "jstcode": sql}
    if batch is not None:
        values = {"jstkind": "b", "jstcode": batch}
    place = _place(present, database, connstr) if is_sql else ("", "")
    if is_sql:
        _check_ways(present, ways, place != ("", present["here"]))
    values["jstconnstr"], values["jstdbname"] = place
    return values


def _check_ways(present: Present, ways: Values, remote: bool) -> None:
    """Refuse an atomic step that is remote, or whose statements are executed separately."""
    atomic = present["jstatomic"] if ways.get("jstatomic") is None else ways["jstatomic"]
    separately = present["jstseparately"] if ways.get("jstseparately") is None else ways["jstseparately"]
    if atomic and separately:
        hint = "An atomic step is one transaction. Give the one or the other."
        raise invalid("separately", "separately: the step is atomic", hint)
    if atomic and remote:
        hint = "An atomic step needs this database, where its log is."
        raise invalid("atomic", "atomic: the step is remote", hint)


def _place(present: Present, database: str | None, connstr: str | None) -> tuple[str, str]:
    """Return connection string and database, one of which is '', of an SQL step."""
    if connstr is None:
        connstr = present["jstconnstr"] if database is None else ""
    return (connstr, "") if connstr else ("", database or present["jstdbname"] or present["here"])
