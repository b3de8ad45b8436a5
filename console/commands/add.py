"""Adding a job."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import click
from psycopg.errors import Diagnostic

from ..cli import command
from ..output import plain, when, write_json
from ..session import Session
from ..wording import in_own_words
from .act import NEXT_RUN
from .run import call


@command("pgagentctl add nightly --cron '0 3 * * *' --sql 'VACUUM ANALYZE'")
@click.argument("name")
@click.option(
    "--cron", metavar="TEXT", help="When it runs: minute hour day month weekday, or @daily and the like."
)
@click.option("--sql", metavar="TEXT", help="The SQL of its step; - reads it from the standard input.")
@click.option("--batch", metavar="TEXT", help="The script of its step; - reads it from the standard input.")
@click.option(
    "--database", metavar="NAME", help="The database in which the SQL runs. Default: that of the jobs."
)
@click.option(
    "--timezone", metavar="ZONE", help="The time zone in which cron is read. Default: the database's."
)
@click.option("--description", metavar="TEXT", help="What it is for.")
@click.option("--class", "class_", metavar="CLASS", help="The class of the job.")
@click.option("--host", metavar="HOST", help="The only host whose launcher runs it.")
@click.option("--disabled", is_flag=True, help="Let it wait until it is enabled.")
@click.option(
    "--if-exists",
    type=click.Choice(["add", "replace", "keep", "error"]),
    help="When there is one of this name.",
)
def add(session: Session, name: str, disabled: bool, **given: str | None) -> None:
    """Add a job."""
    given["class"] = given.pop("class_")
    arguments = {key: value for key, value in given.items() if value is not None}
    for key in ("sql", "batch"):
        if arguments.get(key) == "-":
            arguments[key] = sys.stdin.read()
    options = add.options()
    session.connection.add_notice_handler(lambda notice: _tell_notice(notice, options))
    jobid = call(session, "add_job", name=name, enabled=not disabled, **arguments)
    job = session.row(NEXT_RUN, jobid)
    if session.json:
        write_json(job)
    else:
        next_run = f", next run {when(job['next_run'])}" if job["next_run"] else ""
        click.echo(f'job "{plain(name)}" is job {jobid}{next_run}')


def _tell_notice(notice: Diagnostic, options: Mapping[str, str]) -> None:
    click.echo(f"{notice.severity}: {plain(notice.message_primary)}", err=True)
    if notice.message_hint:
        click.echo(f"HINT: {plain(in_own_words(notice.message_hint, options))}", err=True)
