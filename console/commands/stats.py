"""Trends: which jobs are slow, fail, or grow."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import click

from ..cli import command
from ..names import pages_of_jobs
from ..output import Table, when, write_rows
from ..session import Row, Session
from ..times import Time

STATISTICS = "SELECT * FROM pgagent_py.run_statistics(%s, %s)"
FAILING = """
SELECT r.jobid FROM pgagent_py.visible_run r
 WHERE r.jlgid >= pgagent_py._first_run(%(since)s) AND r.jlgstart >= %(since)s AND r.run_status IN ('failure', 'aborted')
 GROUP BY r.jobid, r.jobname ORDER BY count(*) DESC, r.jobname LIMIT %(limit)s"""
DURATIONS = """
SELECT n.jobid, array_agg(n.seconds ORDER BY n.jlgid) AS seconds FROM (
       SELECT r.jobid, r.jlgid, extract(epoch FROM r.jlgduration)::float8 AS seconds
         FROM unnest(%s::int4[]) j (jobid) CROSS JOIN LATERAL (
              SELECT * FROM pgagent_py.visible_run v WHERE v.jobid = j.jobid AND v.jlgduration IS NOT NULL
               ORDER BY v.jlgid DESC LIMIT 20) r) n
 GROUP BY n.jobid"""
SPARKS = "▁▂▃▄▅▆▇█"
MOST = 10
GROWTH = 1.2
COLUMNS = {
    "jobname": "JOB",
    "runs": "RUNS",
    "failures": "FAILED",
    "median_duration": "MEDIAN",
    "p95_duration": "95 %",
    "median_lateness": "LATE",
    "trend": "BEFORE",
    "sparkline": "LAST 20",
}


@command("pgagentctl stats --since 30d")
@click.option("--since", type=Time(), metavar="TIME", help="From when: 7d, 2026-12-01. Default: 7 days.")
def stats(session: Session, since: datetime | None) -> None:
    """Show the slowest jobs, those that fail most, and those that grow, beside the period before."""
    since = since or datetime.now().astimezone() - timedelta(days=7)
    if session.json:
        pages = (session.rows(STATISTICS, since, jobs) for jobs in pages_of_jobs(session, growth=2))
        write_rows((page for page in pages if page), {}, True)
        return
    click.echo(f"runs since {when(since)}, beside as long before")
    # To count a million runs takes seconds, to find those that have failed does not.
    failing = session.connection.execute(FAILING, {"since": since, "limit": MOST}).fetchall()
    rows = session.rows(STATISTICS, since, [row["jobid"] for row in failing])
    if not rows:
        click.echo(f"{click.style('most failing', bold=True)}: none")
    _show(session, "most failing", rows, lambda row: row["failures"])
    sys.stdout.flush()
    rows = session.rows(STATISTICS, since, None)
    if not rows:
        click.echo("no runs in this time")
    _show(session, "slowest", rows, lambda row: row["p95_duration"])
    growing = [row for row in rows if (row["duration_trend"] or 0) >= GROWTH]
    _show(session, "growing", growing, lambda row: row["duration_trend"])


def _show(session: Session, heading: str, rows: list[Row], key: Callable[[Row], Any]) -> None:
    best = sorted((row for row in rows if key(row) is not None), key=key, reverse=True)[:MOST]
    if not best:
        return
    durations = {
        row["jobid"]: row["seconds"] for row in session.rows(DURATIONS, [row["jobid"] for row in best])
    }
    for row in best:
        row["sparkline"] = sparkline(durations.get(row["jobid"], []))
        row["trend"] = "-" if row["duration_trend"] is None else f"x {row['duration_trend']:.2f}"
    click.echo(click.style(heading, bold=True))
    Table(COLUMNS, indent=2).write([best])


def sparkline(values: list[float]) -> str:
    """Return a line of blocks whose heights are the values, from 0 on."""
    most = max(values, default=0)
    return "".join(SPARKS[round(value / most * (len(SPARKS) - 1)) if most else 0] for value in values)
