"""Who is told of a job, and who may see and run it."""

from __future__ import annotations

from typing import Any

import click
from psycopg import sql

from ..cli import command
from ..errors import CommandError
from ..names import complete_job, find_job
from ..output import plain, write_json
from ..session import Session
from .run import call

KINDS = ("email", "webhook", "chat")
WHEN = ("failure", "success", "finish", "recovered", "late", "overrun")


@command("pgagentctl alert nightly --email dba@example.org --when failure --when recovered")
@click.argument("job", required=False, shell_complete=complete_job)
@click.option("--email", metavar="ADDRESS", help="Send an e-mail there.")
@click.option("--webhook", metavar="URL", help="Call this address.")
@click.option("--chat", metavar="URL", help="Tell a chat or pager service, such as slack://...")
@click.option(
    "--when", multiple=True, type=click.Choice(WHEN), help="Default: failure. It may be given several times."
)
@click.option("--subject", metavar="TEMPLATE", help="The subject of the e-mail.")
def alert(
    session: Session, job: str | None, when: tuple[str, ...], subject: str | None, **targets: str | None
) -> None:
    """Send a message when a job fails, or what --when says. Without JOB: any job. Launchers send it."""
    given = [(kind, target) for kind, target in targets.items() if target]
    if not given:
        raise CommandError("nobody is to be told", "Give --email, --webhook or --chat.")
    jobid = find_job(session, job)["jobid"] if job else None
    more = {} if subject is None else {"subject": subject}
    added = []
    with session.connection.transaction():
        for kind, target in given:
            for what in when or WHEN[:1]:
                id_ = call(session, "add_message", job=jobid, kind=kind, target=target, when=what, **more)
                added.append({"msgid": id_, "jobid": jobid, "kind": kind, "when": what})
    if session.json:
        write_json(added)
        return
    whose = f'job "{plain(job)}"' if job else "any job"
    for row in added:
        click.echo(f"message {row['msgid']}: {row['kind']} of {whose}, when: {row['when']}")


OWNER = "SELECT v.jobowner FROM pgagent_py.visible_job v WHERE v.jobid = %s"


@command("pgagentctl allow anna nightly")
@click.argument("role")
@click.argument("jobs", metavar="[JOB]...", nargs=-1, shell_complete=complete_job)
@click.option("--see", is_flag=True, help="See all jobs, their runs and what they wrote.")
@click.option("--operate", is_flag=True, help="The same, and run, cancel, pause, enable and disable them.")
def allow(session: Session, role: str, jobs: tuple[str, ...], see: bool, operate: bool) -> None:
    """Let a role see and run jobs: all of them, or those of the owners of JOBs, whose rights it then has."""
    groups = ["pgagent_py_monitor"] * see + ["pgagent_py_operator"] * operate
    for job in jobs:
        owner = session.value(OWNER, find_job(session, job)["jobid"])
        if owner is None:
            hint = "Use --see or --operate, or give the job an owner: pgagentctl edit JOB."
            raise CommandError(f'job "{plain(job)}" has no owner whose rights could be given', hint)
        groups.append(owner)
    if not groups:
        raise CommandError("it is not said what is allowed", "Give jobs, --see or --operate.")
    granted: list[dict[str, Any]] = []
    with session.connection.transaction():
        for group in dict.fromkeys(groups):
            grant = sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), sql.Identifier(role))
            session.connection.execute(grant)
            granted.append({"role": role, "granted": group})
    if session.json:
        write_json(granted)
        return
    for row in granted:
        click.echo(f"role {plain(role)} has the rights of {plain(row['granted'])}")
