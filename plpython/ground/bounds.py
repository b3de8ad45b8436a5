"""Bounds: how many things a role may have, and how long their texts may be. Without them one role could fill what all share."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from .errors import PgAgentError
from .plan import Statement
from .plpy import Plpy
from .vocabulary import BOUNDS

READ_BOUNDS = Statement(
    """
SELECT b.bndname, b.bndvalue, b.jobowner IS NOT NULL AS own FROM pgagent_py.bound b
 WHERE b.jobowner IS NULL OR b.jobownerid = (SELECT r.oid FROM pg_roles r WHERE r.rolname = $1)""",
    "name",
)


def read_bounds(plpy: Plpy, role: str) -> dict[str, int]:
    """Return the bounds of *role*: its own count before those of every role."""
    rows = READ_BOUNDS(plpy, role)
    set_ = [{row["bndname"]: row["bndvalue"] for row in rows if row["own"] is own} for own in (False, True)]
    return BOUNDS | set_[0] | set_[1]


RAISE_IT = "An administrator can raise it with set_bound('{}', ...)."

# What is meant by "code" and "parameters"; all other texts, and lists, are "names".
CODE = {"sql", "batch", "crontab", "text", "subject", "html", "description"}


def check_sizes(plpy: Plpy, role: str, arguments: Mapping[str, Any]) -> None:
    """Refuse arguments of a call that are longer than *role* may make them."""
    bounds = read_bounds(plpy, role)
    for argument, value in arguments.items():
        if not isinstance(value, (str, list)) or not value:
            continue
        size = len((value if isinstance(value, str) else json.dumps(value)).encode(errors="replace"))
        name = "code" if argument in CODE else "parameters" if argument == "parameters" else "names"
        most = bounds[name]
        if size > most:
            raise PgAgentError(
                f"{argument} has {size} bytes, and role {role} may give {most}",
                RAISE_IT.format(name),
                sqlstate="54000",
            )


THINGS = {
    "jobs": "",
    "steps": "JOIN pgagent.pga_jobstep t ON t.jstjobid = o.jobid",
    "schedules": "JOIN pgagent.pga_schedule t ON t.jscjobid = o.jobid",
    "exceptions": """JOIN pgagent.pga_schedule s ON s.jscjobid = o.jobid
                     JOIN pgagent_py.every_exception t ON t.jexscid = s.jscid""",
    # Those, too, whose job is not there yet.
    "dependencies": """
        JOIN (SELECT d.jobid FROM pgagent_py.job_dependency d UNION ALL
              SELECT w.jobid FROM pgagent_py.comment_line w WHERE w.linafter IS NOT NULL AND w.jobafter IS NULL) t
          ON t.jobid = o.jobid""",
    "messages": "JOIN pgagent_py.message t ON t.msgjobid = o.jobid",
}
# $1 owner, $2 how many it may have. It counts no further than to one more.
COUNT = {
    name: Statement(
        f"""
SELECT count(*) AS count FROM (
       SELECT FROM pgagent_py.job_option o {things} WHERE o.jobownerid = $1 AND o.jobowner IS NOT NULL LIMIT $2 + 1) t""",
        "oid",
        "int8",
    )
    for name, things in THINGS.items()
}
# Two tickets of one session that follow each other: no other session has added anything between.
FIND_OWNER = Statement(
    """
SELECT r.oid::int8 AS oid, r.rolname::text AS name, nextval('pgagent_py.adding_ticket') AS ticket
  FROM pgagent_py.job_option o JOIN pg_roles r ON r.oid = o.jobownerid WHERE o.jobid = $1 AND o.jobowner IS NOT NULL""",
    "int4",
)


# $1 job, $2 how many it may have.
OF_A_JOB = "schedules_of_a_job"
COUNT_OF_A_JOB = Statement(
    """
SELECT count(*) AS count FROM (SELECT FROM pgagent.pga_schedule s WHERE s.jscjobid = $1 LIMIT $2 + 1) t""",
    "int4",
    "int8",
)


class Counted(NamedTuple):
    """What a role has, as this session has counted and added it: it holds until another session has added something."""

    role: int
    ticket: int
    until: float  # by time.monotonic(): what another transaction has added and not committed is not seen
    counts: dict[str, int]


# To count all at each call would take the longer the more there is.
COUNT_SECONDS = 1.0
_counted = Counted(0, 0, 0.0, {})


def check_count(plpy: Plpy, job: int | None, **added: int | None) -> None:
    """Refuse what was just *added* to *job*, so many of each, if its owner or the job has too many now; None: not known."""
    global _counted
    for owner in FIND_OWNER(plpy, job):
        bounds = read_bounds(plpy, owner["name"])
        role, ticket, now = owner["oid"], owner["ticket"], time.monotonic()
        known = _counted
        if known.role != role or known.ticket + 1 != ticket or known.until < now:
            known = Counted(role, ticket, now + COUNT_SECONDS, {})
        counts = {}
        for name, number in added.items():
            if number == 0:
                continue
            most = bounds[name]
            count = None if number is None or name not in known.counts else known.counts[name] + number
            if count is None or count > most:
                count = COUNT[name](plpy, role, most)[0]["count"]
            if count > most:
                raise _too_many(owner["name"], most, name)
            counts[name] = count
        if added.get("schedules", 0) != 0:
            most = bounds[OF_A_JOB]
            if COUNT_OF_A_JOB(plpy, job, most)[0]["count"] > most:
                raise _too_many(owner["name"], most, OF_A_JOB)
        _counted = known._replace(ticket=ticket, counts=known.counts | counts)


def _too_many(role: str, most: int, name: str) -> PgAgentError:
    message = f"role {role} may not have more than {most} {name.replace('_', ' ')}"
    return PgAgentError(message, RAISE_IT.format(name), sqlstate="54000")
