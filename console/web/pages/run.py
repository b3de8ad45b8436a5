"""One run: its steps in time, what they wrote, and what to do about it."""

from typing import Any

from starlette.responses import Response

from ..drawing import waterfall
from ..visit import NotFoundError, Visit

# How many characters of a step's output the page shows, and a page of its own
SHOWN = 20_000
PAGE = 200_000

RUN = "SELECT * FROM pgagent_py.visible_run WHERE jlgid = %(run)s"
STEPS = """
SELECT jslid, jstid, jstname, try AS number, step_status, jslresult, jslstart, jslduration, length(jsloutput) AS length,
       coalesce(jslstart + jslduration, clock_timestamp()) AS jslend, left(jsloutput, %(shown)s) AS output
  FROM pgagent_py.run_history WHERE jlgid = %(run)s AND jslid IS NOT NULL ORDER BY jslid"""
USUAL = """
SELECT extract(epoch FROM percentile_cont(0.5) WITHIN GROUP (ORDER BY jlgduration))::float FROM (
    SELECT jlgduration FROM pgagent_py.visible_run
     WHERE jobid = %(job)s AND run_status = 'success' ORDER BY jlgid DESC LIMIT 20) r"""
OUTPUT = """
SELECT jstname, length(jsloutput) AS length, substr(jsloutput, %(first)s, %(count)s) AS output
  FROM pgagent_py.run_history WHERE jlgid = %(run)s AND jslid = %(step)s"""


def show(visit: Visit) -> Response:
    """Show it."""
    return visit.show("run.html", **parts(visit))


def draw(visit: Visit) -> str:
    """Return what changes of it while it runs."""
    return visit.render("run_live.html", **parts(visit))


def parts(visit: Visit) -> dict[str, Any]:
    """Return what the page shows."""
    id_ = visit.number("id")
    run = visit.row(RUN, run=id_)
    if run is None:
        raise NotFoundError(f"There is no run {id_}, or it is not yours to see.")
    steps = visit.rows(STEPS, run=id_, shown=SHOWN)
    now = visit.now
    return {
        "run": run,
        "steps": steps,
        "again": list({step.jstid: step.jstname for step in steps}.items()),
        "seconds": (now - run.jlgstart).total_seconds() if run.run_status == "running" else None,
        "usual": visit.value(USUAL, job=run.jobid),
        "picture": waterfall.draw(run.jlgstart, steps),
        "shown": SHOWN,
    }


def show_output(visit: Visit) -> Response:
    """Show the output of a step in pages: parameter page, from 1."""
    text = visit.parameter("page", "1")
    page = int(text) if text.isdecimal() and 0 < len(text) < 6 else 1
    first = (max(page, 1) - 1) * PAGE + 1
    row = visit.row(OUTPUT, run=visit.number("id"), step=visit.number("step"), first=first, count=PAGE)
    if row is None:
        raise NotFoundError("There is no such step in this run, or it is not yours to see.")
    pages = max(1, -(-(row.length or 0) // PAGE))
    return visit.show(
        "output.html",
        row=row,
        page=max(page, 1),
        pages=pages,
        run=visit.number("id"),
        step=visit.number("step"),
    )


def cancel(visit: Visit) -> Response:
    """End it."""
    visit.call("cancel_run", run=visit.number("id"))
    return visit.go_to(f"runs/{visit.number('id')}")
