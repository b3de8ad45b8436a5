"""Ordering runs. Verbs of the SQL API, as in jobs.py."""

from __future__ import annotations

from typing import Any

from ..ground.checks import check_job, check_parameters
from ..ground.errors import PgAgentError, invalid
from ..ground.plan import run
from ..runs.orders import order_run


def run_now(
    plpy: Any,
    caller: str,
    job: int | None = None,
    from_step: int | None = None,
    parameters: str | None = None,
) -> None:
    """Make *job* due now, as pgAdmin does; its schedule goes on afterwards.

    *from_step*: the step to begin with. *parameters*: what this run has instead of the job's, key by key.
    """
    if not check_job(plpy, job)["jobenabled"]:
        raise PgAgentError(f"job {job} is disabled", hint="Enable it first.", sqlstate="55000")
    if from_step is not None:
        find = "SELECT FROM pgagent.pga_jobstep s WHERE s.jstid = $1 AND s.jstjobid = $2 AND s.jstenabled"
        if not run(plpy, find, ["int4", "int4"], [from_step, job]):
            hint = "Look at jstid in pgagent.pga_jobstep."
            raise invalid("from_step", f"from_step {from_step} is no enabled step of job {job}", hint)
    order_run(plpy, job, from_step, check_parameters(plpy, parameters))
