"""Runs as bars, a line for each job."""

from __future__ import annotations

import shutil
import sys
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta

import click
from rich.cells import cell_len, set_cell_size

from ..cli import command
from ..names import pages_of_jobs
from ..output import COLOURS, coloured, local, plain, write_rows
from ..session import Row, Session
from ..times import Time

# Where several runs share a cell, the worst is shown.
WORST = ("no steps", "success", "running", "aborted", "failure")
LETTERS = {"no steps": "-", "success": "=", "running": ">", "aborted": "!", "failure": "X"}
NAME_WIDTH = 28
MOST_JOBS = 200
# Few jobs first: so the first lines come soon, and all before long.
FIRST_PAGE = 250


RUNS = "SELECT * FROM pgagent_py.runs_between(%s, %s, jobs => %s) ORDER BY jobname, jobid, jlgid"


@command("pgagentctl timeline --since 12h")
@click.option(
    "--since", type=Time(), metavar="TIME", help="From when: 2h, today, 2026-12-24. Default: one day."
)
def timeline(session: Session, since: datetime | None) -> None:
    """Draw the runs as bars: a line for each job, coloured by status."""
    until = datetime.now().astimezone()
    since = since or until - timedelta(days=1)
    if session.json:
        pages = (
            session.rows(RUNS, since, until, jobs)
            for jobs in pages_of_jobs(session, size=FIRST_PAGE, growth=2)
        )
        write_rows((page for page in pages if page), {}, True)
        return
    picture = Picture(since, until, shutil.get_terminal_size().columns, coloured())
    for jobs in pages_of_jobs(session, size=FIRST_PAGE, growth=2):
        for line in picture.lines(session.rows(RUNS, since, until, jobs)):
            click.echo(line)
        sys.stdout.flush()
        if picture.full:
            break
    for line in picture.end():
        click.echo(line)


class Picture:
    """The lines of the picture, as the runs come, job by job."""

    def __init__(self, since: datetime, until: datetime, width: int, coloured: bool) -> None:
        self.since, self.until, self.width, self.coloured = since, until, width, coloured
        self.names = 0
        self.count = 0
        self.full = False

    def lines(self, rows: list[Row]) -> Iterator[str]:
        """Yield a line for each job; before the first, the axis."""
        by_job: dict[tuple[str, int], list[Row]] = defaultdict(list)
        for row in rows:
            by_job[row["jobname"], row["jobid"]].append(row)
        if by_job and not self.count:
            longest = max(cell_len(plain(name)) for name, _ in by_job)
            self.names = min(NAME_WIDTH, max(6, self.width // 3), longest)
        cells = max(10, self.width - self.names - 2)
        for (name, _), runs in by_job.items():
            if self.count == MOST_JOBS:
                self.full = True
                return
            if not self.count:
                yield f"{' ' * self.names}  {_axis(self.since, self.until, cells)}"
            self.count += 1
            yield f"{self._name(name)}  {_bar(runs, self.since, self.until, cells, self.coloured)}"

    def _name(self, name: str) -> str:
        shown = plain(name)
        if cell_len(shown) > self.names:
            return set_cell_size(shown, self.names - 1) + "…"
        return set_cell_size(shown, self.names)

    def end(self) -> Iterator[str]:
        """Yield what stands below."""
        if not self.count:
            yield "no runs in this time"
            return
        if self.full:
            yield f"and more jobs: these are the first {MOST_JOBS} by name"
        yield "  ".join(_mark(status, "█", self.coloured) + f" {status}" for status in WORST)


def _axis(since: datetime, until: datetime, cells: int) -> str:
    """Return the times at both ends, as far as there is room."""
    for form in ("%m-%d %H:%M", "%H:%M"):
        first, last = (local(at).strftime(form) for at in (since, until))
        if len(first) + len(last) < cells:
            return first + last.rjust(cells - len(first))
    return ""


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
