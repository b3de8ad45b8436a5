"""Cancelling, enabling and disabling, pausing and resuming."""

from __future__ import annotations

import click

from ..cli import command
from ..errors import NO_RIGHT, CommandError
from ..names import complete_job, find_job, find_run, is_id
from ..output import plain, when, write_json
from ..session import Session
from .run import call
from .status import read

IN_PROGRESS = (
    "SELECT r.jlgid FROM pgagent_py.visible_run r WHERE r.jobid = %s AND r.run_status = 'running' ORDER BY 1"
)


@command("pgagentctl cancel nightly")
@click.argument("what", metavar="JOB|RUN", shell_complete=complete_job)
def cancel(session: Session, what: str) -> None:
    """End a run in progress, by its number, or all runs of a job."""
    if is_id(what):
        found = [find_run(session, what)["jlgid"]]
    else:
        job = find_job(session, what)
        found = [row["jlgid"] for row in session.rows(IN_PROGRESS, job["jobid"])]
        if not found:
            raise CommandError(
                f'job "{plain(what)}" has no run in progress', "pgagentctl status shows those in progress."
            )
    with session.connection.transaction():
        for run in found:
            call(session, "cancel_run", run=run)
    if session.json:
        write_json([{"jlgid": run} for run in found])
    else:
        click.echo("\n".join(f"run {run} is being cancelled" for run in found))


NEXT_RUN = "SELECT v.jobid, v.jobname, v.jobenabled, v.jobnextrun AS next_run FROM pgagent_py.visible_job v WHERE v.jobid = %s"


@command("pgagentctl enable nightly")
@click.argument("job", shell_complete=complete_job)
def enable(session: Session, job: str) -> None:
    """Let a job run at its times again."""
    _set_enabled(session, job, True)


@command("pgagentctl disable nightly")
@click.argument("job", shell_complete=complete_job)
def disable(session: Session, job: str) -> None:
    """Keep a job from running. A run in progress goes on."""
    _set_enabled(session, job, False)


def _set_enabled(session: Session, name: str, enabled: bool) -> None:
    jobid = find_job(session, name)["jobid"]
    call(session, "alter_job", job=jobid, enabled=enabled)
    job = session.row(NEXT_RUN, jobid)
    if session.json:
        write_json(job)
        return
    text = f'job "{plain(job["jobname"])}" is {"enabled" if enabled else "disabled"}'
    if enabled:
        text += f", next run {when(job['next_run'])}" if job["next_run"] else ", and has no next run"
    click.echo(text)


@command("pgagentctl pause 'Data Import'")
@click.argument("class_", metavar="[CLASS]", required=False)
def pause(session: Session, class_: str | None) -> None:
    """Let no run start: of all jobs, or of a class of jobs. Runs in progress go on."""
    call(session, "pause", **({"class": class_} if class_ else {}))
    _tell(session, class_, "paused")


@command("pgagentctl resume")
@click.argument("class_", metavar="[CLASS]", required=False)
def resume(session: Session, class_: str | None) -> None:
    """End a pause: of all jobs, or of a class."""
    call(session, "resume", **({"class": class_} if class_ else {}))
    _tell(session, class_, "resumed")


def _tell(session: Session, class_: str | None, what: str) -> None:
    if session.json:
        write_json(session.rows("SELECT * FROM pgagent_py.paused ORDER BY class NULLS FIRST"))
    else:
        click.echo(f'class "{plain(class_)}" is {what}' if class_ else f"all jobs are {what}")


LAUNCHERS = """
SELECT l.* FROM pgagent_py.launchers l
 WHERE l.kind = 'pgagent-py' AND (l.host = %s OR starts_with(l.launcher::text, lower(%s))) ORDER BY l.since"""


@command("pgagentctl drain db1.example.org")
@click.argument("launcher", metavar="LAUNCHER|HOST")
def drain(session: Session, launcher: str) -> None:
    """Let launchers take nothing more, by the id of one or by their host. Their runs go on."""
    _set_draining(session, launcher, "drain")


@command("pgagentctl undrain db1.example.org")
@click.argument("launcher", metavar="LAUNCHER|HOST")
def undrain(session: Session, launcher: str) -> None:
    """Let launchers take jobs again."""
    _set_draining(session, launcher, "undrain")


RIGHT_TO_SEE = "To drain them it takes pgagent_py_operator."


def _set_draining(session: Session, name: str, verb: str) -> None:
    found = session.rows(LAUNCHERS, name, name)
    if not found:
        if read(session, "launchers", 1) is None:
            raise CommandError("this role may not see launchers", RIGHT_TO_SEE, NO_RIGHT)
        raise CommandError(
            f'there is no launcher "{plain(name)}"', "pgagentctl status shows launchers, with their hosts."
        )
    with session.connection.transaction():
        for row in found:
            call(session, verb, launcher=row["launcher"])
    after = session.rows(LAUNCHERS, name, name)
    if session.json:
        write_json(after)
        return
    for row in after:
        state = f"takes nothing more, {row['running']} runs go on" if row["draining"] else "takes jobs"
        click.echo(f"launcher {row['launcher']} on {plain(row['host'])} {state}")
