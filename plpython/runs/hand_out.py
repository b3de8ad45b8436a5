"""Steps as agents get them: what a launcher needs to execute one, and the steps that it has in progress."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypedDict, cast

from ..ground.plan import Statement
from ..ground.plpy import Plpy, Row
from ..ground.vocabulary import NAME_LENGTH, PRINTABLE, PRINTABLE_JSON, THIS_BACKEND
from .origins import set_due
from .rows import StepRow

# The columns of step_run. s is the step, l the try (jslid, handed), r the run (jlgid, started, claimed, try), so and jo are the
# options of step and job.
STEP_RUN = f"""
    j.jobid, r.jlgid, s.jstid, l.jslid, {PRINTABLE.format(f"left(j.jobname, {NAME_LENGTH})")} AS jobname,
    {PRINTABLE.format(f"left(s.jstname, {NAME_LENGTH})")} AS jstname, s.jstkind::text AS jstkind, s.jstcode,
    s.jstdbname::text AS jstdbname, s.jstconnstr, coalesce(so.jstatomic, false) AS jstatomic,
    so.jsttimeout, CASE WHEN jo.jobtimeout IS NOT NULL THEN greatest('0', jo.jobtimeout - coalesce(
        clock_timestamp() - r.started, '0')) END AS jobtimeleft,
    coalesce(jo.jobrunas, jo.jobowner)::text AS jobrunas, NULL::jsonb AS jobparameters,
    'r' AS jslstatus, NULL::int4 AS jslresult, NULL::text AS jsloutput, s.jstonerror::text AS jstonerror,
    l.handed::text AS handed, CASE WHEN jo.jobrunas IS NULL THEN jo.jobownerid ELSE jo.jobrunasid END AS jobroleid,
    r.claimed::text AS claimed, r.try, NULL::text AS due, NULL::text AS previous_due,
    so.jstkeeprows AS keep_rows,
    CASE WHEN s.jstkind = 'b' THEN so.jstengine END AS engine,
    CASE WHEN s.jstkind = 'b' AND so.jstengine IS NOT NULL THEN so.jstengineoptions::text END AS engine_options,
    r.enginejob AS engine_job, coalesce(so.jstseparately, false) AS separately, false AS ahead"""


class RoleRow(TypedDict):
    """The role that a job runs as, and why the job, or a batch step of it, may not run."""

    jobid: int
    roleid: int | None
    role: str
    refused: str | None
    refused_batch: str | None


RUN_AS = Statement(
    """
SELECT r.jobid, r.roleid, r.role, r.refused, r.refused_batch FROM pgagent_py.job_role r WHERE r.jobid = ANY ($1)""",
    "int4[]",
    row=RoleRow,
)


CHANGED_HANDS = "the job has got another owner, or runs as another role, since its step was looked up"


def set_run_as(plpy: Plpy, steps: Sequence[StepRow]) -> dict[int, str]:
    """Put the role's present name into jobrunas of the *steps* that have one; return why some may not run, by jslid.

    The steps come with the role that their job had when their code was read. Code that one role has written never runs as
    another: if the job has changed hands since, the step does not run.
    """
    owned = [step for step in steps if step["jobrunas"] is not None]
    if not owned:
        return {}
    roles = {row["jobid"]: row for row in RUN_AS(plpy, [step["jobid"] for step in owned])}
    reasons = {}
    for step in owned:
        role = roles.get(step["jobid"])
        reason = role["refused"] if role else CHANGED_HANDS
        if role and not reason:
            step["jobrunas"] = role["role"]
            reason = role["refused_batch"] if step["jstkind"] == "b" else None
            if role["roleid"] != step["jobroleid"]:
                reason = CHANGED_HANDS
        if reason:
            reasons[step["jslid"]] = reason
    return reasons


GIVEN = "(coalesce(jo.jobparameters, '{}') || coalesce(ro.jlgparameters, '{}'))::text"
PARAMETERS = Statement(
    f"""
SELECT r.jlgid, {PRINTABLE_JSON.format(GIVEN)} AS jobparameters
  FROM pgagent_py.run r
  LEFT JOIN pgagent_py.job_option jo ON jo.jobid = ANY (ARRAY[r.jobid])
  LEFT JOIN pgagent_py.run_option ro ON ro.jlgid = ANY (ARRAY[r.jlgid])
 WHERE r.jlgid = ANY ($1) AND (jo.jobparameters IS NOT NULL OR ro.jlgparameters IS NOT NULL)""",
    "int4[]",
)


def set_parameters(plpy: Plpy, steps: Sequence[StepRow]) -> Sequence[StepRow]:
    """Put the parameters of each run into its step: those of the job, overridden by those of the run. Return the steps."""
    if steps:
        rows = PARAMETERS(plpy, [step["jlgid"] for step in steps])
        found = {row["jlgid"]: row["jobparameters"] for row in rows}
        for step in steps:
            step["jobparameters"] = found.get(step["jlgid"])
    return steps


ENGINES = Statement(
    """
SELECT s.jstid, CASE
       WHEN e.enabled IS NOT TRUE THEN format('engine %s is not enabled (any more)', s.engine)
       ELSE (SELECT format('engine %s has no option "%s" here (any more)', s.engine, min(o.name))
               FROM jsonb_each(s.options) o (name, value)
              WHERE o.name <> ALL (e.allowed_options)
                 -- they were there already, and no launcher could read them
                 OR jsonb_typeof(o.value) IN ('array', 'object') OR length(o.value::text) > 4000
             HAVING count(*) > 0) END AS refused
  FROM unnest($1, $2, $3) s (jstid, engine, options)
  LEFT JOIN pgagent_py.engines e ON e.engine = s.engine""",
    "int4[]",
    "text[]",
    "jsonb[]",
)


def refuse_engines(plpy: Plpy, steps: Sequence[StepRow]) -> dict[int, str]:
    """Return why some steps may not run on their engine, by jslid."""
    found = [step for step in steps if step["engine"] is not None]
    if not found:
        return {}
    columns = [[step[name] for step in found] for name in ("jstid", "engine", "engine_options")]
    refused = {row["jstid"]: row["refused"] for row in ENGINES(plpy, *columns) if row["refused"]}
    return {step["jslid"]: refused[step["jstid"]] for step in found if step["jstid"] in refused}


# What a step on an engine has already used of its time counts for the agent that takes it over.
TIME_LEFT = """CASE WHEN r.engine IS NULL OR so.jsttimeout IS NULL THEN so.jsttimeout
         ELSE greatest('0', so.jsttimeout - (clock_timestamp() - r.handed)) END AS jsttimeout"""
# A step that was deleted meanwhile comes without code: its run has to go on.
HAS = f"""
SELECT {
    STEP_RUN.replace("s.jstid", "r.jstid", 1)
    .replace("j.jobid", "r.jobid", 1)
    .replace("so.jsttimeout", TIME_LEFT, 1)
    .replace("CASE WHEN s.jstkind = 'b' THEN so.jstengine END", "coalesce(r.engine, so.jstengine)", 1)
}
  FROM pgagent_py.run r
 CROSS JOIN LATERAL (SELECT r.jslid, r.handed) l
  LEFT JOIN pgagent.pga_job j ON j.jobid = ANY (ARRAY[r.jobid])
  LEFT JOIN pgagent.pga_jobstep s ON s.jstid = ANY (ARRAY[r.jstid])
  LEFT JOIN pgagent_py.step_option so ON so.jstid = ANY (ARRAY[s.jstid])
  LEFT JOIN pgagent_py.job_option jo ON jo.jobid = ANY (ARRAY[j.jobid])"""

# A step whose result waits to be booked has ended.
IN_PROGRESS = Statement(
    f"""{HAS}
 WHERE r.agent = $1 AND r.jslid IS NOT NULL AND NOT r.booked
   AND NOT EXISTS (SELECT FROM pgagent_py.waiting_result w WHERE w.jslid = ANY (ARRAY[r.jslid]))
   AND EXISTS (SELECT FROM pgagent_py.agent a
                WHERE a.agent = $1 AND {THIS_BACKEND} AND (r.jlgid = ANY (a.jagleft)) IS NOT TRUE)""",
    "uuid",
    row=StepRow,
)


def steps_in_progress(plpy: Plpy, agent: str) -> list[StepRow]:
    """Return the steps that *agent*, which this backend is registered as, has been handed out and that have no result yet.

    An agent that comes back compares. A step here that it does not know was lost on the way to it and never started. A step of
    its own that is missing here belongs to a run that was closed meanwhile.
    """
    return _allowed(plpy, _filled(plpy, IN_PROGRESS(plpy, agent)))


STEPS_OF_RUNS = Statement(f"{HAS} WHERE r.jlgid = ANY ($1) AND r.jslid IS NOT NULL", "int4[]", row=StepRow)


def steps_of_runs(plpy: Plpy, runs: Sequence[int]) -> list[StepRow]:
    """Return the steps in progress of these runs (jlgid), as an agent needs them that goes on with them."""
    return _allowed(plpy, _filled(plpy, STEPS_OF_RUNS(plpy, runs)))


def _filled(plpy: Plpy, rows: Iterable[StepRow]) -> list[StepRow]:
    """Return steps with their parameters; a step or job that was deleted meanwhile has nothing to execute."""
    steps = list(rows)
    for step in steps:
        if step["jstcode"] is None:
            kind = "s" if step["engine"] is None else "b"
            step.update(jstname="", jstkind=kind, jstcode="", jstdbname="", jstconnstr="", jstonerror="f")
        if step["jobname"] is None:
            step["jobname"] = ""
    set_parameters(plpy, steps)
    set_due(plpy, steps)
    return steps


def _allowed(plpy: Plpy, steps: list[StepRow]) -> list[StepRow]:
    """Return *steps* with the roles that they run as. What has perhaps not begun, and may not any more, only says why."""
    reasons = {**refuse_engines(plpy, steps), **set_run_as(plpy, steps)}
    _refuse(plpy, [step for step in steps if step["engine_job"] is None], reasons)
    return steps


RAISE = Statement(
    """
SELECT format('DO LANGUAGE plpgsql %L', format('BEGIN RAISE EXCEPTION USING MESSAGE = %L; END',
              format('Not executed: %s.', $1))) AS code""",
    "text",
)


def _refuse(plpy: Plpy, steps: Sequence[StepRow], reasons: Mapping[int, str]) -> None:
    """Replace the code of steps that may not run any more by the reason, which it raises as an error.

    The agent starts those that it never got. It compares the others by their ids only, and they go on.
    """
    for step in steps:
        if reason := reasons.get(step["jslid"]):
            code = RAISE(plpy, reason)[0]["code"]
            nobodys: Row = {
                "jstkind": "s",
                "jstdbname": "",
                "jstconnstr": "",
                "jstatomic": False,
                "jobrunas": None,
                "engine": None,
                "separately": False,
            }
            cast("Row", step).update(nobodys, jstcode=code, jobroleid=None)
