"""Adding and changing steps. Verbs of the SQL API, as in jobs.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..ground.checks import check_job, check_name
from ..ground.errors import invalid
from ..ground.plan import run
from ..ground.vocabulary import ON_ERROR
from .options import LONGEST, Columns, check_given, check_number, find, set_columns, set_options
from .owners import check_code

LETTERS = {word: letter for letter, word in ON_ERROR.items()}
MOST_RETRIES, LONGEST_DELAY, MOST_BACKOFF = 100, 86400.0, 100.0


def add_step(
    plpy: Any,
    caller: str,
    job: int | None = None,
    name: str | None = None,
    sql: str | None = None,
    batch: str | None = None,
    database: str | None = None,
    connstr: str | None = None,
    on_error: str | None = None,
    enabled: bool | None = None,
    description: str | None = None,
    atomic: bool | None = None,
) -> int:
    """Add a step to *job*, either sql or batch; return its id."""
    check_name(name)
    check_job(plpy, job)
    if (sql is None) == (batch is None):
        given = "neither sql nor batch is" if sql is None else "both sql and batch are"
        raise invalid("sql", f"{given} given", "A step is either sql => '...' or batch => '...'.")
    if not (sql or batch or "").strip():
        argument = "batch" if sql is None else "sql"
        raise invalid(argument, f"{argument} is empty", "Give the code that the step is to execute.")
    _check_target(sql, database, connstr, atomic)
    if on_error is not None and on_error not in LETTERS:
        raise invalid("on_error", f'on_error "{on_error}" is unknown', "Use fail, success or ignore.")
    local = None if sql is None or connstr else database
    insert = """
        INSERT INTO pgagent.pga_jobstep (jstjobid, jstname, jstdesc, jstenabled, jstkind, jstcode, jstconnstr, jstdbname,
                                         jstonerror)
        VALUES ($1, $2, coalesce($3, ''), coalesce($4, true), $5, $6, coalesce($7, ''),
                CASE WHEN $5 = 's' AND $7 IS NULL THEN coalesce($8, current_database()) ELSE '' END, $9)
        RETURNING jstid"""
    types = ["int4", "text", "text", "bool", "text", "text", "text", "name", "text"]
    kind, code, on_failure = (
        ("b", batch, LETTERS[on_error or "fail"]) if sql is None else ("s", sql, LETTERS[on_error or "fail"])
    )
    (row,) = run(
        plpy, insert, types, [job, name, description, enabled, kind, code, connstr, local, on_failure]
    )
    if atomic:
        run(
            plpy,
            "INSERT INTO pgagent_py.step_option (jstid, jstatomic) VALUES ($1, true)",
            ["int4"],
            [row["jstid"]],
        )
    check_code(plpy, job, "sql" if batch is None else "batch")
    jstid: int = row["jstid"]
    return jstid


def _check_target(sql: str | None, database: str | None, connstr: str | None, atomic: bool | None) -> None:
    if sql is None:
        for argument, value in (("database", database), ("connstr", connstr), ("atomic", atomic)):
            if value:
                raise invalid(
                    argument, f"{argument} is given for a batch step", f"{argument} is for sql steps."
                )
        return
    for argument, place in (("database", database), ("connstr", connstr)):
        if place is not None and not place.strip():
            raise invalid(argument, f"{argument} is empty", "Leave it out for a step in this database.")
    if database is not None and connstr is not None:
        raise invalid("connstr", "both database and connstr are given", "Give the one or the other.")
    if atomic and connstr is not None:
        raise invalid(
            "atomic",
            "atomic is given for a remote step",
            "An atomic step needs this database, where its log is.",
        )


def alter_step(
    plpy: Any,
    caller: str,
    step: int | None = None,
    name: str | None = None,
    sql: str | None = None,
    batch: str | None = None,
    database: str | None = None,
    connstr: str | None = None,
    on_error: str | None = None,
    enabled: bool | None = None,
    description: str | None = None,
    atomic: bool | None = None,
    timeout: float | None = None,
    retries: int | None = None,
    retry_delay: float | None = None,
    retry_backoff: float | str | None = None,
) -> None:
    """Change what is given of *step*; connstr '' leads back to the local database, timeout 0 takes the option back."""
    found = find(plpy, "step", step)
    for argument, value in (("name", name), ("sql", sql), ("batch", batch), ("database", database)):
        check_given(argument, value)
    if sql is not None and batch is not None:
        raise invalid(
            "sql", "both sql and batch are given", "A step is either sql => '...' or batch => '...'."
        )
    if on_error is not None and on_error not in LETTERS:
        raise invalid("on_error", f'on_error "{on_error}" is unknown', "Use fail, success or ignore.")
    columns: Columns = {
        "jstname": ("text", name),
        "jstdesc": ("text", description),
        "jstenabled": ("bool", enabled),
        "jstonerror": ("text", None if on_error is None else LETTERS[on_error]),
    }
    places = {"batch": batch, "sql": sql, "connstr": connstr, "database": database}
    code = [argument for argument, value in places.items() if value is not None]
    if code or atomic:
        columns |= _code(found, sql, batch, database, connstr, atomic)
    options: Columns = {
        "jstatomic": ("bool", False if batch is not None else atomic),
        "jsttimeout": ("float8", check_number("timeout", timeout, 0, LONGEST)),
        "jstretries": ("int4", check_number("retries", retries, 0, MOST_RETRIES)),
        "jstretrydelay": ("float8", check_number("retry_delay", retry_delay, 0, LONGEST_DELAY)),
        "jstretrybackoff": (
            "float8",
            check_number("retry_backoff", retry_backoff, 1, MOST_BACKOFF),
        ),
    }
    set_columns(plpy, "pgagent.pga_jobstep", "jstid", step, columns)
    set_options(plpy, "pgagent_py.step_option", "jstid", step, options)
    if code or atomic:
        check_code(plpy, found["jstjobid"], code[0] if code else "atomic")


def _code(
    found: Mapping[str, Any],
    sql: str | None,
    batch: str | None,
    database: str | None,
    connstr: str | None,
    atomic: bool | None,
) -> Columns:
    """Return the columns that say what is executed where; error where they would not fit together."""
    is_sql = sql is not None or (batch is None and found["jstkind"] == "s")
    if not is_sql:
        for argument, value in (("database", database), ("connstr", connstr), ("atomic", atomic)):
            if value:
                raise invalid(
                    argument, f"{argument} is given for a batch step", f"{argument} is for sql steps."
                )
    if database is not None and connstr:
        raise invalid("connstr", "both database and connstr are given", "Give the one or the other.")
    columns: Columns = {}
    if batch is not None:
        columns = {name: ("text", value) for name, value in (("jstkind", "b"), ("jstcode", batch))}
    elif sql is not None:
        columns = {name: ("text", value) for name, value in (("jstkind", "s"), ("jstcode", sql))}
    remote = connstr if connstr is not None else "" if database is not None else found["jstconnstr"]
    if not is_sql:
        place = ("", "")
    elif remote:
        place = (remote, "")
    else:
        place = ("", database or found["jstdbname"] or found["here"])
    if (atomic or (atomic is None and found["jstatomic"])) and is_sql and place != ("", found["here"]):
        raise invalid(
            "atomic", "atomic: the step is remote", "An atomic step needs this database, where its log is."
        )
    columns["jstconnstr"], columns["jstdbname"] = ("text", place[0]), ("name", place[1])
    return columns
