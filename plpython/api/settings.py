"""Settings of the scheduler in this database. Verbs of the SQL API, as in jobs.py."""

from __future__ import annotations

from typing import Any

from ..ground.errors import invalid
from ..ground.plan import run
from ..ground.roles import check_edit
from ..rules.zones import check_zone


def set_default_timezone(plpy: Any, caller: str, timezone: str | None = None) -> None:
    """Change the time zone of the schedules that have none of their own; their jobs' next runs follow."""
    if timezone is None:
        raise invalid("timezone", "timezone is missing", "Give a name, such as 'Europe/Paris'.")
    check_zone(plpy, timezone)
    run(plpy, "UPDATE pgagent_py.setting SET value = $1 WHERE name = 'timezone'", ["text"], [timezone])


def set_retention(plpy: Any, caller: str, keep_runs: int | None = None, keep_for: str | None = None) -> None:
    """Limit the history of the jobs that have no limit of their own; None leaves as it is, 0 means no limit."""
    check_edit(plpy, caller)
    check_retention(plpy, keep_runs, keep_for)
    for name, value in (("keep_runs", keep_runs), ("keep_for", keep_for)):
        if value is None:
            continue
        if is_no_limit(plpy, value):
            run(plpy, "DELETE FROM pgagent_py.setting s WHERE s.name = $1", ["text"], [name])
        else:
            insert = "INSERT INTO pgagent_py.setting (name, value) VALUES ($1, $2)"
            run(plpy, insert, ["text", "text"], [name, str(value)])


def check_retention(plpy: Any, keep_runs: int | None, keep_for: str | None) -> None:
    """Raise the error for a limit that is negative."""
    if keep_runs is not None and keep_runs < 0:
        raise invalid("keep_runs", f"keep_runs can't be {keep_runs}", "Give a number, or 0 for no limit.")
    if (
        keep_for is not None
        and run(plpy, "SELECT $1 < '0' AS negative", ["interval"], [keep_for])[0]["negative"]
    ):
        raise invalid("keep_for", f"keep_for can't be {keep_for}", "Give an interval, or '0' for no limit.")


def is_no_limit(plpy: Any, value: int | str) -> bool:
    """Return whether *value*, a number of runs or an interval, stands for no limit."""
    if isinstance(value, int):
        return value == 0
    return bool(run(plpy, "SELECT $1 = '0' AS zero", ["interval"], [value])[0]["zero"])


def set_notify_runs(plpy: Any, caller: str, enabled: bool | None = None) -> None:
    """Switch the notifications of starts and ends of runs on or off."""
    check_edit(plpy, caller)
    if enabled is None:
        raise invalid("enabled", "enabled is missing", "Give true or false.")
    if enabled:
        run(plpy, "INSERT INTO pgagent_py.setting (name, value) VALUES ('notify_runs', 'on')")
    else:
        run(plpy, "DELETE FROM pgagent_py.setting s WHERE s.name = 'notify_runs'")
