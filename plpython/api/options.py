"""Changing jobs and steps: pgAgent's own columns and the options beside them.

Each function is a verb of the SQL API, see define.py. None leaves as it is; what '' or 0 means is said where it can be given.
Intervals come as seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..ground.checks import check_parameters, class_id
from ..ground.errors import invalid
from ..ground.plan import run
from ..ground.roles import check_code, missing, set_roles
from .define import ON_ERROR
from .history import check_retention

LONGEST = 100 * 366 * 86400.0  # seconds: no timeout is meant to be longer
MOST_RETRIES, LONGEST_DELAY, MOST_BACKOFF = 100, 86400.0, 100.0
MOST_INTEGER = 2**31 - 1

Columns = dict[str, tuple[str, Any]]  # column: type and value; None leaves it as it is

# Where what is stored is not the value as it comes.
STORED = {
    "jobtimeout": "nullif(make_interval(secs => {}), '0')",
    "jobmaxlateness": "nullif(make_interval(secs => {}), '0')",
    "jobgroup": "nullif({}, '')",
    "jobmaxfailures": "nullif({}, 0)",
    "jobkeepruns": "nullif({}, 0)",
    "jobkeepfor": "nullif({}, '0')",
    "jobparameters": "nullif({}, '{{}}')",
    "jsttimeout": "nullif(make_interval(secs => {}), '0')",
    "jstretrydelay": "make_interval(secs => {})",
}


def alter_job(
    plpy: Any,
    caller: str,
    job: int | None = None,
    name: str | None = None,
    description: str | None = None,
    class_: str | None = None,
    host: str | None = None,
    enabled: bool | None = None,
    timeout: float | None = None,
    max_lateness: float | None = None,
    priority: int | None = None,
    group: str | None = None,
    max_failures: int | None = None,
    delete_on_success: bool | None = None,
    owner: str | None = None,
    run_as: str | None = None,
    keep_runs: int | None = None,
    keep_for: str | None = None,
    parameters: str | None = None,
) -> None:
    """Change what is given of *job*; 0, group '' and parameters {} take the option back."""
    _find(plpy, "job", job)
    assert job is not None
    _check_given("name", name)
    check_retention(plpy, keep_runs, keep_for)
    columns: Columns = {
        "jobname": ("text", name),
        "jobdesc": ("text", description),
        "jobjclid": ("int4", None if class_ is None else class_id(plpy, class_)),
        "jobhostagent": ("text", host),
        "jobenabled": ("bool", enabled),
    }
    _set(plpy, "pgagent.pga_job", "jobid", job, columns)
    options: Columns = {
        "jobtimeout": ("float8", _check_number("timeout", timeout, 0, LONGEST)),
        "jobmaxlateness": ("float8", _check_number("max_lateness", max_lateness, 0, LONGEST)),
        "jobpriority": ("int4", priority),
        "jobgroup": ("text", group),
        "jobmaxfailures": (
            "int4",
            _check_number("max_failures", max_failures, 0, MOST_INTEGER),
        ),
        "jobdeleteonsuccess": ("bool", delete_on_success),
        "jobkeepruns": ("int4", keep_runs),
        "jobkeepfor": ("interval", keep_for),
        "jobparameters": ("jsonb", check_parameters(plpy, parameters)),
    }
    if max_failures is not None:
        options["jobfailures"] = ("int4", 0)
    _set_options(plpy, "pgagent_py.job_option", "jobid", job, options)
    if owner is not None or run_as is not None:
        set_roles(plpy, caller, job, owner, run_as)
    if group is not None or class_ is not None:  # there may be a place for it now
        run(plpy, "SELECT pg_notify('pgagent_py', '')")


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
    found = _find(plpy, "step", step)
    for argument, value in (("name", name), ("sql", sql), ("batch", batch), ("database", database)):
        _check_given(argument, value)
    if sql is not None and batch is not None:
        raise invalid(
            "sql", "both sql and batch are given", "A step is either sql => '...' or batch => '...'."
        )
    if on_error is not None and on_error not in ON_ERROR:
        raise invalid("on_error", f'on_error "{on_error}" is unknown', "Use fail, success or ignore.")
    columns: Columns = {
        "jstname": ("text", name),
        "jstdesc": ("text", description),
        "jstenabled": ("bool", enabled),
        "jstonerror": ("text", None if on_error is None else ON_ERROR[on_error]),
    }
    places = {"batch": batch, "sql": sql, "connstr": connstr, "database": database}
    code = [argument for argument, value in places.items() if value is not None]
    if code or atomic:
        columns |= _code(found, sql, batch, database, connstr, atomic)
    options: Columns = {
        "jstatomic": ("bool", False if batch is not None else atomic),
        "jsttimeout": ("float8", _check_number("timeout", timeout, 0, LONGEST)),
        "jstretries": ("int4", _check_number("retries", retries, 0, MOST_RETRIES)),
        "jstretrydelay": ("float8", _check_number("retry_delay", retry_delay, 0, LONGEST_DELAY)),
        "jstretrybackoff": (
            "float8",
            _check_number("retry_backoff", retry_backoff, 1, MOST_BACKOFF),
        ),
    }
    _set(plpy, "pgagent.pga_jobstep", "jstid", step, columns)
    _set_options(plpy, "pgagent_py.step_option", "jstid", step, options)
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


FIND = {
    "job": "SELECT j.jobid FROM pgagent.pga_job j WHERE j.jobid = $1",
    "step": """
        SELECT s.jstjobid, s.jstkind::text AS jstkind, s.jstconnstr, s.jstdbname::text AS jstdbname,
               coalesce(o.jstatomic, false) AS jstatomic, current_database()::text AS here
          FROM pgagent.pga_jobstep s LEFT JOIN pgagent_py.step_option o ON o.jstid = s.jstid WHERE s.jstid = $1""",
}


def _find(plpy: Any, argument: str, id_: int | None) -> Any:
    if id_ is None:
        raise invalid(argument, f"{argument} is missing", f"Give the id of a {argument}.")
    rows = run(plpy, FIND[argument], ["int4"], [id_])
    if not rows:
        raise missing(argument, id_)
    return rows[0]


def _set(plpy: Any, table: str, key: str, id_: int | None, columns: Columns) -> None:
    """Update what is given in one statement."""
    given = {column: new for column, new in columns.items() if new[1] is not None}
    if not given:
        return
    assignments = [
        f"{column} = {STORED.get(column, '{}').format(f'${number}')}"
        for number, column in enumerate(given, 2)
    ]
    sql = f"UPDATE {table} SET {', '.join(assignments)} WHERE {key} = $1"
    types, values = zip(*given.values(), strict=True)
    run(plpy, sql, ["int4", *types], [id_, *values])


def _set_options(plpy: Any, table: str, key: str, id_: int | None, columns: Columns) -> None:
    if any(value is not None for _, value in columns.values()):
        run(plpy, f"INSERT INTO {table} ({key}) VALUES ($1) ON CONFLICT DO NOTHING", ["int4"], [id_])
        _set(plpy, table, key, id_, columns)


def _check_given(argument: str, text: str | None) -> None:
    if text is not None and not text.strip():
        raise invalid(argument, f"{argument} is empty", "NULL leaves it as it is.")


def _check_number(argument: str, given: float | str | None, least: float, most: float) -> float | None:
    """Return the number if it is in the range; NaN and infinity, which JSON does not know, come as text."""
    if given is None:
        return None
    number = float(given) if isinstance(given, str) else given
    if not least <= number <= most:  # not a number is not in it either
        unit = " seconds" if argument in ("timeout", "max_lateness", "retry_delay") else ""
        raise invalid(argument, f"{argument} can't be {given}{unit}", f"Give {least:g} to {most:.15g}{unit}.")
    return number
