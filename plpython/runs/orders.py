"""Orders: what the next run of a job was asked to be, by run_now() or by the jobs that it waits for.

An order is a row of run_order until the run that it made due is claimed; then the run keeps it in run_option.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from .rows import StepRow

# The order for a running job is stamped with the clock, not with now(): the job may have been claimed after this transaction
# began, and a time that is not later than the claim counts as that of the run in progress.
DUE_NOW = "CASE WHEN j.jobagentid IS NULL THEN now() ELSE clock_timestamp() END"

# Each row of a CTE wanted becomes the order of its job. It replaces any earlier order, even one from the same transaction.
PUT_WANTED = """INSERT INTO pgagent_py.run_order (jobid, jobnextrun, jstname, jstid, jlgparameters)
    SELECT w.jobid, w.due, w.jstname, w.jstid, w.parameters FROM wanted w
        ON CONFLICT (jobid) DO UPDATE SET jobnextrun = excluded.jobnextrun, jstname = excluded.jstname,
           jstid = excluded.jstid, jlgparameters = excluded.jlgparameters, jstonly = false"""

# Each row of a CTE of: what makes a job due. It comes before the UPDATE that does, see the trigger pga_job_asked.
NOTE_ORIGIN = """INSERT INTO pgagent_py.job_origin (jobid, jobnextrun, jlgdue, jlgtrigger, jlgtriggeredby)
    SELECT {0}
        ON CONFLICT (jobid) DO UPDATE SET jobnextrun = excluded.jobnextrun, jlgdue = excluded.jlgdue,
           jlgtrigger = excluded.jlgtrigger, jlgtriggeredby = excluded.jlgtriggeredby"""

# $1 job, $2 the time that the run is for, $3 whether that is the time of the job's last run. The role is that of the session, as
# for pgAdmin's UPDATE: in a SECURITY DEFINER function the caller is its owner.
NOTE_ORDER = Statement(
    NOTE_ORIGIN.format(f"""j.jobid, {DUE_NOW}, coalesce($2, last.jlgdue), 'n', pgagent_py._asking_role()
      FROM pgagent.pga_job j
      LEFT JOIN LATERAL (
           SELECT o.jlgdue FROM pgagent.pga_joblog l JOIN pgagent_py.run_origin o ON o.jlgid = l.jlgid
            WHERE l.jlgjobid = j.jobid ORDER BY l.jlgid DESC LIMIT 1) last ON $3
     WHERE j.jobid = $1""")
    + " RETURNING jobnextrun::text AS jobnextrun",
    "int4",
    "timestamptz",
    "bool",
)

# $1 job, $2 step to begin with, $3 parameters, $4 when it is due.
ORDER_RUN = Statement(
    f"""
-- as pgAdmin's "Run now" does it
WITH due AS (
    UPDATE pgagent.pga_job j SET jobnextrun = $4 WHERE j.jobid = $1 RETURNING j.jobid, j.jobnextrun),
-- an earlier order, when this one asks for nothing in particular
forgotten AS (
    DELETE FROM pgagent_py.run_order o WHERE o.jobid = $1 AND $2 IS NULL AND $3 IS NULL),
wanted (jobid, due, jstname, jstid, parameters) AS (
    SELECT due.jobid, due.jobnextrun, s.jstname, s.jstid, $3
      FROM due LEFT JOIN pgagent.pga_jobstep s ON s.jstid = $2 WHERE $2 IS NOT NULL OR $3 IS NOT NULL)
{PUT_WANTED}""",
    "int4",
    "int4",
    "jsonb",
    "timestamptz",
)


def order_run(
    plpy: Plpy, job: int | None, from_step: int | None, parameters: str | None, due: str | None
) -> None:
    """Make *job* due now, to begin with the step *from_step*, with *parameters* (JSON text) over its own.

    *due*: the time that the run is for, if it is not this moment, or that of the run whose steps it makes up for.
    """
    (order,) = NOTE_ORDER(plpy, job, due, from_step is not None)
    ORDER_RUN(plpy, job, from_step, parameters, order["jobnextrun"])


LEAVE_OUT_OTHERS = Statement("UPDATE pgagent_py.run_order o SET jstonly = true WHERE o.jobid = $1", "int4")


def leave_out_others(plpy: Plpy, job: int | None) -> None:
    """Let the ordered run of *job* consist of the step that it begins with."""
    LEAVE_OUT_OTHERS(plpy, job)


FORGET_VOID_ORDERS = Statement("""
DELETE FROM pgagent_py.run_order d WHERE d.jobid = ANY (ARRAY(
    SELECT o.jobid FROM pgagent_py.run_order o JOIN pgagent.pga_job j ON j.jobid = ANY (ARRAY[o.jobid])
     WHERE j.jobnextrun IS DISTINCT FROM o.jobnextrun FOR UPDATE OF o SKIP LOCKED))""")


def forget_void_orders(plpy: Plpy) -> None:
    """Delete the orders whose jobs are due at another time by now: a later change has replaced them."""
    FORGET_VOID_ORDERS(plpy)


# In the claim of chosen jobs: where the first step is looked for.
BEGIN_AS_ORDERED = """
           AND NOT EXISTS (SELECT FROM pgagent_py.run_order o
                            WHERE o.jobid = due.jobid AND o.jobnextrun = due.jobnextrun
                              AND CASE WHEN o.jstonly THEN s.jstid <> o.jstid
                                       ELSE (s.jstname, s.jstid) < (o.jstname, o.jstid) END)"""

# In the other claims: an order is for the claim of chosen jobs to carry out. Until the next turn sees it, nothing is claimed.
NO_ORDERS = "AND NOT EXISTS (SELECT FROM pgagent_py.run_order)"

TAKE_ORDERS = Statement(
    """
WITH taken AS (
    DELETE FROM pgagent_py.run_order o USING unnest($1, $2) r (jobid, jlgid), pgagent.pga_job j
     WHERE o.jobid = ANY (ARRAY[r.jobid]) AND j.jobid = ANY (ARRAY[r.jobid]) AND o.jobnextrun = j.jobnextrun
    RETURNING r.jlgid, o.jstname, o.jstid, o.jstonly, o.jlgparameters)
INSERT INTO pgagent_py.run_option (jlgid, jstname, jstid, jstonly, jlgparameters)
SELECT t.jlgid, t.jstname, t.jstid, t.jstonly, t.jlgparameters FROM taken t
 WHERE t.jstid IS NOT NULL OR t.jlgparameters IS NOT NULL""",
    "int4[]",
    "int4[]",
)


def take_orders(plpy: Plpy, rows: Sequence[StepRow]) -> None:
    """Keep with the runs that were just claimed what was ordered of them."""
    if rows:
        TAKE_ORDERS(plpy, [row["jobid"] for row in rows], [row["jlgid"] for row in rows])
