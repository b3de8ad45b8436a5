"""Adding and dropping jobs and steps.

Each function is a verb of the SQL API. It gets the calling role, then the SQL function's arguments by name, as JSON values
(timestamps in ISO 8601); None stands for the default. A refused call leaves nothing behind: request.py undoes it.
"""

from __future__ import annotations

from typing import Any

from ..ground.checks import check_job, check_name, check_parameters, class_id
from ..ground.errors import PgAgentError, invalid
from ..ground.plan import run
from ..ground.roles import check_code, own_new_job
from ..runs.orders import order_run
from .define_schedule import add_schedule

ON_ERROR = {"fail": "f", "success": "s", "ignore": "i"}


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
    if on_error is not None and on_error not in ON_ERROR:
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
        ("b", batch, ON_ERROR[on_error or "fail"])
        if sql is None
        else ("s", sql, ON_ERROR[on_error or "fail"])
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


def drop_job(plpy: Any, caller: str, job: int | None = None) -> None:
    """Delete *job* with its steps, schedules and history."""
    check_job(plpy, job)
    run(plpy, "DELETE FROM pgagent.pga_job WHERE jobid = $1", ["int4"], [job])


def run_now(
    plpy: Any,
    caller: str,
    job: int | None = None,
    from_step: int | None = None,
    parameters: str | None = None,
) -> None:
    """Make *job* due now, as pgAdmin does; its schedule goes on afterwards.

    *from_step*: the step to begin with. *parameters*: what this run has instead of the job's, key by key.
    """
    if not check_job(plpy, job)["jobenabled"]:
        raise PgAgentError(f"job {job} is disabled", hint="Enable it first.", sqlstate="55000")
    if from_step is not None:
        find = "SELECT FROM pgagent.pga_jobstep s WHERE s.jstid = $1 AND s.jstjobid = $2 AND s.jstenabled"
        if not run(plpy, find, ["int4", "int4"], [from_step, job]):
            hint = "Look at jstid in pgagent.pga_jobstep."
            raise invalid("from_step", f"from_step {from_step} is no enabled step of job {job}", hint)
    order_run(plpy, job, from_step, check_parameters(plpy, parameters))
