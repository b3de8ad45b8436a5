"""Adding, changing and dropping jobs, steps, schedules and exceptions.

Each function is a verb of the SQL API. It gets the calling role, then the SQL function's arguments by name, as JSON values
(timestamps in ISO 8601); None stands for the default. A refused call leaves nothing behind: request.py undoes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .cron import parse_cron
from .errors import PgAgentError, invalid
from .plan import run
from .roles import check_edit
from .zones import check_zone

ON_ERROR = {"fail": "f", "success": "s", "ignore": "i"}
# What each of the five sets may hold: first and last number, which is how pgAgent's arrays are laid out.
SETS = {"minutes": (0, 59), "hours": (0, 23), "weekdays": (0, 6), "monthdays": (1, 32), "months": (1, 12)}


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
    check_edit(plpy, caller)
    _check_name(name)
    insert = """
        INSERT INTO pgagent.pga_job (jobjclid, jobname, jobdesc, jobhostagent, jobenabled)
        VALUES ($1, $2, coalesce($3, ''), coalesce($4, ''), coalesce($5, true)) RETURNING jobid"""
    values = [_class_id(plpy, class_), name, description, host, enabled]
    (row,) = run(plpy, insert, ["int4", "text", "text", "text", "bool"], values)
    job: int = row["jobid"]
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
    check_edit(plpy, caller)
    _check_name(name)
    _check_job(plpy, job)
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
    jstid: int = row["jstid"]
    return jstid


def _check_target(sql: str | None, database: str | None, connstr: str | None, atomic: bool | None) -> None:
    if sql is None:
        for argument, value in (("database", database), ("connstr", connstr), ("atomic", atomic)):
            if value:
                raise invalid(
                    argument, f"{argument} is given for a batch step", f"{argument} is for sql steps."
                )
    if database is not None and connstr is not None:
        raise invalid("connstr", "both database and connstr are given", "Give the one or the other.")
    if atomic and connstr is not None:
        raise invalid(
            "atomic",
            "atomic is given for a remote step",
            "An atomic step needs this database, where its log is.",
        )


def add_schedule(
    plpy: Any,
    caller: str,
    job: int | None = None,
    name: str | None = None,
    cron: str | None = None,
    start: str | None = None,
    end: str | None = None,
    timezone: str | None = None,
    enabled: bool | None = None,
    description: str | None = None,
    **sets: Sequence[int] | None,
) -> list[int]:
    """Add a schedule to *job*, by cron or by the five sets; return its id, or two where cron's days mean either-or."""
    check_edit(plpy, caller)
    _check_name(name)
    _check_job(plpy, job)
    check_zone(plpy, timezone)
    if cron is None:
        given = [{argument: _check_set(argument, sets.get(argument)) for argument in SETS}]
    else:
        for argument, value in sets.items():
            if value is not None:
                raise invalid(argument, f"both cron and {argument} are given", "Give cron, or the five sets.")
        given = [{argument: getattr(parsed, argument) for argument in SETS} for parsed in parse_cron(cron)]
    _check_range(plpy, start, end)
    return [_insert_schedule(plpy, job, name, s, [start, end, enabled, description], timezone) for s in given]


def _insert_schedule(
    plpy: Any,
    job: int | None,
    name: str | None,
    sets: dict[str, Sequence[int]],
    rest: list[Any],
    timezone: str | None,
) -> int:
    insert = """
        INSERT INTO pgagent.pga_schedule (jscjobid, jscname, jscminutes, jschours, jscweekdays, jscmonthdays, jscmonths,
                                          jscstart, jscend, jscenabled, jscdesc)
        VALUES ($1, $2, $3, $4, $5, $6, $7, coalesce($8, now()), $9, coalesce($10, true), coalesce($11, ''))
        RETURNING jscid"""
    types = ["int4", "text", *["bool[]"] * 5, "timestamptz", "timestamptz", "bool", "text"]
    flags = [
        [n in sets[argument] for n in range(first, last + 1)] for argument, (first, last) in SETS.items()
    ]
    (row,) = run(plpy, insert, types, [job, name, *flags, *rest])
    jscid: int = row["jscid"]
    if timezone is not None:
        insert = "INSERT INTO pgagent_py.schedule_option (jscid, jsctimezone) VALUES ($1, $2)"
        run(plpy, insert, ["int4", "text"], [jscid, timezone])
    return jscid


def alter_schedule(plpy: Any, caller: str, schedule: int | None = None, timezone: str | None = None) -> None:
    """Change what is given of a schedule's options; timezone '' goes back to the database's default."""
    check_edit(plpy, caller)
    _check_schedule(plpy, schedule)
    if timezone is not None:
        check_zone(plpy, timezone or None)
        upsert = """
            INSERT INTO pgagent_py.schedule_option (jscid, jsctimezone) VALUES ($1, nullif($2, ''))
            ON CONFLICT (jscid) DO UPDATE SET jsctimezone = excluded.jsctimezone"""
        run(plpy, upsert, ["int4", "text"], [schedule, timezone])


def set_default_timezone(plpy: Any, caller: str, timezone: str | None = None) -> None:
    """Change the time zone of the schedules that have none of their own; their jobs' next runs follow."""
    check_edit(plpy, caller)
    if timezone is None:
        raise invalid("timezone", "timezone is missing", "Give a name, such as 'Europe/Paris'.")
    check_zone(plpy, timezone)
    run(plpy, "UPDATE pgagent_py.setting SET value = $1 WHERE name = 'timezone'", ["text"], [timezone])


def add_exception(
    plpy: Any,
    caller: str,
    schedule: int | None = None,
    on_date: str | None = None,
    at_time: str | None = None,
) -> int:
    """Keep *schedule* from firing on a date, at a time of every day, or at that time of that date; return the id."""
    check_edit(plpy, caller)
    _check_schedule(plpy, schedule)
    if on_date is None and at_time is None:
        raise invalid("on_date", "neither on_date nor at_time is given", "Give one of them or both.")
    values = [schedule, on_date, at_time]
    insert = (
        "INSERT INTO pgagent.pga_exception (jexscid, jexdate, jextime) VALUES ($1, $2, $3) RETURNING jexid"
    )
    try:
        (row,) = run(plpy, insert, ["int4", "date", "time"], values)
    except plpy.spiexceptions.UniqueViolation:
        raise PgAgentError(
            f"there is an exception on_date {on_date} at_time {at_time} already",
            hint="pgAgent's tables hold a date with a time once for all schedules: block the whole date, or another minute.",
            sqlstate="23505",
        ) from None
    jexid: int = row["jexid"]
    return jexid


def drop_job(plpy: Any, caller: str, job: int | None = None) -> None:
    """Delete *job* with its steps, schedules and history."""
    check_edit(plpy, caller)
    _check_job(plpy, job)
    run(plpy, "DELETE FROM pgagent.pga_job WHERE jobid = $1", ["int4"], [job])


def run_now(plpy: Any, caller: str, job: int | None = None) -> None:
    """Make *job* due now, as pgAdmin does; its schedule goes on afterwards."""
    check_edit(plpy, caller)
    if not _check_job(plpy, job)["jobenabled"]:
        raise PgAgentError(f"job {job} is disabled", hint="Enable it first.", sqlstate="55000")
    run(plpy, "UPDATE pgagent.pga_job SET jobnextrun = now() WHERE jobid = $1", ["int4"], [job])


def _check_name(name: str | None) -> None:
    if name is None or not name.strip():
        raise invalid("name", "name is missing", "Give name => '...'.")


def _check_job(plpy: Any, job: int | None) -> Any:
    if job is None:
        raise invalid("job", "job is missing", "Give a jobid of pgagent.pga_job.")
    rows = run(plpy, "SELECT j.jobenabled FROM pgagent.pga_job j WHERE j.jobid = $1", ["int4"], [job])
    if not rows:
        raise invalid("job", f"job {job} does not exist", "Look at jobid in pgagent.pga_job.")
    return rows[0]


def _check_schedule(plpy: Any, schedule: int | None) -> None:
    if schedule is None:
        raise invalid("schedule", "schedule is missing", "Give a jscid of pgagent.pga_schedule.")
    if not run(plpy, "SELECT FROM pgagent.pga_schedule s WHERE s.jscid = $1", ["int4"], [schedule]):
        raise invalid(
            "schedule", f"schedule {schedule} does not exist", "Look at jscid in pgagent.pga_schedule."
        )


def _class_id(plpy: Any, name: str | None) -> int:
    """Return the id of a job class, of pgAgent's first one when none is named."""
    find = "SELECT c.jclid, c.jclname FROM pgagent.pga_jobclass c ORDER BY c.jclid"
    classes = {row["jclname"]: row["jclid"] for row in run(plpy, find)}
    if name is None and classes:
        name = next(iter(classes))
    if name not in classes:
        raise invalid("class", f'class "{name}" does not exist', f"The classes are: {', '.join(classes)}.")
    jclid: int = classes[name]
    return jclid


def _check_set(argument: str, numbers: Sequence[int] | None) -> Sequence[int]:
    first, last = SETS[argument]
    for number in numbers or ():
        if not isinstance(number, int) or not first <= number <= last:
            shown = "NULL" if number is None else number
            raise invalid(argument, f"{argument} can't be {shown}", f"Give numbers from {first} to {last}.")
    return numbers or ()


def _check_range(plpy: Any, start: str | None, end: str | None) -> None:
    check = "SELECT $2 < coalesce($1, now()) AS reversed"
    if run(plpy, check, ["timestamptz", "timestamptz"], [start, end])[0]["reversed"]:
        raise invalid(
            "end", f"end {end} is before start {start or 'now'}", "Give an end that is later than start."
        )
