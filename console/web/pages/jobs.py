"""All jobs by name."""

from starlette.responses import Response

from ..visit import Visit

PAGE = 100
JOBS = """
SELECT v.jobid, v.jobname, v.jobenabled, v.jobowner, v.jobclass, v.jobrunning,
       s.last_run, s.last_status, s.last_start, s.last_duration, v.jobnextrun, s.failures_in_a_row
  FROM (SELECT * FROM pgagent_py.visible_job j
         WHERE (j.jobname, j.jobid) > (%(name)s, %(id)s) AND strpos(lower(j.jobname), lower(%(text)s)) > 0
         ORDER BY j.jobname, j.jobid LIMIT %(count)s) v
  LEFT JOIN LATERAL (SELECT * FROM pgagent_py.job_status t WHERE t.jobid = v.jobid OFFSET 0) s ON true
 ORDER BY v.jobname, v.jobid"""


def show(visit: Visit) -> Response:
    """Show a page of them: parameters name, to look for; after and id, to go on behind a job."""
    text, after = visit.parameter("name"), visit.parameter("after")
    id_ = visit.parameter("id", "0")
    rows = visit.rows(
        JOBS, text=text, name=after, id=int(id_) if id_.isdecimal() and len(id_) < 10 else 0, count=PAGE + 1
    )
    return visit.show("jobs.html", jobs=rows[:PAGE], more=len(rows) > PAGE, text=text)
