"""Skipping the next runs of a job."""

from __future__ import annotations

import click

from ..cli import command
from ..names import complete_job, find_job
from ..output import plain, when, write_json
from ..session import Session
from .run import call

SKIPPED = 'SELECT * FROM pgagent_py.skipped s WHERE s.jobid = %s ORDER BY "from"'
NEXT = "SELECT n FROM pgagent_py.next_runs(%s, 1) n"


@command("pgagentctl skip nightly --count 2")
@click.argument("job", shell_complete=complete_job)
@click.option(
    "--count", type=click.IntRange(1), default=1, show_default=True, metavar="N", help="How many times."
)
def skip(session: Session, job: str, count: int) -> None:
    """Leave out the next times of a job's schedules, beyond those that are left out already."""
    found = find_job(session, job)
    call(session, "skip_next_run", job=found["jobid"], count=count)
    _tell(session, found["jobid"], found["jobname"])


@command("pgagentctl unskip nightly")
@click.argument("job", shell_complete=complete_job)
def unskip(session: Session, job: str) -> None:
    """Let a job run at the times that were to be left out."""
    found = find_job(session, job)
    call(session, "unskip_next_run", job=found["jobid"])
    _tell(session, found["jobid"], found["jobname"])


def _tell(session: Session, jobid: int, name: str) -> None:
    spans = session.rows(SKIPPED, jobid)
    if session.json:
        write_json(spans)
        return
    next_runs = session.rows(NEXT, jobid)
    text = f'job "{plain(name)}" '
    if spans:
        first, last = spans[0]["from"], spans[-1]["until"]
        text += (
            f"skips what is due {when(first)}"
            if first == last
            else f"skips what is due from {when(first)} to {when(last)}"
        )
    else:
        text += "skips nothing"
    click.echo(text + (f", next run {when(next_runs[0]['n'])}" if next_runs else ", and has no next run"))
