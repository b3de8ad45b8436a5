"""Jobs of SQL Server Agent become jobs here. A verb of the SQL API, as in jobs.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..ground.plpy import Plpy, Row
from ..ground.vocabulary import ON_ERROR
from .coming_over import Newcomer, come_over, text
from .sql_server import CannotCarryError, read_schedule
from .steps import add_step, alter_step

WHEN = {1: "success", 2: "failure", 3: "finish"}  # notify_level_email, delete_level
ACTIONS = {1: ON_ERROR["s"], 2: ON_ERROR["f"], 3: ON_ERROR["i"]}  # on_fail_action
QUIT_WITH_FAILURE, GO_TO_STEP = 2, 4
NO_CATEGORY = "[Uncategorized"


def import_sql_server_agent(
    plpy: Plpy, caller: str, jobs: str | None = None, dry_run: bool | None = None
) -> list[Row]:
    """Add the jobs of a document made of msdb's tables, disabled; return what became of each."""

    def take(job: Mapping[str, Any]) -> Newcomer:
        category = text(job.get("category"))
        name = text(job.get("name")).strip() or "without a name"
        new = Newcomer(
            plpy,
            caller,
            name,
            None if category.startswith(NO_CATEGORY) else category,
            text(job.get("description")),
        )
        for step in job.get("steps") or []:
            _take_step(new, step, len(job["steps"]))
        for schedule in job.get("schedules") or []:
            _take_schedule(new, schedule)
        _take_messages(new, job)
        if job.get("enabled"):
            new.notes.append("it was enabled: enable it with its steps when you have looked at them")
        return new

    return come_over(plpy, jobs, dry_run, take)


def _take_step(new: Newcomer, step: Mapping[str, Any], count: int) -> None:
    """Add a step, disabled: its code is in another dialect."""
    number = step.get("step_id") or 0
    name = f"{number:02} {text(step.get('step_name'))}".strip()
    subsystem = text(step.get("subsystem")) or "TSQL"
    code = {"sql" if subsystem == "TSQL" else "batch": text(step.get("command")) or "-- nothing"}
    database = text(step.get("database_name"))
    comment = f"{subsystem} of SQL Server{f', database {database}' if database else ''}"
    action = step.get("on_fail_action") or 2
    arguments = {"on_error": ACTIONS.get(action, ON_ERROR["f"]), "enabled": False, "description": comment}
    id_ = new.tried(f'step "{name}"', add_step, job=new.id, name=name, **code, **arguments)
    new.notes.append(f'step "{name}": {subsystem}, disabled: its code must be translated')
    if action == GO_TO_STEP or (step.get("on_success_action") or 1) == GO_TO_STEP:
        new.notes.append(f'step "{name}": it goes on with another step, which is not carried over')
    elif step.get("on_success_action") == QUIT_WITH_FAILURE:
        new.notes.append(f'step "{name}": the job would fail after its success, and does not here')
    elif step.get("on_success_action") == 1 and number < count:
        new.notes.append(f'step "{name}": the job would end after its success, and goes on here')
    if id_ is not None and (retries := step.get("retry_attempts")):
        delay = 60.0 * (step.get("retry_interval") or 0)
        options: Row = {"retries": min(retries, 100), "retry_delay": min(delay, 86400.0)}
        new.tried(f'step "{name}"', alter_step, step=id_, **options)


def _take_schedule(new: Newcomer, row: Mapping[str, Any]) -> None:
    name = text(row.get("name")).strip() or "schedule"
    try:
        schedules, notes = read_schedule(row)
    except CannotCarryError as error:
        new.notes.append(f'schedule "{name}": not carried over: {error}')
        return
    new.notes += [f'schedule "{name}": {note}' for note in notes]
    for arguments in schedules:
        new.schedule(name, enabled=bool(row.get("enabled", 1)), **arguments)


def _take_messages(new: Newcomer, job: Mapping[str, Any]) -> None:
    """Take over the operator who gets mail, and what becomes of the job after a run."""
    when = WHEN.get(job.get("notify_level_email") or 0)
    operator = job.get("operator") or {}
    if when and operator.get("email_address"):
        new.email(text(operator["email_address"]).replace(";", ","), when)
    elif when:
        new.notes.append(f"e-mail on {when}: the operator has no address")
    delete = WHEN.get(job.get("delete_level") or 0)
    if delete == "success":
        new.alter("delete_level", delete_on_success=True)
    elif delete:
        new.notes.append(f"delete_level: it is not deleted on {delete}")
