"""Past and present runs: the list, and what the steps of one have written."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

import click

from ..cli import command
from ..names import complete_job, find_job, find_run
from ..newest import newest_runs
from ..output import block, cell, plain, to_json, write_json, write_rows
from ..session import Row, Session
from ..times import Time

COLUMNS = {
    "jlgid": "RUN",
    "jobname": "JOB",
    "run_status": "STATUS",
    "jlgstart": "STARTED",
    "jlgduration": "TOOK",
    "trigger": "BY",
    "lateness": "LATE",
}
OF_STEP = (
    "jslid",
    "jstid",
    "jstname",
    "step_status",
    "jslresult",
    "jslstart",
    "jslduration",
    "jsloutput",
    "try",
)


@command("pgagentctl runs nightly --failed --since 7d")
@click.argument("job", required=False, shell_complete=complete_job)
@click.option("--failed", is_flag=True, help="Only those that failed or were aborted.")
@click.option(
    "--since", type=Time(), metavar="TIME", help="Only those that began later: 2h, 7d, today, 2026-12-24."
)
@click.option(
    "--limit", type=click.IntRange(1), default=50, show_default=True, metavar="N", help="How many at most."
)
def runs(session: Session, job: str | None, failed: bool, since: datetime | None, limit: int) -> None:
    """List the runs, newest first: of all jobs or of one."""
    jobid = find_job(session, job)["jobid"] if job else None
    pages = newest_runs(session, limit, job=jobid, failed=failed, since=since)
    listed = (
        [{key: value for key, value in row.items() if key not in OF_STEP} for row in page] for page in pages
    )
    write_rows(_present(listed), COLUMNS, session.json, "no runs")


def _present(pages: Iterator[list[Row]]) -> Iterator[list[Row]]:
    """Give each row the columns that an older extension has not."""
    for page in pages:
        yield [dict.fromkeys(COLUMNS) | row for row in page] if "trigger" not in page[0] else page


STEPS = """
SELECT r.* FROM pgagent_py.run_history r WHERE r.jlgid = %s ORDER BY r.jslid"""


@command("pgagentctl log 4711 --follow")
@click.argument("run", metavar="RUN|JOB", shell_complete=complete_job)
@click.option("-f", "--follow", is_flag=True, help="Go on until the run has ended.")
def log(session: Session, run: str, follow: bool) -> int:
    """Show what the steps of a run have written. Of a job: of its last run."""
    found = find_run(session, run)
    if session.json and not follow:
        write_json(session.rows(STEPS, found["jlgid"]))
        return 0
    shown: set[int] = set()
    while True:
        steps = session.rows(STEPS, found["jlgid"])
        write_steps(session, steps, shown)
        if not steps or not follow or steps[0]["run_status"] != "running":
            return int(follow and bool(steps) and steps[0]["run_status"] in ("failure", "aborted"))
        time.sleep(0.5)


def write_steps(session: Session, steps: list[Row], shown: set[int]) -> None:
    """Write the ended steps that are not *shown* yet, and note that they are."""
    for step in steps:
        if step["jslid"] is None or step["jslid"] in shown or step["step_status"] == "running":
            continue
        shown.add(step["jslid"])
        click.echo(to_json(step) if session.json else step_text(step))


def step_text(step: Row) -> str:
    """Return a step's result and what it has written."""
    result = f"result {step['jslresult']}" if step["jslresult"] is not None else "no result"
    head = f"-- step {plain(step['jstname'])}: {step['step_status']}, {result}, {cell(step['jslduration'])}"
    output = (step["jsloutput"] or "").rstrip()
    return f"{head}\n{block(output)}" if output else head
