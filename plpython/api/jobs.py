"""Adding, changing and dropping jobs.

Each function is a verb of the SQL API. It gets the calling role, then the SQL function's arguments by name, as JSON values
(timestamps in ISO 8601); None stands for the default. A refused call leaves nothing behind: request.py undoes it.
"""

from __future__ import annotations

from typing import Any

from ..ground.checks import check_job, check_name, check_parameters, class_id
from ..ground.errors import invalid
from ..ground.plan import run
from .options import LONGEST, MOST_INTEGER, Columns, check_given, check_number, find, set_columns, set_options
from .owners import own_new_job, set_roles
from .schedules import add_schedule
from .settings import check_retention
from .steps import add_step


def add_job(
    plpy: Any,
    caller: str,
    name: str | None = None,
    cron: str | None = None,
    sql: str | None = None,
    batch: str | None = None,
    database: str | None = None,
    timezone: str | None = None,
    description: str | None = None,
    class_: str | None = None,
    host: str | None = None,
    enabled: bool | None = None,
) -> int:
    """Add a job, with one step when sql or batch is given and a schedule when cron is given; return its id."""
    check_name(name)
    insert = """
        INSERT INTO pgagent.pga_job (jobjclid, jobname, jobdesc, jobhostagent, jobenabled)
        VALUES ($1, $2, coalesce($3, ''), coalesce($4, ''), coalesce($5, true)) RETURNING jobid"""
    values = [class_id(plpy, class_), name, description, host, enabled]
    (row,) = run(plpy, insert, ["int4", "text", "text", "text", "bool"], values)
    job: int = row["jobid"]
    own_new_job(plpy, caller, job)
    if sql is not None or batch is not None:
        add_step(plpy, caller, job=job, name=name, sql=sql, batch=batch, database=database)
    elif database is not None:
        raise invalid("database", "database is given, but no sql", "Give sql => '...' too.")
    if cron is not None:
        add_schedule(plpy, caller, job=job, name=name, cron=cron, timezone=timezone)
    elif timezone is not None:
        raise invalid(
            "timezone", "timezone is given, but no cron", "Give cron too, or timezone to add_schedule."
        )
    return job


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
    find(plpy, "job", job)
    assert job is not None
    check_given("name", name)
    check_retention(plpy, keep_runs, keep_for)
    columns: Columns = {
        "jobname": ("text", name),
        "jobdesc": ("text", description),
        "jobjclid": ("int4", None if class_ is None else class_id(plpy, class_)),
        "jobhostagent": ("text", host),
        "jobenabled": ("bool", enabled),
    }
    set_columns(plpy, "pgagent.pga_job", "jobid", job, columns)
    options: Columns = {
        "jobtimeout": ("float8", check_number("timeout", timeout, 0, LONGEST)),
        "jobmaxlateness": ("float8", check_number("max_lateness", max_lateness, 0, LONGEST)),
        "jobpriority": ("int4", priority),
        "jobgroup": ("text", group),
        "jobmaxfailures": (
            "int4",
            check_number("max_failures", max_failures, 0, MOST_INTEGER),
        ),
        "jobdeleteonsuccess": ("bool", delete_on_success),
        "jobkeepruns": ("int4", keep_runs),
        "jobkeepfor": ("interval", keep_for),
        "jobparameters": ("jsonb", check_parameters(plpy, parameters)),
    }
    if max_failures is not None:
        options["jobfailures"] = ("int4", 0)
    set_options(plpy, "pgagent_py.job_option", "jobid", job, options)
    if owner is not None or run_as is not None:
        set_roles(plpy, caller, job, owner, run_as)
    if group is not None or class_ is not None:  # there may be a place for it now
        run(plpy, "SELECT pg_notify('pgagent_py', '')")


def drop_job(plpy: Any, caller: str, job: int | None = None) -> None:
    """Delete *job* with its steps, schedules and history."""
    check_job(plpy, job)
    run(plpy, "DELETE FROM pgagent.pga_job WHERE jobid = $1", ["int4"], [job])
