"""Jobs of other schedulers become jobs here."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click
import psycopg

from ..cli import Command, command
from ..crontabs import has_zone, local_mailto, looks_like_system, notes_on, split_crontab
from ..errors import BAD, CommandError
from ..importing import Importer
from ..other_schedulers import import_pg_dbms_job, import_pg_timetable
from ..output import plain, write_json
from ..session import Session


@click.group("import")
def import_() -> None:
    """Take over the jobs of a crontab, of pg_cron, pg_timetable or pg_dbms_job.

    It shows what each entry becomes, and what cannot be carried over and why. Then the status is 1.

    Example:  pgagentctl import crontab /etc/crontab --dry-run
    """


def _command(name: str, example: str) -> Callable[[Callable[..., int]], Command]:
    def decorate(function: Callable[..., int]) -> Command:
        made = command(example, name=name)(function)
        import_.add_command(made)
        return made

    return decorate


def dry_run_option(function: Callable[..., int]) -> Callable[..., int]:
    """Add the option --dry-run."""
    return click.option("--dry-run", is_flag=True, help="Only show what each entry would become.")(function)


@_command("crontab", "pgagentctl import crontab - --dry-run < jobs.cron")
@click.argument("file", metavar="FILE|-")
@dry_run_option
@click.option(
    "--system/--no-system",
    default=None,
    help="It has, or has not, a column for the user, as /etc/crontab has.",
)
@click.option("--user", metavar="USER", help="Of a system crontab: only this user's lines.")
@click.option(
    "--mailto",
    metavar="ADDRESS",
    help="Where to send what MAILTO=root and other names without a host would get.",
)
def crontab(
    session: Session, file: str, dry_run: bool, system: bool | None, user: str | None, mailto: str | None
) -> int:
    """Take over a crontab. Its commands become batch steps, which run as the launcher's user."""
    text = _read(file)
    if system is None and not user:
        system = _ask_system(file, text)
    if mailto is None and _can_ask(file) and not session.json:
        mailto = _ask_mailto(text)
    lines = list(split_crontab(text, bool(system or user), mailto))

    def add(importer: Importer) -> None:
        place, zone = _note_on_hosts(session), _note_on_zone(session)
        for line in lines:
            if user and line.user != user:
                continue
            with importer.entry(f"line {line.number}: {line.shown}") as entry:
                found = session.rows("SELECT * FROM pgagent_py.import_crontab(%s)", line.text)
                entry.jobs = [row["job"] for row in found]
                if line.user and not user:
                    entry.notes.append(
                        f"it ran as {line.user}: now it runs as the launcher's user (--user imports one user's lines)"
                    )
                entry.notes += [*notes_on(line), *place, *(() if has_zone(line) else zone)]

    status = _run(session, dry_run, add, "cron runs them, too, until they are out of the crontab")
    for entry in () if session.json or user else lines:
        if entry.user is None and system:
            click.echo(f"line {entry.number} has no user", err=True)
    return status


def _read(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CommandError(f"{file} is no UTF-8 text", "iconv -f latin1 -t utf8 makes some of it.") from None


HOSTS = "SELECT DISTINCT l.host FROM pgagent_py.launchers l ORDER BY 1"
# The time of the jobs' wall clock in winter and in summer, in seconds from UTC.
OFFSETS = """
SELECT z.zone,
       array_agg(extract(epoch FROM (t AT TIME ZONE z.zone) - (t AT TIME ZONE 'UTC'))::int ORDER BY t) AS seconds
  FROM pgagent_py.default_timezone() z (zone), unnest(ARRAY[now(), now() + interval '182 days']) t GROUP BY 1"""


def _note_on_hosts(session: Session) -> list[str]:
    """Say where the commands run, if that is not this host alone."""
    hosts = [row["host"] for row in session.rows(HOSTS)]
    if not hosts or hosts == [socket.gethostname()]:
        return []
    return [f"it runs on the host of a launcher: {' or '.join(hosts)}"]


def _note_on_zone(session: Session) -> list[str]:
    """Say by which clock the times go, if that is not this host's, which cron goes by."""
    row, now = session.row(OFFSETS), datetime.now().astimezone()
    here = [
        int((at.astimezone().utcoffset() or timedelta()).total_seconds())
        for at in (now, now + timedelta(days=182))
    ]
    if row["seconds"] == here:
        return []
    return [f"its times are in {row['zone']}, not in this host's zone: CRON_TZ=ZONE above it says another"]


def _can_ask(file: str) -> bool:
    return sys.stdin.isatty() and file != "-"


def _ask_mailto(text: str) -> str | None:
    """Return where mails to names without a host go; None: nowhere, which is listed."""
    names = local_mailto(text)
    if not names:
        return None
    question = f"MAILTO={', '.join(map(plain, names))} names no host. Address for its mails, empty for none"
    return click.prompt(question, default="", show_default=False, err=True).strip() or None


def _ask_system(file: str, text: str) -> bool:
    """Return whether the crontab has a user column; where that cannot be known it is asked, not guessed."""
    if not looks_like_system(file, text):
        return False
    if not _can_ask(file):
        hint = "Say --system if it has, as /etc/crontab has, or --no-system."
        raise CommandError("this looks like a system crontab, with a column for the user", hint)
    return click.confirm(
        "This looks like a system crontab. Has it a column for the user?", default=True, err=True
    )


REFUSED = " was not taken over: "


@_command("pg_cron", "pgagentctl import pg_cron --dry-run")
@dry_run_option
def pg_cron(session: Session, dry_run: bool) -> int:
    """Take over the jobs of pg_cron in this database. There they stay: unschedule them."""

    def add(importer: Importer) -> None:
        for row in session.rows("SELECT * FROM pgagent_py.import_pg_cron()"):
            with importer.entry(row["name"]) as entry:
                entry.jobs = [row["job"]] if row["job"] is not None else []
                if row["job"] is None:
                    # Each that is refused has a warning, in the order of the rows.
                    entry.refused = told.pop(0) if told else "see the server's warnings"

    told: list[str] = []
    session.connection.add_notice_handler(
        lambda notice: (
            told.append(words.partition(REFUSED)[2])
            if REFUSED in (words := notice.message_primary or "")
            else None
        )
    )
    return _run(
        session, dry_run, add, "pg_cron runs them, too, until SELECT cron.unschedule(jobid) FROM cron.job;"
    )


@_command("pg_timetable", "pgagentctl import pg_timetable --dry-run")
@dry_run_option
def pg_timetable(session: Session, dry_run: bool) -> int:
    """Take over the chains of pg_timetable in this database."""
    still = "pg_timetable runs them, too, until UPDATE timetable.chain SET live = false;"
    return _run(session, dry_run, lambda importer: import_pg_timetable(session, importer), still)


@_command("pg_dbms_job", "pgagentctl import pg_dbms_job --dry-run")
@dry_run_option
def pg_dbms_job(session: Session, dry_run: bool) -> int:
    """Take over the scheduled jobs of pg_dbms_job in this database."""
    still = "pg_dbms_job runs them, too, until CALL dbms_job.broken(JOB, true);"
    return _run(session, dry_run, lambda importer: import_pg_dbms_job(session, importer), still)


def _run(session: Session, dry_run: bool, add: Callable[[Importer], None], still: str) -> int:
    """Import in one transaction, show what has become of each entry, and undo it if that is all that was asked.

    *still*: that where they came from they are at work, too.
    """
    with session.connection.transaction():
        importer = Importer(session)
        add(importer)
        rows = [entry.as_row(session) for entry in importer.entries]
        if dry_run:
            raise psycopg.Rollback
    _tell(session, rows, dry_run)
    if not dry_run and any(row["jobs"] for row in rows):
        click.echo(f"NOTICE: {still}", err=True)
    return BAD if any(row["refused"] for row in rows) else 0


def _tell(session: Session, rows: list[dict[str, Any]], dry_run: bool) -> None:
    if session.json:
        write_json(rows)
        return
    shared = _notes_on_all(rows)
    for row in rows:
        click.echo(plain(row["source"]))
        for job in row["jobs"]:
            name = "a job" if dry_run else f"job {job['jobid']}"
            times = " and ".join(plain(text) for text in job["schedules"]) or "no schedule"
            off = "" if job["jobenabled"] else ", disabled"
            click.echo(
                f'  becomes {name} "{plain(job["jobname"])}": {job["kind"] or "no"} step, {times}{off}'
            )
        for note in row["notes"]:
            if note not in shared:
                click.echo(f"  note: {plain(note)}")
        if row["refused"]:
            click.echo(click.style(f"  not carried over: {plain(row['refused'])}", fg="red"))
    for note in shared:
        click.echo(f"note on all: {plain(note)}")
    count, refused = sum(len(row["jobs"]) for row in rows), sum(bool(row["refused"]) for row in rows)
    added = "would be added" if dry_run else "added"
    click.echo(f"{count} {'job' if count == 1 else 'jobs'} {added}, {refused} not carried over")


def _notes_on_all(rows: list[dict[str, Any]]) -> list[str]:
    """Return the notes that all entries have which become jobs, if there are several: they are told once."""
    taken = [row["notes"] for row in rows if row["jobs"]]
    return [note for note in taken[0] if all(note in notes for notes in taken)] if len(taken) > 1 else []
