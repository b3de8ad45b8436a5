"""Due jobs that come too late: they are skipped, or catch up with the times that they have missed."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.problems import note_problem
from ..rules.next_run import read_rules
from .catch_up import COUNTED, MissedRow, catch_up
from .claimable import DUE_TOO, FOR_AGENT, SCOPES
from .limits import Places
from .look import LOOKED, LOOKED_TYPES, Look
from .problems import NO_PROBLEM, each_apart
from .rows import AgentRow
from .windows import COULD_START, SHUT_TYPES, Shut, held_by_window

# On a due job j with options o, which may be missing: it is later than it allows, also than its windows have allowed.
MOST_LATE = """now() - CASE WHEN o.jobcatchup IS NULL AND o.jobmaxlateness IS NOT NULL
                          THEN least(o.jobmaxlateness, '1000 years') END"""
LATE = f"CASE WHEN j.jobnextrun < {MOST_LATE} THEN {COULD_START} < {MOST_LATE} END"
# The same: it has missed times of its schedules, and it is still to be seen which of them it catches up with.
MISSED = """o.jobcatchup IS NOT NULL AND j.jobnextrun < now() - least(coalesce(o.jobmaxlateness, interval '1 min'), '1000 years')
   AND NOT EXISTS (SELECT FROM pgagent_py.job_origin g
                    WHERE g.jobid = ANY (ARRAY[j.jobid]) AND g.jobnextrun = j.jobnextrun AND g.jlgtrigger NOT IN ('s', 'b'))
   AND NOT EXISTS (SELECT FROM pgagent_py.job_owed w WHERE w.jobid = ANY (ARRAY[j.jobid]) AND w.jobchecked = j.jobnextrun)"""

# How many late jobs a turn skips at most. The others wait for the next turns: they start in none.
LATE_JOBS = 100

# $4 station, $5 what the agent knows, $6 full classes, $7 full groups, $8 full owners, $9 how many, $10 only these jobs, $11
# to $14 what windows hold back.
LATE_JOBS_NOW = f"""
WITH {LOOKED},
late AS MATERIALIZED (
SELECT o.*, j.jobnextrun, row_number() OVER (PARTITION BY o.jobownerid ORDER BY j.jobnextrun) AS place
  FROM looked
  -- OFFSET 0: to begin with all options that have a lateness would take longer where many have one
 CROSS JOIN LATERAL (
       SELECT o.jobid, o.jobmaxlateness, o.jobgroup, o.jobownerid, o.jobcatchup, o.jobcatchuplimit,
              o.jobwindow
         FROM pgagent_py.job_option o WHERE o.jobid = looked.jobid OFFSET 0) o
  JOIN pgagent.pga_job j ON j.jobid = ANY (ARRAY[o.jobid])
 WHERE (o.jobmaxlateness IS NOT NULL OR o.jobcatchup IS NOT NULL) AND {DUE_TOO} AND {FOR_AGENT.format(station="$4", knows="$5")}
   AND j.jobjclid <> ALL ($6) AND (o.jobgroup = ANY ($7)) IS NOT TRUE AND (o.jobownerid = ANY ($8)) IS NOT TRUE
   AND NOT ({held_by_window(11)}) {{only}}
   -- in this order: a lateness that is too long to reckon with makes the server fail
   AND CASE WHEN ($10 IS NULL OR j.jobid = ANY ($10)) AND {NO_PROBLEM} THEN {{late}} END)
-- owners go round; those that have changed meanwhile wait
SELECT {{columns}}
  FROM (SELECT * FROM late ORDER BY late.place, random()) o
 CROSS JOIN LATERAL (
       SELECT FROM pgagent.pga_job j
        WHERE j.jobid = o.jobid AND j.jobnextrun = o.jobnextrun AND {DUE_TOO} FOR NO KEY UPDATE SKIP LOCKED) locked
 LIMIT $9"""
LATE_TYPES = (*LOOKED_TYPES, "text", "text[]", "int4[]", "text[]", "oid[]", "int4", "int4[]", *SHUT_TYPES)

LATE_NOW = {
    scope: Statement(LATE_JOBS_NOW.format(columns="o.jobid", only=only, late=LATE), *LATE_TYPES)
    for scope, only in SCOPES.items()
}
MISSED_ROW = f"""o.jobid, o.jobcatchup, coalesce(o.jobcatchuplimit, 100) AS most,
       greatest(1, {COUNTED} / (SELECT greatest(1, count(*)) FROM pgagent.pga_schedule s
                                 WHERE s.jscjobid = ANY (ARRAY[o.jobid]) AND s.jscenabled))::int4 AS counted,
       pgagent_py._micros(o.jobnextrun)::text AS due,
       pgagent_py._micros(CASE WHEN o.jobcatchup = 'all' THEN now()
                               ELSE now() - least(coalesce(o.jobmaxlateness, '1 min'), interval '1000 years') - interval '1 us'
                          END)::text AS until"""
MISSED_NOW = {
    scope: Statement(
        LATE_JOBS_NOW.format(columns=MISSED_ROW, only=only, late=MISSED), *LATE_TYPES, row=MissedRow
    )
    for scope, only in SCOPES.items()
}


# Logged as a run that executed nothing (status i). The reason stands in the output of the first step, where pgAdmin shows it.
SKIP_JOBS = Statement(
    """
WITH late AS MATERIALIZED (
    SELECT j.jobid, j.jobnextrun, o.jobmaxlateness, nextval('pgagent.pga_joblog_jlgid_seq')::integer AS jlgid
      FROM pgagent.pga_job j JOIN pgagent_py.job_option o ON o.jobid = ANY (ARRAY[j.jobid]) WHERE j.jobid = ANY ($1)),
-- a run of each
skipped AS (
    INSERT INTO pgagent.pga_joblog (jlgid, jlgjobid, jlgstatus, jlgstart, jlgduration)
    SELECT late.jlgid, late.jobid, 'i', clock_timestamp(), '0' FROM late),
noted AS (
    INSERT INTO pgagent_py.run_origin (jlgdue, jlgid, jlgtrigger, jlgtriggeredby, agent)
    SELECT coalesce(o.jlgdue, late.jobnextrun), late.jlgid, coalesce(o.jlgtrigger, 's'), o.jlgtriggeredby, a.agent
      FROM late LEFT JOIN pgagent_py.job_origin o ON o.jobid = late.jobid AND o.jobnextrun = late.jobnextrun
     CROSS JOIN pgagent_py.agent a WHERE a.jagpid = pg_backend_pid()),
-- the reason, in the log of the first step, unless a session has that locked
said AS (
    INSERT INTO pgagent.pga_jobsteplog (jsljlgid, jsljstid, jslstatus, jslstart, jslduration, jsloutput)
    SELECT late.jlgid, s.jstid, 'i', clock_timestamp(), '0',
           format('The run was skipped: it was due at %s, %s ago, and the job allows a lateness of %s.',
                  late.jobnextrun, date_trunc('second', clock_timestamp() - late.jobnextrun), late.jobmaxlateness)
      FROM late
     CROSS JOIN LATERAL (
           SELECT s.jstid FROM pgagent.pga_jobstep s WHERE s.jstjobid = late.jobid AND s.jstenabled
            ORDER BY s.jstname, s.jstid LIMIT 1 FOR KEY SHARE SKIP LOCKED) s)
-- the next run, by the schedules
UPDATE pgagent.pga_job j SET jobnextrun = NULL FROM late WHERE j.jobid = ANY (ARRAY[late.jobid])""",
    "int4[]",
)


def skip_late_jobs(
    plpy: Plpy, agent: AgentRow, scope: str, look: Look, free: Places, shut: Shut, among: list[int] | None
) -> bool:
    """Log of some jobs that they are too late, and let their schedules go on; return whether there were any.

    *among*: only of these.
    """
    me = agent["jagstation"], agent["jagknows"], *free.full()
    rows = LATE_NOW[scope](plpy, *look, *me, LATE_JOBS, among, *shut)
    jobids = [row["jobid"] for row in rows]
    read_rules(plpy, jobids)
    each_apart(
        plpy,
        jobids,
        lambda some: list(SKIP_JOBS(plpy, some)),
        lambda jobid, error: note_problem(plpy, jobid, 0, error),
    )
    return bool(jobids)


# How many jobs a turn sees to at most, and for how long. To count the times of one takes a tenth of a second at worst.
CATCH_UP_JOBS, CATCH_UP_SECONDS = 10, 0.1


def catch_up_missed(
    plpy: Plpy, agent: AgentRow, scope: str, look: Look, free: Places, shut: Shut, among: list[int] | None
) -> bool:
    """See to some jobs that have missed times of their schedules; return whether there were any. *among*: only to these."""
    me = agent["jagstation"], agent["jagknows"], *free.full()
    until = time.monotonic() + CATCH_UP_SECONDS

    def act(some: Sequence[MissedRow]) -> Sequence[MissedRow]:
        for row in some:
            if time.monotonic() < until:
                catch_up(plpy, row)
        return some

    missed = list(MISSED_NOW[scope](plpy, *look, *me, CATCH_UP_JOBS, among, *shut))
    each_apart(plpy, missed, act, lambda row, error: note_problem(plpy, row["jobid"], 0, error))
    return bool(missed)
