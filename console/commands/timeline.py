"""Runs as bars, a line for each job."""

from __future__ import annotations

import os
import shutil
import sys
from collections import defaultdict
from datetime import datetime, timedelta

import click
from rich.cells import cell_len, set_cell_size

from ..cli import command
from ..output import COLOURS, local, plain, write_rows
from ..session import Row, Session
from ..times import Time

# Where several runs share a cell, the worst is shown.
WORST = ("no steps", "success", "running", "aborted", "failure")
LETTERS = {"no steps": "-", "success": "=", "running": ">", "aborted": "!", "failure": "X"}
NAME_WIDTH = 28
MOST_JOBS = 200


@command("pgagentctl timeline --since 12h")
@click.option(
    "--since", type=Time(), metavar="TIME", help="From when: 2h, today, 2026-12-24. Default: one day."
)
def timeline(session: Session, since: datetime | None) -> None:
    """Draw the runs as bars: a line for each job, coloured by status."""
    until = datetime.now().astimezone()
    since = since or until - timedelta(days=1)
    rows = session.rows(
        "SELECT * FROM pgagent_py.runs_between(%s, %s) ORDER BY jobname, jobid, jlgid", since, until
    )
    if session.json:
        write_rows([rows] if rows else [], {}, True)
        return
    for line in draw(rows, since, until, shutil.get_terminal_size().columns, _coloured()):
        click.echo(line)


def _coloured() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def draw(rows: list[Row], since: datetime, until: datetime, width: int, coloured: bool) -> list[str]:
    """Return the lines of the picture."""
    if not rows:
        return ["no runs in this time"]
    by_job: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in rows:
        by_job[row["jobname"], row["jobid"]].append(row)
    jobs = list(by_job.items())[:MOST_JOBS]
    names = min(NAME_WIDTH, max(cell_len(plain(name)) for (name, _), _ in jobs))
    cells = max(10, width - names - 2)
    lines = [f"{' ' * names}  {_axis(since, until, cells)}"]
    for (name, _), runs in jobs:
        shown = plain(name)
        shown = (
            set_cell_size(shown, names - 1) + "…" if cell_len(shown) > names else set_cell_size(shown, names)
        )
        lines.append(f"{shown}  {_bar(runs, since, until, cells, coloured)}")
    if len(by_job) > len(jobs):
        lines.append(f"and {len(by_job) - len(jobs)} more jobs")
    lines.append("  ".join(_mark(status, "█", coloured) + f" {status}" for status in WORST))
    return lines


def _axis(since: datetime, until: datetime, cells: int) -> str:
    first, last = (local(at).strftime("%m-%d %H:%M") for at in (since, until))
    return first + last.rjust(cells - len(first))


def _bar(runs: list[Row], since: datetime, until: datetime, cells: int, coloured: bool) -> str:
    span = (until - since).total_seconds()
    worst = [-1] * cells
    for run in runs:
        end = until if run["jlgduration"] is None else run["jlgstart"] + run["jlgduration"]
        first, last = (int((at - since).total_seconds() / span * cells) for at in (run["jlgstart"], end))
        for place in range(max(0, first), min(cells - 1, max(first, last)) + 1):
            worst[place] = max(worst[place], WORST.index(run["run_status"]))
    return "".join(_mark(WORST[rank], "█", coloured) if rank >= 0 else "·" for rank in worst)


def _mark(status: str, block: str, coloured: bool) -> str:
    return click.style(block, fg=COLOURS[status]) if coloured else LETTERS[status]
