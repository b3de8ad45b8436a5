"""The schedules that a job has by cron of add_job and alter_job: which they are, how others take their place."""

from __future__ import annotations

from typing import Any, TypedDict

from ..ground.errors import PgAgentError
from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.vocabulary import SETS
from ..rules.schedule_text import as_cron, read_sets
from ..rules.spread import key_of
from .cron import is_reboot
from .exceptions import add_exception
from .options import Columns, New, Values
from .schedule_ways import key_of_new, schedule_ways
from .schedules import OPTIONS, add_schedule, alter_schedule, new_schedules

MARK = Statement("INSERT INTO pgagent_py.cron_schedule (jscid) SELECT unnest($1)", "int4[]")
MARKED = Columns("pgagent_py.cron_schedule", "jscid")


def new_cron(plpy: Plpy, name: str, cron: str, timezone: str | None) -> list[New]:
    """Return the schedules of *cron* for a job that is being added, under its name, as parts of it."""
    given = {"timezone": timezone, "key": lambda: key_of(name, name)}
    return [
        new._replace(of="jscjobid", parts=(*new.parts, New(MARKED, {}, "jscid")))
        for new, _ in new_schedules(plpy, name, cron, None, given)
    ]


def add_cron(
    plpy: Plpy, caller: str, job: int | None, name: str | None, cron: str, timezone: str | None
) -> None:
    """Give *job* the schedules of *cron*, under the name of the job."""
    MARK(plpy, add_schedule(plpy, caller, job=job, name=name, cron=cron, timezone=timezone))


class Present(TypedDict):
    """A schedule of a job. *plain*: it could be one of before 1.1, when nothing marked what cron has made."""

    jscid: int
    jscname: str
    marked: bool
    plain: bool
    reboot: bool
    timed: bool
    timezone: str
    nth: list[int]
    workdays: list[int]
    roll: str
    odd: bool
    minutes: str
    hours: str
    weekdays: str
    monthdays: str
    months: str


FIND_SCHEDULES = Statement(
    f"""
SELECT s.jscid, s.jscname, m.jscid IS NOT NULL AS marked, coalesce(o.jscreboot, false) AS reboot,
       o.jscevery IS NOT NULL OR o.jscat IS NOT NULL AS timed, coalesce(o.jsctimezone, '') AS timezone,
       coalesce(o.jscnth, '{{}}') AS nth, coalesce(o.jscworkdays, '{{}}') AS workdays, coalesce(o.jscroll, '') AS roll,
       num_nonnulls(o.jscdays, o.jscrecurs) > 0 AS odd,
       s.jscname = j.jobname AND o.jscevery IS NULL AND o.jscat IS NULL AND o.jscreboot IS NOT TRUE
       AND num_nonnulls(o.jscdays, o.jscnth, o.jscworkdays, o.jscroll, o.jscrecurs) = 0
       AND NOT EXISTS (SELECT FROM pgagent_py.every_exception e WHERE e.jexscid = s.jscid) AS plain,
       {", ".join(f"s.jsc{name}::text AS {name}" for name in SETS)}
  FROM pgagent.pga_schedule s
  JOIN pgagent.pga_job j ON j.jobid = s.jscjobid
  LEFT JOIN pgagent_py.schedule_option o ON o.jscid = s.jscid
  LEFT JOIN pgagent_py.cron_schedule m ON m.jscid = s.jscid
 WHERE s.jscjobid = $1 ORDER BY s.jscid""",
    "int4",
    row=Present,
)
NAME = Statement("SELECT j.jobname FROM pgagent.pga_job j WHERE j.jobid = $1", "int4")
DROP = Statement("DELETE FROM pgagent.pga_schedule s WHERE s.jscid = ANY ($1)", "int4[]")
REMARK = Statement(
    "INSERT INTO pgagent_py.cron_schedule (jscid) SELECT unnest($1) ON CONFLICT DO NOTHING", "int4[]"
)

# What a second schedule of a cron expression has from the first: $1 the first, $2 the second.
LIKE_SCHEDULE = Statement(
    """
UPDATE pgagent.pga_schedule s SET (jscdesc, jscenabled, jscstart, jscend) =
       (SELECT f.jscdesc, f.jscenabled, f.jscstart, f.jscend FROM pgagent.pga_schedule f WHERE f.jscid = $1)
 WHERE s.jscid = $2""",
    "int4",
    "int4",
)
LIKE_OPTIONS = Statement(
    """
INSERT INTO pgagent_py.schedule_option (jscid, jsctimezone)
SELECT $2, f.jsctimezone FROM pgagent_py.schedule_option f WHERE f.jscid = $1
    ON CONFLICT (jscid) DO UPDATE SET jsctimezone = excluded.jsctimezone""",
    "int4",
    "int4",
)
LIKE_CALENDARS = Statement(
    """
INSERT INTO pgagent_py.schedule_calendar (jscid, calname, calonly)
SELECT $2, f.calname, f.calonly FROM pgagent_py.schedule_calendar f WHERE f.jscid = $1""",
    "int4",
    "int4",
)
EXCEPTIONS = Statement(
    "SELECT e.jexdate::text AS on_date, e.jextime::text AS at_time FROM pgagent_py.every_exception e WHERE e.jexscid = $1",
    "int4",
)


def set_cron(plpy: Plpy, caller: str, job: int | None, cron: str) -> None:
    """Let *cron* make the schedules of *job*, in the place of those that cron has made; '' takes them away.

    A schedule that stays keeps its id, and what else is set for it. A second one is made like it.
    """
    present = list(FIND_SCHEDULES(plpy, job))
    _check_made_by_cron(job, present)
    if cron.strip() and not present:
        add_cron(plpy, caller, job, NAME(plpy, job)[0]["jobname"], cron, None)
        return
    ways = _ways(plpy, job, cron, present[0]["jscname"]) if cron.strip() else []
    reboot = bool(ways) and is_reboot(cron)
    ids = [row["jscid"] for row in present[: len(ways)]]
    for schedule, way in zip(ids, ways):
        OPTIONS.write(plpy, schedule, {"jscevery": "0", "jscat": "infinity", "jscreboot": reboot})
        alter_schedule(plpy, caller, schedule=schedule, **way)
    DROP(plpy, [row["jscid"] for row in present[len(ways) :]])
    for way in ways[len(present) :]:
        ids.append(_add_like(plpy, caller, job, way, ids[0]))
    REMARK(plpy, ids)


def _ways(plpy: Plpy, job: int | None, cron: str, name: str) -> list[Values]:
    """Return the arguments of the schedules that *cron* stands for."""
    return schedule_ways(plpy, None, cron, None, {"key": lambda: key_of_new(plpy, job, name)})


def _add_like(plpy: Plpy, caller: str, job: int | None, way: Values, first: int) -> int:
    name = NAME(plpy, job)[0]["jobname"]
    (schedule,) = add_schedule(plpy, caller, job=job, name=name, **way)
    LIKE_SCHEDULE(plpy, first, schedule)
    LIKE_OPTIONS(plpy, first, schedule)
    LIKE_CALENDARS(plpy, first, schedule)
    for row in EXCEPTIONS(plpy, first):
        add_exception(plpy, caller, schedule=schedule, **row)
    return schedule


def _check_made_by_cron(job: int | None, present: list[Present]) -> None:
    """Refuse to replace what cron has not made. Before 1.1 nothing marked its schedules: they are known by their looks."""
    others = [row for row in present if not row["marked"]]
    if not others:
        return
    if len(others) == len(present) and all(row["plain"] for row in present) and as_cron(*map(_sets, present)):
        return
    raise PgAgentError(
        f'cron: schedule "{others[0]["jscname"][:1000]}" of job {job} was not made by cron of add_job() or alter_job()',
        f"Change it with alter_schedule({others[0]['jscid']}, cron => '...').",
    )


def _sets(row: Present) -> Any:
    given: Any = row
    return read_sets([given[name] for name in SETS])


def has_cron(plpy: Plpy, job: int | None, cron: str, timezone: str | None) -> bool:
    """Return whether the schedules of *job* are those that *cron* would make."""
    present = list(FIND_SCHEDULES(plpy, job))
    if not present:
        return False
    ways = _ways(plpy, job, cron, present[0]["jscname"])
    return (
        len(present) == len(ways)
        and all(_is_way(row, way) for row, way in zip(present, ways))
        and all(row["reboot"] is is_reboot(cron) and not row["timed"] for row in present)
        and (timezone is None or all(row["timezone"] == timezone for row in present))
    )


def _is_way(row: Present, way: Values) -> bool:
    """Return whether a schedule has the sets and rules of days of *way*."""
    wanted = _sets_of_way(way)
    rules = [list(row["nth"]), list(row["workdays"]), row["roll"]]
    return (
        _sets(row) == wanted
        and rules == [list(way["nth"]), list(way["workdays"]), way["roll"]]
        and not row["odd"]
    )


def _sets_of_way(way: Values) -> Any:
    return read_sets(
        [
            "{" + ",".join("t" if n in way[name] else "f" for n in range(first, last + 1)) + "}"
            for name, (first, last) in SETS.items()
        ]
    )


def set_timezone(plpy: Plpy, job: int | None, timezone: str) -> None:
    """Let the wall clock of *timezone* be that of the schedules of *job*."""
    for row in FIND_SCHEDULES(plpy, job):
        if row["timezone"] != timezone:
            OPTIONS.write(plpy, row["jscid"], {"jsctimezone": timezone})
