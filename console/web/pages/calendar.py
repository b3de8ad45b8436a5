"""What runs in the coming weeks, day by day. Jobs that run all day long are in a list of their own."""

from collections import defaultdict
from datetime import date, datetime, timedelta

from starlette.responses import Response

from ..visit import Visit

WEEKS = 4
# Who runs more often in four weeks would hide all others.
OFTEN = 60
MOST_JOBS = 1000
SHOWN = 8

COMING = """
SELECT v.jobid, v.jobname, n.at
  FROM (SELECT j.jobid, j.jobname FROM pgagent_py.visible_job j
         WHERE j.jobenabled AND j.jobnextrun < %(until)s ORDER BY j.jobnextrun LIMIT %(jobs)s) v
 CROSS JOIN LATERAL pgagent_py.next_runs(v.jobid, %(count)s) n (at)
 WHERE n.at < %(until)s ORDER BY n.at, v.jobname"""
WORDS = """
SELECT jobid, string_agg(words, '; ' ORDER BY jscid) AS words FROM pgagent_py.visible_schedule
 WHERE jobid = ANY (%(jobs)s) AND jscenabled GROUP BY jobid"""


def show(visit: Visit) -> Response:
    """Show weeks from Monday to Sunday, this one first."""
    zone = visit.zone
    today = visit.now.astimezone(zone).date()
    monday = today - timedelta(days=today.weekday())
    until = datetime.combine(monday + timedelta(weeks=WEEKS), datetime.min.time(), zone)
    times: dict[tuple[int, str], list[datetime]] = defaultdict(list)
    for row in visit.rows(COMING, until=until, jobs=MOST_JOBS, count=OFTEN + 1):
        times[row.jobid, row.jobname].append(row.at)
    cells: dict[date, list[tuple[datetime, int, str]]] = defaultdict(list)
    often = {job: name for (job, name), found in times.items() if len(found) > OFTEN}
    for (job, name), found in times.items():
        for at in found if job not in often else []:
            cells[at.astimezone(zone).date()].append((at, job, name))
    words = {row.jobid: row.words for row in visit.rows(WORDS, jobs=list(often))}
    return visit.show(
        "calendar.html",
        weeks=[[monday + timedelta(days=7 * week + day) for day in range(7)] for week in range(WEEKS)],
        cells={day: sorted(found) for day, found in cells.items()},
        often=[
            (job, name, words.get(job, "")) for job, name in sorted(often.items(), key=lambda item: item[1])
        ],
        today=today,
        shown=SHOWN,
        cut=len(times) == MOST_JOBS,
    )
