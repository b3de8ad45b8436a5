"""Which jobs came from which source, so that those that it no longer names can be dropped, and no others."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..ground.errors import invalid
from ..ground.plan import Statement
from ..ground.plpy import Plpy, Row
from .jobs import drop_job


def check_source(source: str | None, prune: bool | None) -> None:
    """Refuse to prune what has no source."""
    if prune and not source:
        raise invalid(
            "prune", "prune is given, but no source", "Give the source whose jobs are to be dropped."
        )


NOTE = Statement(
    "INSERT INTO pgagent_py.applied_job (jobid, jobsource) SELECT unnest($1), $2", "int4[]", "text"
)


def note_added(plpy: Plpy, source: str | None, jobs: Collection[int]) -> None:
    """Note that *source* has brought these new jobs."""
    if source:
        NOTE(plpy, list(jobs), source)


LEFT_OVER = Statement(
    "SELECT a.jobid FROM pgagent_py.applied_job a WHERE a.jobsource = $1 AND a.jobid <> ALL ($2) ORDER BY a.jobid",
    "text",
    "int4[]",
)


def drop_left_over(
    plpy: Plpy, caller: str, source: str | None, jobs: Collection[int], labels: Mapping[str, int]
) -> list[Row]:
    """Drop the jobs that *source* has brought and that are not among *jobs*; return what has changed."""
    names = {jobid: label for label, jobid in labels.items()}
    gone = [row["jobid"] for row in LEFT_OVER(plpy, source, list(jobs))]
    for jobid in gone:
        drop_job(plpy, caller, job=jobid)
    return [{"kind": "job", "name": names[jobid], "action": "drop", "changes": None} for jobid in gone]
