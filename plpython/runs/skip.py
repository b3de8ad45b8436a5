"""Skipping: times of schedules that skip_next_run() has left out are logged when they come, and do not run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.problems import note_problem
from ..rules.next_run import read_time, runs_between
from .catch_up import LOG_SKIPPED, set_next
from .claimable import DUE_TOO, FOR_AGENT, SCOPES
from .problems import NO_PROBLEM, each_apart
from .rows import AgentRow

# On a row j of pga_job: a schedule has made it due, or will, and nobody's order.
NO_ORDER = """NOT EXISTS (SELECT FROM pgagent_py.job_origin g
                    WHERE g.jobid = ANY (ARRAY[j.jobid]) AND g.jobnextrun = j.jobnextrun AND g.jlgtrigger NOT IN ('s', 'b'))"""
# On a row k of skip, too: the job is due at one of these times, and its schedules have not changed since.
COVERS = f"""NOT k.skpused AND j.jobnextrun BETWEEN k.skpfrom AND k.skpuntil AND {NO_ORDER}
       AND k.skprules = (SELECT f.rules FROM pgagent_py.firing_rule f WHERE f.jobid = k.jobid)"""
SKIPPED = f"EXISTS (SELECT FROM pgagent_py.skip k WHERE k.jobid = ANY (ARRAY[j.jobid]) AND {COVERS})"


class SkippedRow(TypedDict):
    """A job that is due at a time that is skipped, in microseconds since 1970; which role has asked for that, and when."""

    jobid: int
    due: str
    who: str
    asked: str


# Beyond these, the others wait for the next turn: they start in none.
MOST_JOBS, MOST_TIMES = 100, 100

# $1 station, $2 what the agent knows, $3 how many.
SKIPPED_NOW = {
    scope: Statement(
        f"""
SELECT j.jobid, pgagent_py._micros(j.jobnextrun)::text AS due, k.skpby AS who, k.skpat::text AS asked
  FROM pgagent_py.skip k JOIN pgagent.pga_job j ON j.jobid = ANY (ARRAY[k.jobid])
 WHERE {DUE_TOO} AND {FOR_AGENT.format(station="$1", knows="$2")} AND {COVERS} {only} AND {NO_PROBLEM}
 LIMIT $3 FOR NO KEY UPDATE OF j, k SKIP LOCKED""",
        "text",
        "text[]",
        "int4",
        row=SkippedRow,
    )
    for scope, only in SCOPES.items()
}
USE_UP = Statement("""
UPDATE pgagent_py.skip SET skpused = true
 WHERE (jobid, skpfrom) IN (
       SELECT k.jobid, k.skpfrom FROM pgagent_py.skip k JOIN pgagent.pga_job j ON j.jobid = ANY (ARRAY[k.jobid])
        WHERE NOT k.skpused AND k.skpuntil <= now() AND (j.jobnextrun <= k.skpuntil) IS NOT TRUE
          FOR NO KEY UPDATE OF k SKIP LOCKED)""")


def skip_asked(plpy: Plpy, agent: AgentRow, scope: str) -> None:
    """Log of jobs that the time at which they are due is skipped, and let their schedules go on."""

    def act(some: Sequence[SkippedRow]) -> Sequence[SkippedRow]:
        for row in some:
            _skip(plpy, row)
        return some

    me = agent["jagstation"], agent["jagknows"]
    for _ in range(MOST_TIMES):
        rows = list(SKIPPED_NOW[scope](plpy, *me, MOST_JOBS))
        if not each_apart(plpy, rows, act, lambda row, error: note_problem(plpy, row["jobid"], 0, error)):
            break
    USE_UP(plpy)


def _skip(plpy: Plpy, row: SkippedRow) -> None:
    due = read_time(row["due"])
    why = f"{row['who']} has skipped it by skip_next_run(), at {row['asked']}"
    LOG_SKIPPED(plpy, row["jobid"], due, due, "1", why)
    following = runs_between(plpy, row["jobid"], row["due"], "infinity", 1)
    set_next(plpy, row["jobid"], following[0] if following else None)
