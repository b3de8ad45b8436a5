"""Limits: how many jobs of a class or group run at once, and pauses, which let none start."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypedDict

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.vocabulary import PAUSED


@dataclass
class Places:
    """Free places by class, group and owner (id), where there is a limit. A job under several needs a place of each."""

    everything_paused: bool = False
    classes: dict[int, int] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)
    owners: dict[int, int] = field(default_factory=dict)

    def full(self) -> tuple[list[int], list[str], list[int]]:
        """Return the classes (jclid), the groups and the owners of which nothing may start."""
        return _full(self.classes), _full(self.groups), _full(self.owners)

    def close(self, *, shared_only: bool) -> None:
        """Let nothing start that has a limit; *shared_only*: that of an owner does not count."""
        self.classes = dict.fromkeys(self.classes, 0)
        self.groups = dict.fromkeys(self.groups, 0)
        if not shared_only:
            self.owners = dict.fromkeys(self.owners, 0)

    def take(self, jclid: int, group: str | None, owner: int) -> bool:
        """Take a place for a job; return whether there was one."""
        kinds: list[tuple[dict[Any, int], Any]] = [
            (self.classes, jclid),
            (self.groups, group),
            (self.owners, owner),
        ]
        limited = [(places, key) for places, key in kinds if key in places]
        if any(places[key] <= 0 for places, key in limited):
            return False
        for places, key in limited:
            places[key] -= 1
        return True


def _full(places: dict[Any, int]) -> list[Any]:
    return [key for key, free in places.items() if free <= 0]


class PlaceRow(TypedDict):
    """Places that are free in a class, a group or for an owner; without any of these, everything is paused."""

    jclid: int | None
    jobgroup: str | None
    owner: int | None
    free: int


PLACES = Statement(
    f"""
WITH running AS MATERIALIZED (
    SELECT j.jobjclid, o.jobgroup, o.jobownerid
      FROM pgagent.pga_job j LEFT JOIN pgagent_py.job_option o ON o.jobid = ANY (ARRAY[j.jobid])
     WHERE j.jobagentid IS NOT NULL AND EXISTS (SELECT FROM pgagent_py.job_limit))
SELECT l.jclid, l.jobgroup, l.jobownerid::int8 AS owner, l.running - (
       SELECT count(*) FROM running r
        WHERE r.jobjclid = l.jclid OR r.jobgroup = l.jobgroup OR r.jobownerid = l.jobownerid) AS free
  FROM pgagent_py.job_limit l WHERE l.running IS NOT NULL AND num_nonnulls(l.jclid, l.jobgroup, l.jobownerid) = 1
 UNION ALL
SELECT p.jclid, NULL, NULL, 0 FROM pgagent_py.pause p WHERE {PAUSED}""",
    row=PlaceRow,
)


def places(plpy: Plpy) -> Places:
    """Return the free places of all that is limited or paused, as they are now."""
    result = Places()
    for row in PLACES(plpy):
        if row["owner"] is not None:
            result.owners[row["owner"]] = row["free"]
        elif row["jobgroup"] is not None:
            result.groups[row["jobgroup"]] = row["free"]
        elif row["jclid"] is not None:
            result.classes[row["jclid"]] = min(row["free"], result.classes.get(row["jclid"], row["free"]))
        else:
            result.everything_paused = True
    return result


# Held until this transaction commits: then the next agent to count sees what was claimed. A lock on the table, not an advisory
# lock, which any role can take.
LOCK_LIMITS = "LOCK TABLE pgagent_py.job_limit IN SHARE UPDATE EXCLUSIVE MODE NOWAIT"


def lock_limits(plpy: Plpy) -> bool:
    """Return whether this transaction may claim jobs under a limit: no other does."""
    try:
        plpy.execute(LOCK_LIMITS)
    except plpy.spiexceptions.LockNotAvailable:
        return False
    return True
