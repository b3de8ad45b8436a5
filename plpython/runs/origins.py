"""What sets runs off, and the times that they are for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..ground.plan import Statement
from ..ground.plpy import Plpy, Row
from ..ground.vocabulary import UTC
from .rows import AgentRow, StepRow

# The times are text, as agents get them.
TIMES = f"""
SELECT o.jlgid, {UTC.format("o.jlgdue")} AS due, {UTC.format("p.due")} AS previous_due
  FROM {{runs}}
  LEFT JOIN pgagent_py.job_due d ON d.jobid = ANY (ARRAY[{{jobid}}])
 CROSS JOIN LATERAL (
       SELECT CASE WHEN d.jobdue < o.jlgdue THEN d.jobdue
                   WHEN d.jobdue IS NOT NULL THEN pgagent_py._previous_due(d.jobid, o.jlgdue) END AS due OFFSET 0) p"""

# $1 jlgids, $2 jobids, $3 agent, $4 its pid. It is no part of the claim, which would not see an order that came after its
# snapshot.
NOTE_ORIGINS = Statement(
    f"""
-- no claim changes jobnextrun: it is still the time that the run was due at; before the agent, or the server, has begun to serve,
-- it was missed
WITH origin AS MATERIALIZED (
    SELECT r.jlgid, r.jobid, g.jlgtriggeredby,
           greatest(coalesce(g.jlgdue, j.jobnextrun), '0001-01-02Z') AS jlgdue,
           coalesce(g.jlgtrigger,
                    CASE WHEN j.jobnextrun < (SELECT a.jagserves FROM pgagent_py.agent a WHERE a.jagpid = $4)
                         THEN 'b'::"char" ELSE 's' END) AS jlgtrigger
      FROM unnest($1, $2) r (jlgid, jobid)
      JOIN pgagent.pga_job j ON j.jobid = ANY (ARRAY[r.jobid])
      LEFT JOIN pgagent_py.job_origin g ON g.jobid = ANY (ARRAY[r.jobid]) AND g.jobnextrun = j.jobnextrun),
noted AS (
    INSERT INTO pgagent_py.run_origin (jlgdue, jlgid, jlgtrigger, agent, jlgtriggeredby)
    SELECT o.jlgdue, o.jlgid, o.jlgtrigger, $3, o.jlgtriggeredby FROM origin o)
{TIMES.format(runs="origin o", jobid="o.jobid")}""",
    "int4[]",
    "int4[]",
    "uuid",
    "int4",
)
# What a job is to catch up with begins behind this time.
NOTE_OWED = Statement(
    """
UPDATE pgagent_py.job_owed w SET jobowedfrom = o.jlgdue
  FROM unnest($1, $2) r (jlgid, jobid) JOIN pgagent_py.run_origin o ON o.jlgid = ANY (ARRAY[r.jlgid])
 WHERE w.jobid = ANY (ARRAY[r.jobid]) AND o.jlgtrigger IN ('s', 'b') AND o.jlgdue > w.jobowedfrom""",
    "int4[]",
    "int4[]",
)
FIND_TIMES = Statement(
    TIMES.format(
        runs="unnest($1, $2) r (jlgid, jobid) JOIN pgagent_py.run_origin o ON o.jlgid = ANY (ARRAY[r.jlgid])",
        jobid="r.jobid",
    ),
    "int4[]",
    "int4[]",
)


def note_origins(plpy: Plpy, agent: AgentRow, steps: Sequence[StepRow]) -> None:
    """Note what has set off the runs of these first steps, just claimed by *agent*; put the times into the steps."""
    if steps:
        _put(steps, NOTE_ORIGINS(plpy, *_ids(steps), agent["agent"], agent["jagpid"]))
        if agent["owing"]:
            NOTE_OWED(plpy, *_ids(steps))


def set_due(plpy: Plpy, steps: Sequence[StepRow]) -> None:
    """Put into each of these later steps the time that its run is for, and that of the success before."""
    if steps:
        _put(steps, FIND_TIMES(plpy, *_ids(steps)))


def _ids(steps: Sequence[StepRow]) -> tuple[list[int], list[int]]:
    return [step["jlgid"] for step in steps], [step["jobid"] for step in steps]


def _put(steps: Sequence[StepRow], rows: Iterable[Row]) -> None:
    found = {row["jlgid"]: row for row in rows}
    for step in steps:
        if row := found.get(step["jlgid"]):
            step["due"], step["previous_due"] = row["due"], row["previous_due"]
