"""Runs as they begin and end."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import click
import psycopg

from ..cli import command
from ..output import cell, draw, is_screen, plain, to_json, when
from ..session import Row, Session
from .status import read, show, show_table

NEWEST = "SELECT coalesce(max(r.jlgid), 0) FROM pgagent_py.visible_run r"
CHANGED = """
SELECT r.* FROM pgagent_py.visible_run r WHERE r.jlgid > %s OR r.jlgid = ANY (%s) ORDER BY r.jlgid LIMIT 1000"""
RUNNING = """
SELECT r.jlgid FROM pgagent_py.visible_job v CROSS JOIN LATERAL (
       SELECT r.jlgid, r.run_status FROM pgagent_py.visible_run r WHERE r.jobid = v.jobid ORDER BY r.jlgid DESC LIMIT 1) r
 WHERE v.jobrunning AND r.run_status = 'running'"""
POLL_SECONDS = 1.0
PARTS = ("launchers", "running", "due", "next")
LAST = "SELECT DISTINCT ON (r.jlgid) r.* FROM pgagent_py.run_history r ORDER BY r.jlgid DESC LIMIT 10"


@command("pgagentctl watch")
def watch(session: Session) -> None:
    """Follow the runs: a live screen, or with --json or into a pipe a line for each event. Ctrl-C ends it."""
    session.connection.execute("LISTEN pgagent_py_run")
    if session.json or not is_screen(sys.stdout):
        for row in events(session):
            click.echo(to_json(row) if session.json else _line(row))
            sys.stdout.flush()
        return
    draw("\x1b[?1049h\x1b[?25l", sys.stdout)
    try:
        while True:
            _draw(session)
            _wait(session)
    finally:
        draw("\x1b[?25h\x1b[?1049l", sys.stdout)


def events(session: Session) -> Iterator[Row]:
    """Yield each run when it begins, and when it has ended."""
    newest, running = session.value(NEWEST), [row["jlgid"] for row in session.rows(RUNNING)]
    while True:
        for row in session.rows(CHANGED, newest, running):
            if row["jlgid"] > newest:
                newest = row["jlgid"]
                yield row
                if row["run_status"] == "running":
                    running.append(row["jlgid"])
            elif row["run_status"] != "running":
                running.remove(row["jlgid"])
                yield row
        _wait(session)


def _wait(session: Session) -> None:
    """Wait for a notification, where set_notify_runs() has switched them on, but not for long."""
    try:
        for _ in session.connection.notifies(timeout=POLL_SECONDS, stop_after=1):
            return
    except psycopg.NotSupportedError:
        time.sleep(POLL_SECONDS)


def _line(row: Row) -> str:
    took = f" after {cell(row['jlgduration'])}" if row["jlgduration"] is not None else ""
    return f"{when(row['jlgstart'])} run {row['jlgid']} {plain(row['jobname'])}: {row['run_status']}{took}"


def _draw(session: Session) -> None:
    """Draw the screen again: what runs and is due, the next and the last runs."""
    rows = {name: read(session, name, 8) for name in PARTS}
    last = session.rows(LAST)
    draw("\x1b[H\x1b[2J", sys.stdout)
    for name in PARTS:
        show(name, rows[name])
    show_table(
        "last",
        last,
        {
            "jlgid": "RUN",
            "jobname": "JOB",
            "run_status": "STATUS",
            "jlgstart": "STARTED",
            "jlgduration": "TOOK",
        },
        "no run",
    )
