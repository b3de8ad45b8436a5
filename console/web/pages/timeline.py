"""Jobs as rows, runs as bars, over a span that one chooses."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from starlette.responses import Response

from ..drawing import timeline
from ..drawing.timeline import Axis, Bar
from ..visit import BadRequestError, Visit

SPANS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}
LONGEST = timedelta(days=400)
MOST_JOBS = 1000
MOST_COMING = 5000

RUNS = """
SELECT jobid, jobname, jlgid, run_status, jlgstart, coalesce(jlgstart + jlgduration, clock_timestamp()) AS jlgend
  FROM pgagent_py.runs_between(%(since)s, %(until)s, %(job)s) ORDER BY jlgid DESC LIMIT 100000"""
COMING = """
SELECT at, jobid, jobname FROM pgagent_py.upcoming_runs(%(until)s, greatest(%(since)s, now()), %(count)s)
 WHERE %(job)s::integer IS NULL OR jobid = %(job)s"""


def show(visit: Visit) -> Response:
    """Show a span: parameters span (hour, day, week), or since and until, in the zone of the page without an offset; job."""
    now = visit.now
    since, until = _span(visit, now)
    job = _job(visit)
    runs = visit.rows(RUNS, since=since, until=until, job=job)
    coming = visit.rows(COMING, since=since, until=until, job=job, count=MOST_COMING) if until > now else []
    names = {row.jobid: row.jobname for row in [*runs, *coming]}
    if job is not None and not names:
        names = {
            row.jobid: row.jobname
            for row in visit.rows(
                "SELECT jobid, jobname FROM pgagent_py.visible_job WHERE jobid = %(job)s", job=job
            )
        }
    jobs = sorted(names.items(), key=lambda item: (item[1].lower(), item[0]))[:MOST_JOBS]
    bars = [Bar(row.jobid, row.run_status, row.jlgstart, row.jlgend, row.jlgid) for row in runs]
    width = (until - since) / 500
    bars += [Bar(row.jobid, "coming", row.at, row.at + width) for row in coming]
    length = until - since
    return visit.show(
        "timeline.html",
        picture=timeline.draw(Axis(since, until, visit.zone), jobs, bars, visit.url, now) if jobs else "",
        since=since,
        until=until,
        job=job,
        count=len(runs),
        left_out=len(names) - len(jobs),
        moves={
            "Earlier": (since - length / 2, until - length / 2),
            "Later": (since + length / 2, until + length / 2),
            "Closer": (since + length / 4, until - length / 4),
            "Wider": (since - length / 2, until + length / 2),
        },
        spans=SPANS,
        iso=_iso,
    )


def _span(visit: Visit, now: datetime) -> tuple[datetime, datetime]:
    given = visit.parameter("since"), visit.parameter("until")
    if any(given):
        since, until = (
            _time(name, value, visit.zone) for name, value in zip(("since", "until"), given, strict=True)
        )
        if not timedelta(seconds=1) <= until - since <= LONGEST:
            raise BadRequestError(f"until must be after since, by {LONGEST.days} days at most.")
        return since, until
    word = visit.parameter("span", "day")
    if word not in SPANS:
        raise BadRequestError(f"span must be one of {', '.join(SPANS)}.")
    # A quarter of the span shows what is coming.
    return now - SPANS[word] * 3 / 4, now + SPANS[word] / 4


def _time(name: str, text: str, zone: ZoneInfo) -> datetime:
    try:
        value = datetime.fromisoformat(text)
        if not 1970 <= value.year <= 9000:
            raise ValueError("the year is out of range")
    except ValueError as error:
        raise BadRequestError(
            f"{name} must be a time, such as 2030-01-01T12:00 or 2030-01-01T12:00:00Z: {error}"
        ) from None
    return (value if value.tzinfo else value.replace(tzinfo=zone)).astimezone(UTC)


def _job(visit: Visit) -> int | None:
    text = visit.parameter("job")
    if not text:
        return None
    if not text.isdecimal() or len(text) > 9:
        raise BadRequestError("job must be the id of a job.")
    return int(text)


def _iso(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
