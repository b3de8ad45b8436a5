"""Jobs of pg_timetable and pg_dbms_job, read from their tables."""

from __future__ import annotations

import re
from typing import Any

from .commands.run import call
from .errors import CommandError
from .importing import Entry, Importer, NotCarriedError
from .session import Row, Session

TABLE = "SELECT to_regclass(%s) IS NOT NULL AS found"

CHAINS = "SELECT to_jsonb(c) AS chain FROM timetable.chain c ORDER BY c.chain_id"
TASKS = """
SELECT to_jsonb(t) AS task,
       (SELECT jsonb_agg(p.value ORDER BY p.order_id) FROM timetable.parameter p WHERE p.task_id = t.task_id) AS parameters
  FROM timetable.task t WHERE t.chain_id = %s ORDER BY t.task_order"""


def import_pg_timetable(session: Session, importer: Importer) -> None:
    """Add a job for each chain, with a step for each of its tasks."""
    _check_there(session, "timetable.chain", "pg_timetable")
    for row in session.rows(CHAINS):
        chain = row["chain"]
        with importer.entry(
            f"chain {chain['chain_id']} {chain['chain_name']}: {chain.get('run_at') or '* * * * *'}"
        ) as entry:
            _add_chain(session, entry, chain)


def _add_chain(session: Session, entry: Entry, chain: dict[str, Any]) -> None:
    name, run_at = chain["chain_name"], (chain.get("run_at") or "* * * * *").strip()
    if run_at.lower().startswith("@after"):
        raise NotCarriedError("@after counts from the end of a run: use a dependency, or every")
    job = call(
        session,
        "add_job",
        name=name,
        enabled=bool(chain.get("live")),
        description=f"pg_timetable chain {chain['chain_id']}",
    )
    if run_at.lower().startswith("@every"):
        call(session, "add_schedule", job=job, name=name, every=run_at[6:].strip())
    else:
        call(session, "alter_job", job=job, cron=run_at)
    for number, row in enumerate(session.rows(TASKS, chain["chain_id"]), 1):
        _add_task(session, job, number, row)
    if chain.get("self_destruct"):
        call(session, "alter_job", job=job, delete_on_success=True)
    if chain.get("timeout"):
        call(session, "alter_job", job=job, timeout=f"{chain['timeout']} milliseconds")
    if chain.get("exclusive_execution"):
        entry.notes.append(
            "exclusive_execution is not carried over: give the class a limit of one running job"
        )
    if (chain.get("max_instances") or 1) > 1:
        entry.notes.append("max_instances is not carried over: a job has one run at a time")
    if chain.get("client_name"):
        entry.notes.append(f"client_name {chain['client_name']} is not carried over: set the host of the job")
    entry.jobs.append(job)


def _add_task(session: Session, job: int, number: int, row: Row) -> None:
    task, parameters = row["task"], row["parameters"]
    kind, command = task["kind"], task["command"] or ""
    if task.get("database_connection"):
        raise NotCarriedError("a task has a connection string of its own: add that step by hand")
    if task.get("run_as"):
        raise NotCarriedError("a task has run_as: give the job an owner and run_as by hand")
    if kind == "BUILTIN" or (parameters and kind == "SQL"):
        what = f"the built-in task {command}" if kind == "BUILTIN" else "parameters of an SQL task"
        raise NotCarriedError(f"{what} has no counterpart")
    name = f"{number:03} {task.get('task_name') or command[:60]}"
    code = {"sql": command} if kind == "SQL" else {"batch": _program(command, parameters)}
    step = call(
        session,
        "add_step",
        job=job,
        name=name,
        on_error="ignore" if task.get("ignore_error") else "fail",
        **code,
    )
    if task.get("timeout"):
        call(session, "alter_step", step=step, timeout=f"{task['timeout']} milliseconds")


def _program(command: str, parameters: Any) -> str:
    """Return a script that runs a program once for each list of arguments."""
    import shlex

    lists = [value if isinstance(value, list) else [value] for value in parameters or [[]]]
    lines = [" ".join([shlex.quote(command), *(shlex.quote(str(word)) for word in words)]) for words in lists]
    return "\n".join(["#!/bin/sh", "set -e", *lines, ""])


JOBS = "SELECT to_jsonb(j) AS job FROM dbms_job.all_scheduled_jobs j ORDER BY 1"
EVERY = re.compile(
    r"(?is)\s*(?:current_timestamp|now\(\)|sysdate|localtimestamp|clock_timestamp\(\))\s*\+\s*"
    r"(?:interval\s*'([^']+)'|'([^']+)'\s*::\s*interval)\s*"
)
MIDNIGHT = re.compile(
    r"(?is)\s*date_trunc\(\s*'day'\s*,\s*(?:current_timestamp|now\(\))(?:\s*\+\s*(?:interval\s*)?'1 day'(?:::interval)?)?\s*\)"
    r"(?:\s*\+\s*(?:interval\s*)?'1 day'(?:::interval)?)?(?:\s*\+\s*(?:interval\s*)?'(\d+) hours?'(?:::interval)?)?\s*"
)


def import_pg_dbms_job(session: Session, importer: Importer) -> None:
    """Add a job for each scheduled job."""
    _check_there(session, "dbms_job.all_scheduled_jobs", "pg_dbms_job")
    for row in session.rows(JOBS):
        job = row["job"]
        interval = job.get("interval")
        with importer.entry(f"job {job['job']}: {interval or job.get('next_date')}") as entry:
            _add_dbms_job(session, entry, job, interval)


def _add_dbms_job(session: Session, entry: Entry, job: dict[str, Any], interval: str | None) -> None:
    name = f"pg_dbms_job {job['job']}"
    what = job["what"] or ""
    sql = (
        what
        if re.match(r"(?i)\s*(begin|declare)\b", what) is None
        else f"DO $pg_dbms_job$ {what} $pg_dbms_job$"
    )
    id_ = call(
        session,
        "add_job",
        name=name,
        sql=sql,
        enabled=not job.get("broken"),
        description=f"pg_dbms_job {job['job']}",
    )
    if not interval:
        call(session, "add_schedule", job=id_, name=name, at=job["next_date"])
    elif every := EVERY.fullmatch(interval):
        call(session, "add_schedule", job=id_, name=name, every=every[1] or every[2], start=job["next_date"])
    elif midnight := MIDNIGHT.fullmatch(interval):
        call(session, "alter_job", job=id_, cron=f"0 {midnight[1] or 0} * * *")
    else:
        raise NotCarriedError(f"interval is an expression that is no schedule: {interval}")
    if job.get("log_user"):
        call(session, "alter_job", job=id_, owner=job["log_user"])
    entry.jobs.append(id_)


def _check_there(session: Session, table: str, what: str) -> None:
    if not session.value(TABLE, table):
        raise CommandError(
            f"there is no table {table} of {what}'s in this database", "Connect to the database that it uses."
        )
