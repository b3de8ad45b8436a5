"""Search over the names of jobs and steps, and over what steps wrote in the last thirty days."""

import time
from datetime import timedelta
from typing import Any

from starlette.responses import Response

from ..visit import Visit

DAYS = 30
MOST = 50
SECONDS = 2.0
# So many runs are looked at in one statement: between two of them there is time to stop.
SLICE = 2_000

NAMES = """
SELECT jobid, jobname, NULL::text AS jstname FROM pgagent_py.visible_job WHERE strpos(lower(jobname), lower(%(text)s)) > 0
 UNION ALL
SELECT s.jobid, v.jobname, s.jstname FROM pgagent_py.visible_step s JOIN pgagent_py.visible_job v ON v.jobid = s.jobid
 WHERE strpos(lower(s.jstname), lower(%(text)s)) > 0
 ORDER BY 2, 3 NULLS FIRST LIMIT %(most)s"""
BOUNDS = "SELECT min(jlgid) AS first, max(jlgid) AS last FROM pgagent_py.runs_between(%(since)s)"
OUTPUTS = """
SELECT jlgid, jobid, jobname, jstname, step_status, jslstart,
       substr(jsloutput, greatest(strpos(lower(jsloutput), lower(%(text)s)) - 80, 1), 240) AS excerpt
  FROM pgagent_py.run_history
 WHERE jlgid > %(low)s AND jlgid <= %(high)s AND strpos(lower(jsloutput), lower(%(text)s)) > 0
 ORDER BY jlgid DESC LIMIT %(most)s"""


def show(visit: Visit) -> Response:
    """Show what has the text of parameter q."""
    text = visit.parameter("q").strip()[:200]
    context: dict[str, Any] = {
        "text": text,
        "names": [],
        "outputs": [],
        "cut": None,
        "days": DAYS,
        "most": MOST,
    }
    if text:
        context["names"] = visit.rows(NAMES, text=text, most=MOST)
        context["outputs"], context["cut"] = _outputs(visit, text)
    return visit.show("search.html", **context)


def _outputs(visit: Visit, text: str) -> tuple[list[Any], Any]:
    """Return the newest that have it, and the time of the oldest run looked at if it was cut."""
    bounds = visit.row(BOUNDS, since=visit.now - timedelta(days=DAYS))
    if bounds is None or bounds.last is None:
        return [], None
    found: list[Any] = []
    end = time.monotonic() + SECONDS
    high = bounds.last
    while high >= bounds.first and len(found) < MOST:
        if time.monotonic() > end:
            return found, visit.value(
                "SELECT jlgstart FROM pgagent_py.visible_run WHERE jlgid > %(high)s ORDER BY jlgid LIMIT 1",
                high=high,
            )
        low = max(high - SLICE, bounds.first - 1)
        found += visit.rows(OUTPUTS, text=text, low=low, high=high, most=MOST - len(found))
        high = low
    return found, None
