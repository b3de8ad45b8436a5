"""One job: what it is, when it runs, how its runs went."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.types.json import Jsonb
from starlette.responses import Response

from ..drawing import dependencies, trend, year
from ..visit import BadRequestError, NotFoundError, Visit, json_object

RUNS = 200

JOB = """
SELECT v.*, s.last_status, s.failures_in_a_row, s.running_run
  FROM pgagent_py.visible_job v LEFT JOIN pgagent_py.job_status s ON s.jobid = v.jobid WHERE v.jobid = %(job)s"""
SCHEDULES = "SELECT * FROM pgagent_py.visible_schedule WHERE jobid = %(job)s ORDER BY jscname, jscid"
STEPS = "SELECT * FROM pgagent_py.visible_step WHERE jobid = %(job)s ORDER BY jstname, jstid"
OPTIONS = "SELECT to_jsonb(o) FROM pgagent_py.job_options o WHERE o.jobid = %(job)s"
STEP_OPTIONS = "SELECT jstid, to_jsonb(o) AS options FROM pgagent_py.step_options o WHERE o.jobid = %(job)s"
SCHEDULE_OPTIONS = (
    "SELECT jscid, to_jsonb(o) AS options FROM pgagent_py.schedule_options o WHERE o.jobid = %(job)s"
)
LAST_RUNS = """
SELECT jlgid, run_status, jlgstart, jlgduration, lateness, trigger FROM pgagent_py.visible_run
 WHERE jobid = %(job)s ORDER BY jlgid DESC LIMIT %(count)s"""
CHANGES = "SELECT * FROM pgagent_py.job_changes WHERE jobid = %(job)s ORDER BY changed_at DESC LIMIT 30"
# Every minute for a year is half a million runs: the days are counted in the database.
DAYS = """
SELECT (jlgstart AT TIME ZONE %(zone)s)::date AS day, count(*) AS runs, count(*) FILTER (WHERE run_status = 'failure') AS failures
  FROM pgagent_py.runs_between(%(since)s, job => %(job)s) GROUP BY 1"""
# What the lists of options say besides is named by the job, step or schedule itself.
NAMES = {"job", "jobid", "step", "jstid", "schedule", "jscid", "name"}


def show(visit: Visit) -> Response:
    """Show it."""
    id_ = visit.number("id")
    job = visit.row(JOB, job=id_)
    if job is None:
        raise NotFoundError(f"There is no job {id_}, or it is not yours to see.")
    upcoming = [row[0] for row in visit.rows("SELECT pgagent_py.next_runs(%(job)s, 10)", job=id_)]
    return visit.show(
        "job.html",
        job=job,
        schedules=visit.rows(SCHEDULES, job=id_),
        steps=visit.rows(STEPS, job=id_),
        job_options=_given(visit.value(OPTIONS, job=id_)),
        step_options={row.jstid: _given(row.options) for row in visit.rows(STEP_OPTIONS, job=id_)},
        schedule_options={row.jscid: _given(row.options) for row in visit.rows(SCHEDULE_OPTIONS, job=id_)},
        upcoming=clock_changes(upcoming, visit.zone),
        changes=visit.rows(CHANGES, job=id_),
        around=dependencies.around(visit, id_),
        **past(visit, id_),
    )


def past(visit: Visit, job: int) -> dict[str, Any]:
    """Return what the page shows of the job's runs."""
    runs = visit.rows(LAST_RUNS, job=job, count=RUNS)
    oldest_first = runs[::-1]
    today = visit.now.astimezone(visit.zone).date()
    since = datetime.combine(today - timedelta(days=370), datetime.min.time(), visit.zone)
    days = visit.rows(DAYS, job=job, zone=visit.zone.key, since=since)
    return {
        "runs": runs,
        "durations": trend.draw(
            "Duration", [(r.jlgid, r.jlgstart, r.jlgduration, r.run_status) for r in oldest_first], visit.url
        ),
        "lateness": trend.draw(
            "Lateness", [(r.jlgid, r.jlgstart, r.lateness, r.run_status) for r in oldest_first], visit.url
        ),
        "heat": year.draw(today, {row.day: (row.runs, row.failures) for row in days}),
        "total": _total(days, today),
    }


def run(visit: Visit) -> Response:
    """Run it now: fields from_step, only_step (ids of steps) and parameters (a JSON object)."""
    from_step, only_step = _id(visit, "from_step"), _id(visit, "only_step")
    parameters = json_object(str(visit.form.get("parameters", "")))
    visit.call(
        "run_now",
        job=visit.number("id"),
        from_step=from_step,
        only_step=only_step,
        parameters=as_json(parameters),
    )
    return visit.go_to(f"jobs/{visit.number('id')}")


def as_json(value: object) -> Any:
    """Return a value for a parameter of type jsonb, None for None."""
    return None if value is None else Jsonb(value)


def clock_changes(times: list[datetime], zone: ZoneInfo) -> list[tuple[datetime, bool]]:
    """Return each time, and whether the clocks have changed since the one before."""
    offsets = [at.astimezone(zone).utcoffset() for at in times]
    return [(at, number > 0 and offsets[number] != offsets[number - 1]) for number, at in enumerate(times)]


def _given(options: dict[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (options or {}).items() if name not in NAMES and value is not None}


def _total(days: list[Any], today: date) -> tuple[int, int]:
    year_ago = today - timedelta(days=365)
    lately = [row for row in days if row.day > year_ago]
    return sum(row.runs for row in lately), sum(row.failures for row in lately)


def _id(visit: Visit, field: str) -> int | None:
    text = str(visit.form.get(field, "")).strip()
    if not text:
        return None
    if not text.isdecimal() or len(text) > 9:
        raise BadRequestError(f"{field} must be the id of a step.")
    return int(text)
