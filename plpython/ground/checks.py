"""Checks of arguments that several verbs share. Each raises an error that names the argument."""

from __future__ import annotations

import json
from typing import Any

from .errors import invalid
from .plan import Statement
from .plpy import Plpy, Row
from .roles import missing
from .vocabulary import PRINTABLE


def check_name(name: str | None) -> None:
    """Refuse a missing or blank name."""
    if name is None or not name.strip():
        raise invalid("name", "name is missing", "Give name => '...'.")


def not_blank(plpy: Plpy, argument: str, text: str, hint: str = "NULL leaves it as it is.") -> str:
    """Refuse a blank *text*; return it."""
    if not text.strip():
        raise invalid(argument, f"{argument} is empty", hint)
    return text


FIND_JOB = Statement("SELECT j.jobenabled FROM pgagent.pga_job j WHERE j.jobid = $1", "int4")


def check_job(plpy: Plpy, job: int | None, argument: str = "job") -> Row:
    """Refuse a job that does not exist, naming *argument*; return its row (jobenabled)."""
    if job is None:
        raise invalid(argument, f"{argument} is missing", "Give a jobid of the view pgagent_py.visible_job.")
    rows = FIND_JOB(plpy, job)
    if not rows:
        raise missing(argument, job)
    return rows[0]


FIND_SCHEDULE = Statement("SELECT FROM pgagent.pga_schedule s WHERE s.jscid = $1", "int4")


def check_schedule(plpy: Plpy, schedule: int | None) -> None:
    """Refuse a schedule that does not exist."""
    if schedule is None:
        raise invalid(
            "schedule", "schedule is missing", "Give a jscid of the view pgagent_py.visible_schedule."
        )
    if not FIND_SCHEDULE(plpy, schedule):
        raise missing("schedule", schedule)


FIND_ROLE = Statement("SELECT FROM pg_roles r WHERE r.rolname = $1", "text")


def check_role(plpy: Plpy, argument: str, name: str) -> None:
    """Refuse a role that does not exist."""
    if not FIND_ROLE(plpy, name):
        raise invalid(argument, f'{argument}: role "{name}" does not exist', "Give the name of a role.")


KIND_OF_JSON = Statement("SELECT jsonb_typeof($1) AS kind", "jsonb")


def check_parameters(plpy: Plpy, argument: str, parameters: str) -> str:
    """Refuse parameters, as JSON text, that are no object; return them.

    They stay text on their way: Python's floats have fewer digits than the server's numbers.
    """
    if KIND_OF_JSON(plpy, parameters)[0]["kind"] != "object":
        hint = """Give an object, such as '{"day": "monday"}'."""
        raise invalid("parameters", "parameters is no JSON object", hint)
    try:
        value = json.loads(parameters, parse_int=_check_digits, parse_float=_check_digits)
        too_deep = is_deeper(value, DEEPEST_PARAMETERS)
    except ValueError as error:
        raise invalid("parameters", f"parameters has {error}", "Give it as a string.") from None
    except RecursionError:
        too_deep = True
    if too_deep:
        hint = f"Give {DEEPEST_PARAMETERS} levels at most."
        raise invalid("parameters", "parameters has too many levels of lists and objects", hint)
    return parameters


# What programs that read JSON can be expected to take. Export and import read it with Python.
DEEPEST_PARAMETERS, LONGEST_NUMBER = 100, 1000


def _check_digits(number: str) -> int:
    if len(number) > LONGEST_NUMBER:
        raise ValueError(f"a number of more than {LONGEST_NUMBER} digits")
    return 0


def is_deeper(value: Any, levels: int) -> bool:
    """Return whether lists and objects stand in each other on more than so many levels."""
    layer = [value]
    for _ in range(levels):
        layer = [
            inner
            for outer in layer
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
        if not layer:
            return False
    return True


def check_rows(rows: str) -> None:
    """Refuse rows, as JSON text, that are no list of lists of texts and nulls: programs read them, and must be able to."""
    try:
        found = json.loads(rows)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or not all(isinstance(row, list) for row in found):
        found = [[0]]
    if not all(cell is None or isinstance(cell, str) for row in found for cell in row):
        raise invalid(
            "rows", "rows is no list of lists of texts", 'Give JSON such as [["a", null], ["b", "c"]].'
        )


CLASSES = Statement(
    f"SELECT c.jclid, {PRINTABLE.format('c.jclname')} AS jclname FROM pgagent.pga_jobclass c ORDER BY c.jclid"
)


def read_classes(plpy: Plpy) -> dict[str, int]:
    """Return the ids of the classes of jobs by name, in the order of the ids."""
    return {row["jclname"]: row["jclid"] for row in CLASSES(plpy)}


def class_id(plpy: Plpy, argument: str, name: str | None) -> int:
    """Return the id of a class of jobs, of pgAgent's first one when none is named."""
    classes = read_classes(plpy)
    if name is None and classes:
        name = next(iter(classes))
    if name not in classes:
        raise invalid(argument, f'class "{name}" does not exist', f"The classes are: {', '.join(classes)}.")
    return classes[name]
