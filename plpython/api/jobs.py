"""Adding, changing and dropping jobs.

Each function is a verb of the SQL API: see verbs.py. A refused call leaves nothing behind: request.py undoes it.
"""

from __future__ import annotations

from typing import Any

from ..ground.bounds import THINGS, check_count
from ..ground.checks import check_job, check_name, check_parameters, class_id, not_blank
from ..ground.errors import invalid
from ..ground.plan import Statement
from ..ground.plpy import Plpy, Row
from ..ground.roles import may_edit
from ..runs.wake import wake
from .if_exists import find_present, replace_job
from .job_cron import new_cron, set_cron
from .launchers import check_labels
from .options import (
    BOOLEAN,
    INTEGER,
    INTERVAL,
    JSON,
    SECONDS,
    TEXT,
    TEXTS,
    Column,
    Columns,
    Kind,
    New,
    Options,
    checked,
    insert,
    number,
    seconds,
)
from .owners import OWNED, check_new_job, set_roles
from .settings import check_keep_for, check_keep_runs
from .sharing import check_sharing
from .steps import new_step
from .windows import check_window_end, check_windows

CENTURY = 100 * 366 * 86400.0  # seconds: no timeout is meant to be longer
MOST_INTEGER = 2**31 - 1

# The defaults
WORD, END = Kind("text", nothing="'once'"), Kind("text", nothing="'finish'")
MOST_CAUGHT_UP = 10_000


def check_catch_up(plpy: Plpy, argument: str, word: str) -> str:
    """Refuse what is no way to catch up; '' is the default."""
    if word not in ("", "once", "skip", "all"):
        raise invalid(argument, f"{argument} can't be {word}", "Give once, skip or all.")
    return word or "once"


JOB = Columns(
    "pgagent.pga_job",
    "jobid",
    Column("jobname", TEXT, "name", not_blank),
    Column("jobdesc", TEXT, "description"),
    Column("jobjclid", INTEGER, "class", class_id),
    Column("jobhostagent", TEXT, "host"),
    Column("jobenabled", BOOLEAN, "enabled"),
)
OPTIONS = Options(
    "pgagent_py.job_option",
    "jobid",
    Column("jobtimeout", SECONDS, "timeout", seconds(0, CENTURY), optional=True),
    Column("jobmaxlateness", SECONDS, "max_lateness", seconds(0, CENTURY), optional=True),
    Column("jobpriority", INTEGER, "priority"),
    Column("jobgroup", TEXT, "group", optional=True),
    Column("jobmaxfailures", INTEGER, "max_failures", number(0, MOST_INTEGER), optional=True),
    Column("jobfailures", INTEGER),
    Column("jobdeleteonsuccess", BOOLEAN, "delete_on_success"),
    Column("jobkeepruns", INTEGER, "keep_runs", check_keep_runs, optional=True),
    Column("jobkeepfor", INTERVAL, "keep_for", check_keep_for, optional=True),
    Column("jobparameters", JSON, "parameters", check_parameters, optional=True),
    Column("joblabels", TEXTS, "labels", check_labels, optional=True),
    Column("joblateafter", SECONDS, "late_after", seconds(0, CENTURY), optional=True),
    Column("joboverrunafter", SECONDS, "overrun_after", seconds(0, CENTURY), optional=True),
    Column("jobcatchup", WORD, "catch_up", check_catch_up, optional=True),
    Column("jobcatchuplimit", INTEGER, "catch_up_limit", number(0, MOST_CAUGHT_UP), optional=True),
    Column("jobwindow", TEXT, "window", check_windows, optional=True),
    Column("jobatwindowend", END, "at_window_end", check_window_end, optional=True),
)


def add_job(
    plpy: Plpy,
    caller: str,
    name: str | None = None,
    cron: str | None = None,
    sql: str | None = None,
    batch: str | None = None,
    database: str | None = None,
    timezone: str | None = None,
    if_exists: str | None = None,
    **given: Any,
) -> int:
    """Add a job, with one step when sql or batch is given and a schedule when cron is given; return its id."""
    check_name(name)
    (values,) = checked(plpy, given, JOB)
    _check_belong(sql, batch, database, cron, timezone)
    present = find_present(plpy, caller, name, if_exists)
    if present.job is not None:
        if if_exists == "replace":
            step: Row = {"name": name, "sql": sql, "batch": batch, "database": database}
            replace_job(plpy, caller, present.job, JOB, values, step, cron, timezone)
        return present.job
    values["jobname"] = name
    if "jobjclid" not in values:
        values["jobjclid"] = class_id(plpy, "class", None) if present.class_ is None else present.class_
    owner = [] if present.edits else [New(OWNED, {"jobowner": caller}, "jobid")]
    steps = _new_step(plpy, name, sql, batch, database)
    schedules = [] if cron is None else new_cron(plpy, str(name), cron, timezone)
    job = insert(plpy, New(JOB, values, parts=(*owner, *steps, *schedules[:1])))
    # One statement for two would give them their ids in any order.
    for schedule in schedules[1:]:
        insert(plpy, schedule.under(job))
    check_new_job(plpy, caller, job, bool(owner), batch is not None, len(steps), len(schedules))
    return job


def _new_step(
    plpy: Plpy, name: str | None, sql: str | None, batch: str | None, database: str | None
) -> list[New]:
    """Return the step of a new job, if it gets one."""
    if sql is None and batch is None:
        return []
    return [new_step(plpy, {"jstname": name}, sql, batch, database, None, {}, {})._replace(of="jstjobid")]


def _check_belong(
    sql: str | None, batch: str | None, database: str | None, cron: str | None, timezone: str | None
) -> None:
    """Refuse what says something of a step or a schedule that is not given."""
    if database is not None and sql is None and batch is None:
        raise invalid("database", "database is given, but no sql", "Give sql => '...' too.")
    if timezone is not None and cron is None:
        hint = "Give cron too, or timezone to add_schedule."
        raise invalid("timezone", "timezone is given, but no cron", hint)


def alter_job(
    plpy: Plpy,
    caller: str,
    job: int | None = None,
    owner: str | None = None,
    run_as: str | None = None,
    cron: str | None = None,
    **given: Any,
) -> None:
    """Change what is given of *job*; 0, group '', cron '', parameters {} and labels {} take the option back."""
    check_job(plpy, job)
    values, options = checked(plpy, given, JOB, OPTIONS)
    if not may_edit(plpy, caller):
        check_sharing(plpy, job, values.get("jobjclid"), options.get("jobgroup"))
    if "jobmaxfailures" in options:
        options["jobfailures"] = 0
    JOB.write(plpy, job, values)
    OPTIONS.write(plpy, job, options)
    if cron is not None:
        set_cron(plpy, caller, job, cron)
    if owner is not None or run_as is not None:
        set_roles(plpy, caller, job, owner, run_as)
        check_count(plpy, job, **dict.fromkeys(THINGS))
    waiting = {"jobgroup", "jobwindow", "joblabels", "joblateafter", "joboverrunafter"}
    if options.keys() & waiting or values.keys() & {"jobjclid", "jobhostagent"}:
        wake(plpy)  # there may be a place for it now, or something to tell


DELETE_JOB = Statement("DELETE FROM pgagent.pga_job j WHERE j.jobid = $1", "int4")


def drop_job(plpy: Plpy, caller: str, job: int | None = None) -> None:
    """Delete *job* with its steps, schedules and history."""
    check_job(plpy, job)
    DELETE_JOB(plpy, job)
