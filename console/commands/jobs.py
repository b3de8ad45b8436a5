"""The list of jobs."""

from __future__ import annotations

from collections.abc import Iterator

import click

from ..cli import command
from ..names import pages_of_jobs
from ..output import write_rows
from ..session import Row, Session

# Names first, which is quick for any number of jobs; the rest for a page at a time.
STATUS = """
SELECT s.*, v.jobclass, v.jobowner, v.jobdesc
  FROM unnest(%s::int4[]) WITH ORDINALITY n (jobid, place)
 CROSS JOIN LATERAL (SELECT * FROM pgagent_py.job_status s WHERE s.jobid = n.jobid OFFSET 0) s
 CROSS JOIN LATERAL (SELECT * FROM pgagent_py.visible_job v WHERE v.jobid = n.jobid OFFSET 0) v
 ORDER BY n.place"""
COLUMNS = {
    "jobid": "ID",
    "jobname": "JOB",
    "jobenabled": "ENABLED",
    "last_status": "LAST",
    "last_start": "STARTED",
    "last_duration": "TOOK",
    "next_run": "NEXT",
    "failures_in_a_row": "FAILED",
    "jobowner": "OWNER",
}


@command("pgagentctl jobs report")
@click.argument("part", required=False)
def jobs(session: Session, part: str | None) -> None:
    """List the jobs by name, with their last and next runs. PART: only those with this in their name."""
    write_rows(_pages(session, part), COLUMNS, session.json, "no jobs")


def _pages(session: Session, part: str | None) -> Iterator[list[Row]]:
    for ids in pages_of_jobs(session, part):
        yield session.rows(STATUS, ids)
