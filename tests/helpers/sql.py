"""Short words for what tests do in SQL."""

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg import sql

Db = psycopg.Connection[Any]
Step = str | Mapping[str, object]
"""The code of an SQL step, or arguments of add_step."""


# The backends of steps that do nothing but sleep so long, in this database
SLEEPING = """
    SELECT pid FROM pg_stat_activity
     WHERE datname = current_database() AND state = 'active' AND query = 'SELECT pg_sleep(600)'"""


def rows(db: Db, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Return what a query gives."""
    # The tests' own text, not a user's: psycopg would have it a literal
    return db.execute(query.encode(), parameters or None).fetchall()


def value(db: Db, query: str, *parameters: Any) -> Any:
    """Return the first value of the first row that a query gives."""
    row = db.execute(query.encode(), parameters or None).fetchone()
    assert row, f"no row of: {query}"
    return row[0]


def call(db: Db, function: str, *arguments: Any, **named: Any) -> Any:
    """Call a function of the extension; return its value, the first of several."""
    given: list[sql.Composable] = [sql.Placeholder()] * len(arguments)
    given += [sql.SQL("{} => %s").format(sql.Identifier(name)) for name in named]
    query = sql.SQL("SELECT pgagent_py.{}({})").format(sql.Identifier(function), sql.SQL(", ").join(given))
    row = db.execute(query, [*arguments, *named.values()]).fetchone()
    return row[0] if row else None


def add_job(db: Db, name: str, *steps: Step, **options: Any) -> int:
    """Add a job with these options, arguments of add_job, and with steps that are called "1", "2", ..."""
    job = int(call(db, "add_job", name, **options))
    for number, step in enumerate(steps, 1):
        call(db, "add_step", job, str(number), **({"sql": step} if isinstance(step, str) else step))
    return job


def add_yearly_job(db: Db, name: str, *steps: Step, **options: Any) -> int:
    """Add a job that sleeps until New Year."""
    return add_job(db, name, *steps, **{"cron": "0 0 1 1 *"} | options)


def add_due_job(db: Db, name: str, *steps: Step, **options: Any) -> int:
    """Add a job that is told to run now."""
    job = add_job(db, name, *steps, **options)
    run_now(db, job)
    return job


def run_now(db: Db, *jobs: int) -> None:
    """Tell jobs to run now."""
    for job in jobs:
        call(db, "run_now", job)


def make_due(db: Db, *jobs: int) -> None:
    """Make jobs due now, as pgAdmin does it."""
    db.execute("UPDATE pgagent.pga_job SET jobnextrun = now() WHERE jobid = ANY (%s)", [list(jobs)])


def alter_job(db: Db, job: int, **options: Any) -> None:
    """Change a job."""
    call(db, "alter_job", job, **options)


def alter_step(db: Db, step: int, **options: Any) -> None:
    """Change a step."""
    call(db, "alter_step", step, **options)


def alter_steps(db: Db, **options: Any) -> None:
    """Change all steps that there are."""
    for (step,) in rows(db, "SELECT jstid FROM pgagent.pga_jobstep ORDER BY 1"):
        alter_step(db, step, **options)


def add_dependency(db: Db, job: int, after: int, when: str = "success") -> None:
    """Let a job start when another one has ended so."""
    call(db, "add_dependency", job, after, when)


def first_step(db: Db, job: int) -> int:
    """Return the id of a job's first step."""
    return int(value(db, "SELECT min(jstid) FROM pgagent.pga_jobstep WHERE jstjobid = %s", job))


def run_due(db: Db) -> list[str]:
    """Run what is due in this session; return the jobs' names, one for each step, in order."""
    return [name for (name,) in rows(db, "SELECT jobname FROM pgagent_py.run_due()")]


def copy_database(admin: Db, template: str, name: str) -> None:
    """Make a database like *template*: by its files, which takes less than by the log, where a server can be told."""
    by_files = " STRATEGY file_copy" if admin.info.server_version >= 150000 else ""
    admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}{by_files}".encode())
