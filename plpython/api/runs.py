"""Ordering a run. A verb of the SQL API, as in jobs.py; its sister cancel_run is in the wing of runs."""

from __future__ import annotations

from ..ground.checks import check_job, check_parameters
from ..ground.errors import PgAgentError, invalid
from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..runs.orders import leave_out_others, order_run

FIND_ENABLED_STEP = Statement(
    "SELECT FROM pgagent.pga_jobstep s WHERE s.jstid = $1 AND s.jstjobid = $2 AND s.jstenabled",
    "int4",
    "int4",
)


IS_A_DUE = Statement("SELECT $1 >= '0001-01-02Z' AND $1 < '9999-12-31Z' AS sound", "timestamptz")


def check_due(plpy: Plpy, argument: str, due: str) -> None:
    """Refuse a time that programs can't read."""
    if not IS_A_DUE(plpy, due)[0]["sound"]:
        raise invalid(argument, f"{argument} can't be {due}", "Give a time in the years 1 to 9999.")


def run_now(
    plpy: Plpy,
    caller: str,
    job: int | None = None,
    from_step: int | None = None,
    parameters: str | None = None,
    only_step: int | None = None,
    due: str | None = None,
) -> None:
    """Make *job* due now, as pgAdmin does; its schedule goes on afterwards.

    *from_step*: the step to begin with. *only_step*: the only step. *parameters*: what this run has instead of the job's, key by
    key. *due*: the time that it is for.
    """
    if not check_job(plpy, job)["jobenabled"]:
        raise PgAgentError(f"job {job} is disabled", hint="Enable it first.", sqlstate="55000")
    if from_step is not None and only_step is not None:
        raise invalid("only_step", "both from_step and only_step are given", "Give the one or the other.")
    for argument, step in (("from_step", from_step), ("only_step", only_step)):
        if step is not None and not FIND_ENABLED_STEP(plpy, step, job):
            hint = "Look at jstid in the view pgagent_py.visible_step."
            raise invalid(argument, f"{argument} {step} is no enabled step of job {job}", hint)
    if parameters is not None:
        check_parameters(plpy, "parameters", parameters)
    if due is not None:
        check_due(plpy, "due", due)
    order_run(plpy, job, from_step if only_step is None else only_step, parameters, due)
    if only_step is not None:
        leave_out_others(plpy, job)
