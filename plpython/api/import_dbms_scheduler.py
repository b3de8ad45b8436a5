"""Jobs of Oracle's DBMS_SCHEDULER become jobs here. A verb of the SQL API, as in jobs.py."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..ground.plpy import Plpy, Row
from .coming_over import Newcomer, come_over, text
from .steps import add_step

EVENTS = {"JOB_SUCCEEDED": "success", "JOB_FAILED": "failure", "JOB_COMPLETED": "finish"}
SQL_TYPES = ("PLSQL_BLOCK", "STORED_PROCEDURE", "SQL_SCRIPT")
BATCH_TYPES = ("EXECUTABLE", "EXTERNAL_SCRIPT", "BACKUP_SCRIPT")
CALENDARING = re.compile(r"\s*FREQ\s*=", re.IGNORECASE)
# A rule that counts elapsed time.
ELAPSED = re.compile(
    r"\s*FREQ\s*=\s*(SECOND|MINUTE|HOUR)LY\s*(?:;\s*INTERVAL\s*=\s*(\d{1,4})\s*)?;?\s*", re.IGNORECASE
)
UNITS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600}
DAY = 86_400
DEFAULT_CLASS = "DEFAULT_JOB_CLASS"


def import_dbms_scheduler(
    plpy: Plpy, caller: str, jobs: str | None = None, dry_run: bool | None = None
) -> list[Row]:
    """Add the jobs of a document made of ALL_SCHEDULER_JOBS, disabled; return what became of each."""

    def take(job: Mapping[str, Any]) -> Newcomer:
        class_ = text(job.get("job_class"))
        name = text(job.get("job_name")).strip() or "without a name"
        new = Newcomer(
            plpy, caller, name, None if class_ == DEFAULT_CLASS else class_, text(job.get("comments"))
        )
        _take_code(new, job)
        _take_schedule(new, job)
        _take_options(new, job)
        for notification in job.get("notifications") or []:
            _take_notification(new, notification)
        if text(job.get("enabled")).upper() == "TRUE":
            new.notes.append("it was enabled: enable it with its step when you have looked at it")
        return new

    return come_over(plpy, jobs, dry_run, take)


def _take_code(new: Newcomer, job: Mapping[str, Any]) -> None:
    """Add the step, disabled: its code is in another dialect."""
    type_, action = text(job.get("job_type")).upper(), text(job.get("job_action"))
    if type_ not in SQL_TYPES + BATCH_TYPES or not action.strip():
        new.notes.append(f'job_type "{type_}" is not carried over')
        return
    code = {"batch": action} if type_ in BATCH_TYPES else {"sql": action}
    comment = f"{type_} of Oracle, owner {text(job.get('owner'))}"
    given = {"job": new.id, "name": new.name, "enabled": False, "description": comment}
    new.tried("step", add_step, **code, **given)
    new.notes.append(f"step: {type_}, disabled: its code must be translated")


def _take_schedule(new: Newcomer, job: Mapping[str, Any]) -> None:
    interval, start = text(job.get("repeat_interval")).strip(), job.get("start_date")
    bounds = {"start": start, "end": job.get("end_date")}
    given = {name: value for name, value in bounds.items() if value}
    elapsed = ELAPSED.fullmatch(interval)
    seconds = int(elapsed[2] or 1) * UNITS[elapsed[1].upper()] if elapsed else 0
    # Those of which so many are a day, or days, are times of the wall clock.
    if elapsed and (elapsed[1].upper() == "SECOND" or (DAY % seconds and seconds % DAY)):
        new.schedule("schedule", every=f"{seconds} seconds", **given)
    elif CALENDARING.match(interval):
        new.schedule("schedule", rrule=interval, **given)
    elif interval:
        new.notes.append("schedule: not carried over: repeat_interval is an expression of PL/SQL")
    elif start:
        new.schedule("schedule", at=start)
    else:
        new.notes.append("schedule: it has none: by an event, a window or at once")


def _take_options(new: Newcomer, job: Mapping[str, Any]) -> None:
    if job.get("max_failures"):
        new.alter("max_failures", max_failures=job["max_failures"])
    if job.get("max_run_seconds"):
        new.alter("max_run_duration", timeout=float(job["max_run_seconds"]))
    if text(job.get("auto_drop")).upper() == "TRUE" and not job.get("repeat_interval"):
        new.alter("auto_drop", delete_on_success=True)


def _take_notification(new: Newcomer, notification: Mapping[str, Any]) -> None:
    event = text(notification.get("event"))
    if event in EVENTS:
        new.email(text(notification.get("recipient")), EVENTS[event])
    else:
        new.notes.append(f"e-mail on {event} is not carried over")
