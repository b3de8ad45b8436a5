"""Choosing: which of the due jobs are claimed, and which of them first.

Asked only while there is something to choose by: owners, pauses, limits, windows, priorities, lateness, orders, jobs to delete.
Otherwise the claim takes the jobs that have been due longest.
"""

from __future__ import annotations

import time
from typing import TypedDict

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from .claimable import ANY, DUE_TOO, FOR_AGENT, SCOPES
from .finish import drop_done_jobs
from .late import LATE, MISSED, catch_up_missed, skip_late_jobs
from .limits import Places, lock_limits, places
from .look import LOOKED, LOOKED_TYPES, Look
from .orders import forget_void_orders
from .problems import NO_PROBLEM
from .rows import AgentRow
from .skip import SKIPPED, skip_asked
from .windows import NOTHING_SHUT, SHUT_TYPES, Shut, held_by_window, shut_now


class DueRow(TypedDict):
    """A due job, if one was found; owner: 0 if it has none; looked: among how many due jobs it was found."""

    looked: int
    jobid: int | None
    jobjclid: int
    jobgroup: str | None
    owner: int


# Due jobs that a turn looks at: those that are due longest, and the newest. Of more, it keeps in mind those that a look at all of
# them has found, so many of each owner and in all. Such a look may take the twentieth part of the time.
OLDEST, NEWEST, OF_AN_OWNER, IN_ALL = 1000, 200, 20, 2000
PART_OF_TIME = 20
_kept: list[int] = []
_next_look_at = 0.0

# Where it looks at many, it makes a list of them in their order, and one of the first of each owner. For a moment, turns look
# only at the head of a list, for each job that they want at so many, and at the newest jobs.
MANY, LISTED, HEAD, NEWEST_BESIDE = 200, 500, 3, 50
LIST_SECONDS, LIST_PART_OF_TIME = 0.25, 10
_listed: list[int] = []
_firsts: list[int] = []
_list_until = 0.0

# Databases that a role's steps wait for at an agent, at most, before its other jobs wait, too.
MOST_WAITING = 10

# $4 station, $5 what the agent knows, $6 agent, $7 full classes, $8 full groups, $9 full owners, $10 jobs not to take, $11 steps
# (jslid) that wait for a connection, $12 only these jobs, $13 only jobs of owners with nothing running here, $14 how many, $15 to
# $18 what windows hold back.
DUE_JOBS = f"""
-- owners with steps here
WITH running AS MATERIALIZED (
    SELECT coalesce(o.jobownerid, 0::oid) AS owner, count(*) AS count
      FROM pgagent_py.run r LEFT JOIN pgagent_py.job_option o ON o.jobid = ANY (ARRAY[r.jobid])
     WHERE r.agent = $6 AND r.jslid IS NOT NULL GROUP BY 1),
-- where steps wait for a connection: it is not tried by more of them. A role that waits for so many databases tries no others:
-- those need not exist.
waiting AS MATERIALIZED (
    SELECT w.*, w.role IS NOT NULL AND count(*) OVER (PARTITION BY w.role) >= {MOST_WAITING} AS crowded
      FROM (SELECT DISTINCT s.jstconnstr, s.jstdbname, coalesce(o.jobrunasid, o.jobownerid) AS role
              FROM pgagent_py.run r
              JOIN pgagent.pga_jobstep s ON s.jstid = ANY (ARRAY[r.jstid])
              LEFT JOIN pgagent_py.job_option o ON o.jobid = ANY (ARRAY[r.jobid])
             WHERE r.agent = $6 AND r.jslid = ANY ($11) AND s.jstkind = 's') w),
{LOOKED},
due AS MATERIALIZED (
    SELECT j.jobid, j.jobjclid, j.jobnextrun, o.jobgroup, o.owner, coalesce(r.count, 0) AS running,
           coalesce((SELECT l.priority FROM pgagent_py.job_limit l WHERE l.jobownerid = o.owner), 0) AS priority,
           row_number() OVER (PARTITION BY o.owner ORDER BY o.priority DESC, j.jobnextrun) AS place
      FROM looked
      JOIN pgagent.pga_job j ON j.jobid = ANY (ARRAY[looked.jobid])
     CROSS JOIN LATERAL (
           SELECT o.jobgroup, o.jobmaxlateness, o.jobcatchup, o.jobwindow, coalesce(o.jobownerid, 0::oid) AS owner,
                  coalesce(o.jobpriority, 0) AS priority, coalesce(o.jobrunasid, o.jobownerid) AS role
             FROM (SELECT) one LEFT JOIN pgagent_py.job_option o ON o.jobid = ANY (ARRAY[j.jobid])) o
      LEFT JOIN running r ON r.owner = o.owner
     WHERE {DUE_TOO} AND {FOR_AGENT.format(station="$4", knows="$5")} AND NOT ({held_by_window(15)})
       AND ({LATE}) IS NOT TRUE AND ({MISSED}) IS NOT TRUE AND NOT {SKIPPED}
       AND j.jobjclid <> ALL ($7) AND (o.jobgroup = ANY ($8)) IS NOT TRUE AND o.owner <> ALL ($9)
       AND j.jobid <> ALL ($10) AND ($12 IS NULL OR j.jobid = ANY ($12)) AND (r.count IS NULL OR NOT $13)
       AND NOT EXISTS (
           SELECT FROM waiting w JOIN pgagent.pga_jobstep s ON s.jstjobid = ANY (ARRAY[j.jobid])
            WHERE s.jstenabled AND s.jstkind = 's'
              AND (w.crowded OR s.jstconnstr = w.jstconnstr AND s.jstdbname = w.jstdbname)
              AND o.role IS NOT DISTINCT FROM w.role)
       {{only}} AND {NO_PROBLEM}),
-- owners go round: the first of each, those with fewer steps here before, then the second of each, and so on
turn AS (
    SELECT due.* FROM due WHERE due.place <= {{places}}
     ORDER BY due.priority DESC, due.running + due.place, due.jobnextrun)"""

DUE_TYPES = (
    *LOOKED_TYPES,
    *("text", "text[]", "uuid", "int4[]", "text[]", "oid[]", "int4[]", "int4[]", "int4[]", "bool", "int8"),
    *SHUT_TYPES,
)

TAKE_DUE = {
    scope: Statement(
        DUE_JOBS.format(only=only, places="$14")
        + """
SELECT l.looked, t.jobid, t.jobjclid, t.jobgroup, t.owner::int8 AS owner
  FROM (SELECT count(*) AS looked FROM looked) l
  LEFT JOIN LATERAL (
       SELECT turn.* FROM turn CROSS JOIN LATERAL (
              SELECT FROM pgagent.pga_job j WHERE j.jobid = turn.jobid FOR NO KEY UPDATE SKIP LOCKED) locked
        LIMIT $14) t ON true""",
        *DUE_TYPES,
        row=DueRow,
    )
    for scope, only in SCOPES.items()
}
# What the next turns look at. $19: how many of an owner at most.
LOOK_AHEAD = {
    scope: Statement(
        DUE_JOBS.format(only=only, places="$19") + " SELECT turn.jobid FROM turn LIMIT $14",
        *DUE_TYPES,
        "int8",
    )
    for scope, only in SCOPES.items()
}

# Steps beyond a launcher's workers that it has for owners with nothing running there, at most.
MOST_OWN_PLACES = 100


def choose_jobs(
    plpy: Plpy,
    agent: AgentRow,
    capacity: int,
    scope: str,
    among: list[int] | None = None,
    own_places: int = 0,
) -> list[int]:
    """Return at most *capacity* due jobs to claim, in order. They are locked. Owners go round.

    Beyond these, one job for each of *own_places* owners with nothing running at this agent. Before that, some that are too
    late are skipped. *among*: only of these.
    """
    locked = False
    if agent["jagall"]:
        if agent["deleting"]:
            drop_done_jobs(plpy)
        if agent["ordered"]:
            forget_void_orders(plpy)
        locked = lock_limits(plpy)
    if agent["skipping"] and among is None:
        skip_asked(plpy, agent, scope)
    free = places(plpy)
    if free.everything_paused:
        return []
    # Another agent is claiming, or this is a user's session, which may stay in its transaction: only jobs without a limit.
    if not locked:
        free.close(shared_only=not agent["jagall"])
    shut = shut_now(plpy)[0] if agent["windowed"] else NOTHING_SHUT
    late = False
    if agent["belated"] and not _has_list(scope, among):
        look = _look_at_many()
        late = skip_late_jobs(plpy, agent, scope, look, free, shut, among)
        late |= catch_up_missed(plpy, agent, scope, look, free, shut, among)
    chosen = _take(plpy, agent, capacity, scope, free, shut, among, [])
    if own_places > 0:
        chosen += _take(plpy, agent, own_places, scope, free, shut, among, chosen, of_own=True)
    if late:  # the next turn looks for more of them
        _drop_list()
    return chosen


def _take(
    plpy: Plpy,
    agent: AgentRow,
    count: int,
    scope: str,
    free: Places,
    shut: Shut,
    among: list[int] | None,
    taken: list[int],
    *,
    of_own: bool = False,
) -> list[int]:
    """Return at most *count* jobs beside those *taken*; *of_own*: one of each owner with nothing running or taken."""
    chosen: list[int] = []
    owners = {row["owner"] for row in OWNERS(plpy, taken)} if of_own else set()
    while len(chosen) < count:
        classes, groups, full = free.full()
        me = agent["jagstation"], agent["jagknows"], agent["agent"], classes, groups, [*full, *owners]
        rest = agent["connecting"], among
        look = _look_at_list(count, of_own) if (listed := _has_list(scope, among)) else _look_at_many()
        rows = TAKE_DUE[scope](plpy, *look, *me, taken + chosen, *rest, of_own, count, *shut)
        found = [row for row in rows if row["jobid"] is not None]
        for row in found:
            jobid, owner = row["jobid"], row["owner"]
            if jobid is None or len(chosen) == count or owner in owners:
                continue
            if free.take(row["jobjclid"], row["jobgroup"], owner):
                chosen.append(jobid)
                if of_own:
                    owners.add(owner)
        enough = len(found) >= count
        if not listed:
            others = *me, taken + chosen, *rest
            _look_ahead(plpy, scope, rows[0]["looked"], others, shut, listing=enough or of_own)
        elif not enough and not of_own:
            _drop_list()
        if not enough and (of_own or not listed):
            break
    _listed[:] = [jobid for jobid in _listed if jobid not in chosen]
    return chosen


# $1 jobs.
OWNERS = Statement(
    """
SELECT DISTINCT coalesce(o.jobownerid, 0::oid)::int8 AS owner
  FROM unnest($1) j (jobid) LEFT JOIN pgagent_py.job_option o ON o.jobid = ANY (ARRAY[j.jobid])""",
    "int4[]",
)


def _has_list(scope: str, among: list[int] | None) -> bool:
    return scope == ANY and among is None and time.monotonic() < _list_until


def _drop_list() -> None:
    global _list_until
    _list_until = 0.0


def _look_at_many() -> Look:
    return Look(OLDEST, NEWEST, _kept)


def _look_at_list(count: int, of_own: bool) -> Look:
    return Look(0, NEWEST_BESIDE, _firsts if of_own else _listed[: HEAD * count])


def _look_ahead(
    plpy: Plpy, scope: str, looked: int, rest: tuple[object, ...], shut: Shut, *, listing: bool
) -> None:
    """Keep in mind what the next turns look at, after a look at so many jobs; *listing*: make lists, too, if they are many."""
    global _next_look_at, _list_until

    def ahead(look: Look, of_own: bool, most: int, of_an_owner: int) -> list[int]:
        rows = LOOK_AHEAD[scope](plpy, *look, *rest, of_own, most, *shut, of_an_owner)
        return [row["jobid"] for row in rows]

    start = time.monotonic()
    if looked <= OLDEST:
        _kept.clear()
    elif start >= _next_look_at:
        _kept[:] = ahead(Look(None, 0, []), False, IN_ALL, OF_AN_OWNER)
        _next_look_at = time.monotonic() + PART_OF_TIME * (time.monotonic() - start)
    if listing and looked > MANY and scope == ANY:
        start = time.monotonic()
        look = _look_at_many()
        _listed[:] = ahead(look, False, LISTED, LISTED)
        _firsts[:] = ahead(look, True, MOST_OWN_PLACES, 1)
        spent = time.monotonic() - start
        _list_until = time.monotonic() + max(LIST_SECONDS, LIST_PART_OF_TIME * spent)
