"""Settings of the scheduler in this database. Verbs of the SQL API, as in jobs.py."""

from __future__ import annotations

from ..ground.errors import invalid
from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..rules.zones import check_zone

SET_TIMEZONE = Statement("UPDATE pgagent_py.setting s SET value = $1 WHERE s.name = 'timezone'", "text")
# A row that is inserted replaces the one of its name: see the trigger setting_replace.
SET = Statement("INSERT INTO pgagent_py.setting (name, value) VALUES ($1, $2)", "text", "text")
FORGET = Statement("DELETE FROM pgagent_py.setting s WHERE s.name = $1", "text")


def set_default_timezone(plpy: Plpy, caller: str, timezone: str | None = None) -> None:
    """Change the time zone of the schedules that have none of their own; their jobs' next runs follow."""
    if timezone is None:
        raise invalid("timezone", "timezone is missing", "Give a name, such as 'Europe/Paris'.")
    check_zone(plpy, timezone)
    SET_TIMEZONE(plpy, timezone)


def set_retention(
    plpy: Plpy,
    caller: str,
    keep_runs: int | None = None,
    keep_for: str | None = None,
    keep_changes: str | None = None,
) -> None:
    """Limit the history of the jobs that have no limit of their own, and that of changes.

    None leaves as it is, 0 means no limit.
    """
    if keep_runs is not None:
        _set_or_forget(plpy, "keep_runs", str(check_keep_runs(plpy, "keep_runs", keep_runs)), keep_runs == 0)
    for name, interval in (("keep_for", keep_for), ("keep_changes", keep_changes)):
        if interval is not None:
            check_keep_for(plpy, name, interval)
            _set_or_forget(plpy, name, interval, _sign(plpy, interval) == 0)


def _set_or_forget(plpy: Plpy, name: str, value: str, forget: bool) -> None:
    if forget:
        FORGET(plpy, name)
    else:
        SET(plpy, name, value)


def check_keep_runs(plpy: Plpy, argument: str, runs: int) -> int:
    """Refuse a negative number of runs; 0 means no limit."""
    if runs < 0:
        raise invalid("keep_runs", f"keep_runs can't be {runs}", "Give a number, or 0 for no limit.")
    return runs


def check_keep_for(plpy: Plpy, argument: str, interval: str) -> str:
    """Refuse a negative interval; 0 means no limit."""
    if _sign(plpy, interval) < 0:
        raise invalid(argument, f"{argument} can't be {interval}", "Give an interval, or '0' for no limit.")
    return not_too_long(plpy, argument, interval)


IS_TOO_LONG = Statement("SELECT $1 > interval '1000 years' AS too_long", "interval")


def not_too_long(plpy: Plpy, argument: str, interval: str) -> str:
    """Refuse an interval that could lead out of the calendar."""
    if IS_TOO_LONG(plpy, interval)[0]["too_long"]:
        raise invalid(argument, f"{argument} can't be {interval}", "Give 1000 years at most.")
    return interval


SIGN = Statement("SELECT ($1 > '0')::int4 - ($1 < '0')::int4 AS sign", "interval")


def _sign(plpy: Plpy, interval: str) -> int:
    """Return -1, 0 or 1: an interval may be written in many ways."""
    sign: int = SIGN(plpy, interval)[0]["sign"]
    return sign


def set_notify_runs(plpy: Plpy, caller: str, enabled: bool | None = None) -> None:
    """Switch the notifications of starts and ends of runs on or off."""
    _switch(plpy, "notify_runs", enabled)


def set_serve_subscribed(plpy: Plpy, caller: str, enabled: bool | None = None) -> None:
    """Let jobs run, or not, in a database that gets them by a subscription."""
    _switch(plpy, "serve_subscribed", enabled)


def _switch(plpy: Plpy, name: str, enabled: bool | None) -> None:
    if enabled is None:
        raise invalid("enabled", "enabled is missing", "Give true or false.")
    _set_or_forget(plpy, name, "on", not enabled)
