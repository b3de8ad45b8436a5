"""run_due() with capacity 0: this session is the launcher, and executes the SQL steps itself."""

from __future__ import annotations

import time
from typing import Any

from ..ground.errors import server_message, sqlstate
from ..ground.plan import run
from .hand_out import StepRow

TURN = "SELECT t.* FROM unnest(pgagent_py._turn($1, $2, $3, true, $4)) t"
MANY = 1_000_000

# One row after having slept, if a run waits: for its next try, or because a session has locked its job.
WAIT = """
SELECT pg_sleep(greatest(0, extract(epoch FROM a.waiting_until - clock_timestamp())))
  FROM pgagent_py.this_agent a WHERE a.waiting_until IS NOT NULL"""

# The step runs as in a fresh session, not under the search_path that our functions pin.
SESSION_PATH = """
SELECT set_config('search_path', (SELECT s.reset_val FROM pg_settings s WHERE s.name = 'search_path'), true)"""
# What a launcher's sql_step.py sets, too.
SETTINGS = """
SELECT set_config('pgagent_py.job_id', $1, true), set_config('pgagent_py.run_id', $2, true),
       set_config('pgagent_py.step_id', $3, true), set_config('pgagent_py.parameters', $4, true)"""
OUR_PATH = "SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true)"
WHO = "SELECT current_setting('session_authorization') AS session_authorization, current_setting('role') AS role"

# The error has to come in the same subtransaction: the server forgets the former state at the end of one that succeeds.
CHECKED = "PGAPY"
CHECK_CONSTRAINTS = f"""
DO $$ BEGIN
    SET CONSTRAINTS ALL IMMEDIATE;
    RAISE EXCEPTION SQLSTATE '{CHECKED}';
END $$"""

# SPI's codes for what a statement was, with the command tag that a client would have got.
TAGS = {5: "SELECT", 6: "SELECT", 7: "INSERT 0", 8: "DELETE", 9: "UPDATE"}
TAGS |= {11: "INSERT 0", 12: "DELETE", 13: "UPDATE", 18: "MERGE", 19: "MERGE"}


def run_here(plpy: Any, agent: str) -> list[dict[str, Any]]:
    """Run the due jobs that are all SQL in this database, each step in a subtransaction; return one row per step.

    Runs with the rights of the caller; claiming and booking are _turn's, which has the rights for them.
    """
    executed = []
    types = ["uuid", "int4", "pgagent_py.step_result[]", "bool"]
    (who,) = run(plpy, WHO)
    steps: list[StepRow] = list(run(plpy, TURN, types, [agent, MANY, [], True]))
    while steps or run(plpy, WAIT):
        results = [execute(plpy, step, who) for step in steps]
        for step, result in zip(steps, results, strict=True):
            booked = step["jstonerror"] if result["jslstatus"] == "f" else result["jslstatus"]
            executed.append({**step, **result, "jslstatus": booked})
        # Jobs that fall due meanwhile wait for the next call: this one comes to an end.
        steps = list(run(plpy, TURN, types, [agent, MANY, results, False]))
    return executed


def execute(plpy: Any, step: StepRow, who: StepRow) -> dict[str, Any]:
    """Execute one SQL step and return its step_result; an error undoes the step and is its result.

    *who* is the role that calls run_due: it books the result and runs the next step.
    """
    started = time.monotonic()
    try:
        with plpy.subtransaction():
            ids = [str(step[column]) for column in ("jobid", "jlgid", "jstid")]
            run(plpy, SETTINGS, ["text"] * 4, [*ids, step["jobparameters"] or "{}"])
            plpy.execute(SESSION_PATH)
            done = plpy.execute(step["jstcode"])
            plpy.execute(OUR_PATH)
            _check_constraints(plpy)
            _return_to(plpy, who)
        status, result, output = "s", done.nrows(), ""
        if tag := TAGS.get(done.status()):
            output = f"{tag} {result}"
    except plpy.spiexceptions.QueryCanceled:
        raise  # the caller's own cancel or timeout, not the step's failure
    except plpy.SPIError as error:
        status, result, output = "f", -1, server_message(error)
    return {
        "jlgid": step["jlgid"],
        "jslid": step["jslid"],
        "jslstatus": status,
        "jslresult": result,
        "jslduration": f"{time.monotonic() - started:.6f} seconds",
        "jsloutput": output,
    }


def _check_constraints(plpy: Any) -> None:
    """Raise what the step's deferred constraints would raise at COMMIT, when all steps would go down with it.

    Undone, so that they stay deferred for what follows: what their triggers do is done at COMMIT.
    """
    try:
        plpy.execute(CHECK_CONSTRAINTS)
    except plpy.SPIError as error:
        if sqlstate(error) != CHECKED:
            raise


def _return_to(plpy: Any, who: StepRow) -> None:
    """Undo a step's SET ROLE or SET SESSION AUTHORIZATION, for the rest of the session."""
    for setting, value in who.items():
        # Only if changed: inside a SECURITY DEFINER function of the caller's, setting the role is refused.
        change = f"SELECT set_config('{setting}', $1, false) WHERE current_setting('{setting}') <> $1"
        run(plpy, change, ["text"], [value])
