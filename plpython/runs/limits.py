"""Limits: how many jobs of a class or group run at once, and pauses, which let none start."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypedDict

from ..ground.plan import Statement
from ..ground.plpy import Plpy


@dataclass
class Places:
    """Free places by class and by group, where there is a limit. A job under both needs a place of each."""

    everything_paused: bool = False
    classes: dict[int, int] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)

    def full_classes(self) -> list[int]:
        """Return the classes (jclid) of which nothing may start."""
        return [jclid for jclid, free in self.classes.items() if free <= 0]

    def full_groups(self) -> list[str]:
        """Return the groups of which nothing may start."""
        return [group for group, free in self.groups.items() if free <= 0]

    def take(self, jclid: int, group: str | None) -> bool:
        """Take a place for a job; return whether there was one."""
        if self.classes.get(jclid, 1) <= 0 or (group and self.groups.get(group, 1) <= 0):
            return False
        if jclid in self.classes:
            self.classes[jclid] -= 1
        if group in self.groups:
            self.groups[group] -= 1
        return True


class PlaceRow(TypedDict):
    """Places that are free in a class or a group; with neither, everything is paused."""

    jclid: int | None
    jobgroup: str | None
    free: int


PLACES = Statement(
    """
SELECT l.jclid, l.jobgroup, l.running - (
       SELECT count(*) FROM pgagent.pga_job j LEFT JOIN pgagent_py.job_option o ON o.jobid = j.jobid
        WHERE j.jobagentid IS NOT NULL AND (j.jobjclid = l.jclid OR o.jobgroup = l.jobgroup)) AS free
  FROM pgagent_py.job_limit l
 UNION ALL
SELECT p.jclid, NULL, 0 FROM pgagent_py.pause p""",
    row=PlaceRow,
)


def places(plpy: Plpy) -> Places:
    """Return the free places of all that is limited or paused, as they are now."""
    result = Places()
    for row in PLACES(plpy):
        if row["jobgroup"] is not None:
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
        with plpy.subtransaction():
            plpy.execute(LOCK_LIMITS)
    except plpy.spiexceptions.LockNotAvailable:
        return False
    return True
