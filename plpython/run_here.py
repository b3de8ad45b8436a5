"""run_due() with capacity 0: this session is the launcher, and executes the SQL steps itself."""

from __future__ import annotations

import time
from typing import Any

from .plan import run
from .steps import StepRow

TURN = "SELECT t.* FROM pgagent_py._turn($1, $2, true, $3) t"
# The step runs as in a fresh session, not under the settings that our functions pin.
SETTINGS = "SELECT s.name, s.reset_val FROM pg_settings s WHERE s.name IN ('search_path')"
MANY = 1_000_000


def run_here(plpy: Any) -> list[dict[str, Any]]:
    """Run the due jobs that are all SQL in this database, each step in a subtransaction; return one row per step.

    Runs with the rights of the caller; claiming and booking are _turn's, which has the rights for them.
    """
    executed = []
    types = ["int4", "pgagent_py.step_result[]", "bool"]
    steps: list[StepRow] = list(run(plpy, TURN, types, [MANY, [], True]))
    while steps:
        results = [execute(plpy, step) for step in steps]
        executed += [{**step, **result} for step, result in zip(steps, results, strict=True)]
        # Jobs that fall due meanwhile wait for the next call: this one comes to an end.
        steps = list(run(plpy, TURN, types, [MANY, results, False]))
    return executed


def execute(plpy: Any, step: StepRow) -> dict[str, Any]:
    """Execute one SQL step and return its step_result; an error undoes the step and is its result."""
    started = time.monotonic()
    try:
        with plpy.subtransaction():
            plpy.execute(
                "SELECT set_config('search_path', (SELECT reset_val FROM pg_catalog.pg_settings"
                " WHERE name = 'search_path'), true)"
            )
            done = plpy.execute(step["jstcode"])
            plpy.execute("SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true)")
        status, result, output = "s", done.nrows(), ""
    except plpy.spiexceptions.QueryCanceled:
        raise  # the caller's own cancel or timeout, not the step's failure
    except plpy.SPIError as error:
        status, result, output = "f", -1, message(error)
    return {
        "jlgid": step["jlgid"],
        "jslid": step["jslid"],
        "jslstatus": status,
        "jslresult": result,
        "jslduration": f"{time.monotonic() - started:.6f} seconds",
        "jsloutput": output,
    }


def message(error: Any) -> str:
    """Return the server's whole message, as psql would show it."""
    lines = [f"ERROR:  {error}"]
    for part in ("detail", "hint", "context"):
        if value := getattr(error, part, None):
            lines.append(f"{part.upper()}:  {value}")
    return "\n".join(lines)
