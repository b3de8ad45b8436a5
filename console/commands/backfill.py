"""Running a job for the times of a span."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import click

from ..cli import command
from ..errors import CommandError
from ..names import complete_job, find_job
from ..output import plain, write_json, write_rows
from ..session import Session
from ..times import Time
from .run import call, read_parameter

ALL = "SELECT * FROM pgagent_py.backfills"
ONE = "SELECT * FROM pgagent_py.backfills b WHERE b.backfill = %s"
HEADS = {
    "backfill": "NUMBER",
    "jobname": "JOB",
    "status": "STATUS",
    "times": "TIMES",
    "done": "DONE",
    "failed": "FAILED",
    "left_out": "LEFT OUT",
    "last_due": "LAST",
    "ended_because": "BECAUSE",
}


@command("pgagentctl backfill nightly --from 2026-03-01 --until 2026-04-01")
@click.argument("job", required=False, shell_complete=complete_job)
@click.option("--from", "from_", type=Time(), metavar="TIME", help="The first time that matters.")
@click.option("--until", type=Time(), metavar="TIME", help="The end: times before it matter.")
@click.option("--param", multiple=True, metavar="KEY=VALUE", help="A parameter of its runs; may be repeated.")
@click.option("--stop-on-failure", is_flag=True, help="End when a run fails.")
@click.option("--cancel", type=int, metavar="NUMBER", help="End one that is in progress.")
def backfill(
    session: Session,
    job: str | None,
    from_: datetime | None,
    until: datetime | None,
    param: tuple[str, ...],
    stop_on_failure: bool,
    cancel: int | None,
) -> None:
    """Run a job for each time that its schedules name in a span. Without a job: show what was asked for."""
    if cancel is not None:
        call(session, "cancel_backfill", backfill=cancel)
        _tell(session, cancel, "is cancelled")
    elif job is None:
        rows = session.rows(ALL)
        write_rows([rows] if rows else [], HEADS, session.json, "no backfills")
    elif from_ is None or until is None:
        raise CommandError(
            "--from or --until is missing", "Give both: the span whose times the job is to run for."
        )
    else:
        found = find_job(session, job)
        given: dict[str, Any] = {"from": from_, "until": until, "stop_on_failure": stop_on_failure}
        if param:
            given["parameters"] = json.dumps(dict(map(read_parameter, param)))
        number = call(session, "backfill", job=found["jobid"], **given)
        _tell(session, number, f'of job "{plain(found["jobname"])}" has begun')


def _tell(session: Session, number: int, what: str) -> None:
    row = session.row(ONE, number)
    if session.json:
        write_json(row)
        return
    click.echo(f"backfill {number} {what}: {row['done'] + row['left_out']} of {row['times']} times are done")
