"""The first page: what is at work, what goes wrong, what comes next. It is drawn again whenever it changes."""

from typing import Any

from starlette.responses import Response

from ..visit import Visit

MANY = 50

# The usual duration is the median of the last successes: of twenty at most, so that a long history costs nothing.
RUNNING = """
SELECT s.jobid, s.jobname, s.running_run, extract(epoch FROM s.running_for)::float AS seconds, usual.seconds AS usual
  FROM (SELECT v.jobid FROM pgagent_py.visible_job v WHERE v.jobrunning) j
 CROSS JOIN LATERAL (SELECT * FROM pgagent_py.job_status t WHERE t.jobid = j.jobid OFFSET 0) s
  LEFT JOIN LATERAL (
       SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM r.jlgduration)) AS seconds
         FROM (SELECT v.jlgduration FROM pgagent_py.visible_run v
                WHERE v.jobid = s.jobid AND v.run_status = 'success' ORDER BY v.jlgid DESC LIMIT 20) r) usual ON true
 WHERE s.running_run IS NOT NULL ORDER BY s.running_for DESC LIMIT %(many)s"""
FAILING = """
SELECT jobid, jobname, last_run, last_start, failures_in_a_row FROM pgagent_py.job_status
 WHERE failures_in_a_row > 0 ORDER BY last_start DESC LIMIT %(many)s"""
LATE = """
SELECT v.jobid, v.jobname, v.jobnextrun, clock_timestamp() - v.jobnextrun AS late FROM pgagent_py.visible_job v
 WHERE v.jobenabled AND NOT v.jobrunning AND v.jobnextrun < clock_timestamp() - interval '5 s'
   AND (SELECT s.window_opens FROM pgagent_py.job_status s WHERE s.jobid = v.jobid) IS NULL
 ORDER BY v.jobnextrun LIMIT %(many)s"""
NEXT = """
SELECT jobid, jobname, jobnextrun FROM pgagent_py.visible_job
 WHERE jobenabled AND jobnextrun >= clock_timestamp() - interval '5 s' ORDER BY jobnextrun, jobname LIMIT 10"""


def show(visit: Visit) -> Response:
    """Show the page."""
    return visit.show("overview.html", **parts(visit))


def draw(visit: Visit) -> str:
    """Return what changes of it."""
    return visit.render("overview_live.html", **parts(visit))


def parts(visit: Visit) -> dict[str, Any]:
    """Return the lists of the page."""
    return {
        "launchers": visit.rows("SELECT * FROM pgagent_py.launchers LIMIT %(many)s", many=MANY),
        "sees": visit.rows("SELECT * FROM pgagent_py.visibility")[0],
        "running": visit.rows(RUNNING, many=MANY),
        "failing": visit.rows(FAILING, many=MANY),
        "late": visit.rows(LATE, many=MANY),
        "paused": visit.rows("SELECT class AS job_class, paused_since, paused_by FROM pgagent_py.paused"),
        "problems": visit.rows("SELECT * FROM pgagent_py.problems LIMIT %(many)s", many=MANY),
        "unsent": visit.value("SELECT count(*) FROM pgagent_py.unsent_message WHERE qmstries > 0"),
        "next": visit.rows(NEXT),
    }
