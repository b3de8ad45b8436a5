"""Checks of arguments that several verbs share. Each raises an error that names the argument."""

from __future__ import annotations

from typing import Any

from .errors import invalid
from .plan import run
from .roles import missing


def check_name(name: str | None) -> None:
    """Refuse a missing or blank name."""
    if name is None or not name.strip():
        raise invalid("name", "name is missing", "Give name => '...'.")


def check_job(plpy: Any, job: int | None, argument: str = "job") -> Any:
    """Refuse a job that does not exist, naming *argument*; return its row (jobenabled)."""
    if job is None:
        raise invalid(argument, f"{argument} is missing", "Give a jobid of pgagent.pga_job.")
    rows = run(plpy, "SELECT j.jobenabled FROM pgagent.pga_job j WHERE j.jobid = $1", ["int4"], [job])
    if not rows:
        raise missing(argument, job)
    return rows[0]


def check_schedule(plpy: Any, schedule: int | None) -> None:
    """Refuse a schedule that does not exist."""
    if schedule is None:
        raise invalid("schedule", "schedule is missing", "Give a jscid of pgagent.pga_schedule.")
    if not run(plpy, "SELECT FROM pgagent.pga_schedule s WHERE s.jscid = $1", ["int4"], [schedule]):
        raise missing("schedule", schedule)


def check_parameters(plpy: Any, parameters: str | None) -> str | None:
    """Refuse parameters, as JSON text, that are no object; return them.

    They stay text on their way: Python's floats have fewer digits than the server's numbers.
    """
    if parameters is not None:
        (row,) = run(plpy, "SELECT jsonb_typeof($1) AS kind", ["jsonb"], [parameters])
        if row["kind"] != "object":
            raise invalid(
                "parameters",
                "parameters is no JSON object",
                """Give an object, such as '{"day": "monday"}'.""",
            )
    return parameters


def class_id(plpy: Any, name: str | None) -> int:
    """Return the id of a job class, of pgAgent's first one when none is named."""
    find = "SELECT c.jclid, c.jclname FROM pgagent.pga_jobclass c ORDER BY c.jclid"
    classes = {row["jclname"]: row["jclid"] for row in run(plpy, find)}
    if name is None and classes:
        name = next(iter(classes))
    if name not in classes:
        raise invalid("class", f'class "{name}" does not exist', f"The classes are: {', '.join(classes)}.")
    jclid: int = classes[name]
    return jclid
