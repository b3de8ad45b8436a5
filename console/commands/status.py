"""One screen that says how things are."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import LiteralString

import click

from ..cli import command
from ..output import Table, to_json
from ..session import Row, Session

LAUNCHERS = "SELECT * FROM pgagent_py.launchers"
RUNNING = """
SELECT r.* FROM pgagent_py.visible_job v CROSS JOIN LATERAL (
       SELECT r.jlgid, r.jobid, r.jobname, r.jlgstart, clock_timestamp() - r.jlgstart AS running_for
         FROM pgagent_py.visible_run r WHERE r.jobid = v.jobid AND r.run_status = 'running' ORDER BY r.jlgid DESC LIMIT 1) r
 WHERE v.jobrunning ORDER BY r.jlgstart LIMIT %s"""
DUE = """
SELECT d.*, s.window_opens FROM (
       SELECT v.jobid, v.jobname, v.jobnextrun AS next_run, clock_timestamp() - v.jobnextrun AS lateness
         FROM pgagent_py.visible_job v
        WHERE v.jobenabled AND NOT v.jobrunning AND v.jobnextrun <= now() ORDER BY v.jobnextrun, v.jobname LIMIT %s) d
  LEFT JOIN LATERAL (SELECT s.window_opens FROM pgagent_py.job_status s WHERE s.jobid = d.jobid OFFSET 0) s ON true"""
FAILING = """
SELECT s.jobid, s.jobname, s.failures_in_a_row, s.last_status, s.last_run, s.last_start, s.next_run
  FROM pgagent_py.job_status s WHERE s.last_status IN ('failure', 'aborted') ORDER BY s.last_start DESC LIMIT %s"""
PAUSED = "SELECT * FROM pgagent_py.paused ORDER BY class NULLS FIRST"
UNSENT = "SELECT * FROM pgagent_py.unsent_message ORDER BY qmscreated LIMIT %s"
PROBLEMS = "SELECT * FROM pgagent_py.problems ORDER BY since NULLS FIRST LIMIT %s"
NEXT = "SELECT * FROM pgagent_py.upcoming_runs(now() + '1 year', count => %s)"

# Of two sections a role may see nothing at all: then that they are empty tells nothing.
SEES_LAUNCHERS = "SELECT v.launchers FROM pgagent_py.visibility v"
SEES: dict[str, LiteralString] = {
    "launchers": SEES_LAUNCHERS,
    "paused": "SELECT v.pauses FROM pgagent_py.visibility v",
}
MAY_NOT = "this role may not see them: it takes membership in pgagent_py_user or pgagent_py_monitor"

MOST = 10
# A launcher takes a due job within seconds.
LATE_SECONDS = 60

SECTIONS: dict[str, tuple[LiteralString, Mapping[str, str], str]] = {
    "launchers": (
        LAUNCHERS,
        {
            "host": "HOST",
            "kind": "KIND",
            "version": "VERSION",
            "role": "ROLE",
            "since": "SINCE",
            "running": "RUNNING",
        },
        "none: no job runs until a launcher is started",
    ),
    "running": (
        RUNNING,
        {"jlgid": "RUN", "jobname": "JOB", "jlgstart": "STARTED", "running_for": "FOR"},
        "none",
    ),
    "due": (
        DUE,
        {
            "jobid": "ID",
            "jobname": "JOB",
            "next_run": "SINCE",
            "lateness": "LATE",
            "window_opens": "WINDOW OPENS",
        },
        "none",
    ),
    "paused": (PAUSED, {"class": "CLASS", "paused_since": "SINCE", "paused_by": "BY"}, "nothing"),
    "unsent": (
        UNSENT,
        {"jobname": "JOB", "qmskind": "KIND", "qmstries": "TRIES", "given_up": "GIVEN UP"},
        "no message",
    ),
    "problems": (PROBLEMS, {"jobname": "JOB", "since": "SINCE", "error": "PROBLEM"}, "none"),
    "next": (NEXT, {"at": "AT", "jobname": "JOB"}, "no run"),
    "failing": (
        FAILING,
        {
            "jobid": "ID",
            "jobname": "JOB",
            "last_status": "LAST",
            "failures_in_a_row": "IN A ROW",
            "last_start": "STARTED",
        },
        "none",
    ),
}


@command("pgagentctl status")
def status(session: Session) -> None:
    """Show launchers, what runs, is due, fails, is late, paused or unsent, and the next ten runs."""
    before = "{"
    for name in SECTIONS:
        rows = read(session, name, MOST)
        if session.json:
            late = [row for row in rows or () if name == "due" and _is_late(row)]
            for key, value in ({name: rows} | ({"late": late} if name == "due" else {})).items():
                click.echo(f"{before}{to_json(key)}: {to_json(value)}", nl=False)
                before = ",\n"
        else:
            show(name, rows)
        sys.stdout.flush()
    if session.json:
        click.echo("}")


def read(session: Session, name: str, most: int) -> list[Row] | None:
    """Return the rows of a section; None if the role may not see them."""
    query, _, _ = SECTIONS[name]
    rows = session.rows(query, most) if "%s" in query else session.rows(query)
    return rows if rows or name not in SEES or session.value(SEES[name]) else None


def _is_late(row: Row) -> bool:
    """Return whether a due job should run by now. One that waits for its window is not late."""
    return row["window_opens"] is None and row["lateness"].total_seconds() > LATE_SECONDS


def show(name: str, rows: list[Row] | None) -> None:
    """Write a section."""
    _, columns, nothing = SECTIONS[name]
    show_table(name, rows, columns, MAY_NOT if rows is None else nothing)


def show_table(name: str, rows: list[Row] | None, columns: Mapping[str, str], nothing: str) -> None:
    """Write a part of the screen."""
    late = sum(map(_is_late, rows or ())) if name == "due" else 0
    heading = f"{name}, {late} late" if late else name
    if not rows:
        click.echo(f"{click.style(heading, bold=True)}: {nothing}")
        return
    click.echo(click.style(heading, bold=True))
    Table(columns, indent=2).write([rows])
