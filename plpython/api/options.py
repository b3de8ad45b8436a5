"""Changing rows of jobs and steps: pgAgent's own columns and the options beside them.

None leaves as it is; what '' or 0 means is said where it can be given. Intervals come as seconds.
"""

from __future__ import annotations

from typing import Any

from ..ground.errors import invalid
from ..ground.plan import run
from ..ground.roles import missing

LONGEST = 100 * 366 * 86400.0  # seconds: no timeout is meant to be longer
MOST_INTEGER = 2**31 - 1

Columns = dict[str, tuple[str, Any]]  # column: type and value; None leaves it as it is

# Where what is stored is not the value as it comes.
STORED = {
    "jobtimeout": "nullif(make_interval(secs => {}), '0')",
    "jobmaxlateness": "nullif(make_interval(secs => {}), '0')",
    "jobgroup": "nullif({}, '')",
    "jobmaxfailures": "nullif({}, 0)",
    "jobkeepruns": "nullif({}, 0)",
    "jobkeepfor": "nullif({}, '0')",
    "jobparameters": "nullif({}, '{{}}')",
    "jsttimeout": "nullif(make_interval(secs => {}), '0')",
    "jstretrydelay": "make_interval(secs => {})",
}


FIND = {
    "job": "SELECT j.jobid FROM pgagent.pga_job j WHERE j.jobid = $1",
    "step": """
        SELECT s.jstjobid, s.jstkind::text AS jstkind, s.jstconnstr, s.jstdbname::text AS jstdbname,
               coalesce(o.jstatomic, false) AS jstatomic, current_database()::text AS here
          FROM pgagent.pga_jobstep s LEFT JOIN pgagent_py.step_option o ON o.jstid = s.jstid WHERE s.jstid = $1""",
}


def find(plpy: Any, argument: str, id_: int | None) -> Any:
    if id_ is None:
        raise invalid(argument, f"{argument} is missing", f"Give the id of a {argument}.")
    rows = run(plpy, FIND[argument], ["int4"], [id_])
    if not rows:
        raise missing(argument, id_)
    return rows[0]


def set_columns(plpy: Any, table: str, key: str, id_: int | None, columns: Columns) -> None:
    """Update what is given in one statement."""
    given = {column: new for column, new in columns.items() if new[1] is not None}
    if not given:
        return
    assignments = [
        f"{column} = {STORED.get(column, '{}').format(f'${number}')}"
        for number, column in enumerate(given, 2)
    ]
    sql = f"UPDATE {table} SET {', '.join(assignments)} WHERE {key} = $1"
    types, values = zip(*given.values(), strict=True)
    run(plpy, sql, ["int4", *types], [id_, *values])


def set_options(plpy: Any, table: str, key: str, id_: int | None, columns: Columns) -> None:
    if any(value is not None for _, value in columns.values()):
        run(plpy, f"INSERT INTO {table} ({key}) VALUES ($1) ON CONFLICT DO NOTHING", ["int4"], [id_])
        set_columns(plpy, table, key, id_, columns)


def check_given(argument: str, text: str | None) -> None:
    if text is not None and not text.strip():
        raise invalid(argument, f"{argument} is empty", "NULL leaves it as it is.")


def check_number(argument: str, given: float | str | None, least: float, most: float) -> float | None:
    """Return the number if it is in the range; NaN and infinity, which JSON does not know, come as text."""
    if given is None:
        return None
    number = float(given) if isinstance(given, str) else given
    if not least <= number <= most:  # not a number is not in it either
        unit = " seconds" if argument in ("timeout", "max_lateness", "retry_delay") else ""
        raise invalid(argument, f"{argument} can't be {given}{unit}", f"Give {least:g} to {most:.15g}{unit}.")
    return number
