"""What runs next."""

from __future__ import annotations

from datetime import datetime, timedelta

import click

from ..cli import command
from ..output import when, write_rows
from ..session import Session
from ..times import Time


@command("pgagentctl upcoming --until tomorrow")
@click.option(
    "--until",
    type=Time(forwards=True),
    metavar="TIME",
    help="Up to when: 2h, tomorrow, 2026-12-24. Default: one day.",
)
@click.option(
    "--count", type=click.IntRange(1), default=100, show_default=True, metavar="N", help="How many at most."
)
def upcoming(session: Session, until: datetime | None, count: int) -> None:
    """List the next runs of all jobs in the order of their times."""
    until = until or datetime.now().astimezone() + timedelta(days=1)
    rows = session.rows("SELECT * FROM pgagent_py.upcoming_runs(%s, count => %s)", until, count)
    heads = {"at": "AT", "jobid": "ID", "jobname": "JOB"}
    write_rows([rows] if rows else [], heads, session.json, f"nothing is due until {when(until)}")
