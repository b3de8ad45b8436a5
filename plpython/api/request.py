"""The gate: every changing function of the SQL API arrives here, with the name of the role that called it."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from typing import Any

from ..ground.errors import PgAgentError, spi_details, sqlstate
from ..ground.roles import check_edit, check_use
from ..runs import agents, runs, steps
from . import (
    calendars,
    dependencies,
    exceptions,
    history,
    importing,
    jobs,
    limits,
    messages,
    schedules,
    settings,
    transfer,
)
from . import runs as orders
from . import steps as job_steps

HANDLERS: dict[str, Callable[..., Any]] = {
    handler.__name__: handler
    for handler in (
        agents.start_agent,
        agents.start_session,
        agents.stop_agent,
        exceptions.add_exception,
        jobs.add_job,
        schedules.add_schedule,
        job_steps.add_step,
        schedules.alter_schedule,
        jobs.drop_job,
        dependencies.add_dependency,
        dependencies.drop_dependency,
        orders.run_now,
        settings.set_default_timezone,
        history.purge_history,
        settings.set_notify_runs,
        settings.set_retention,
        limits.pause,
        limits.resume,
        limits.set_limit,
        messages.add_message,
        messages.drop_message,
        messages.finish_messages,
        messages.take_messages,
        jobs.alter_job,
        job_steps.alter_step,
        runs.cancel_run,
        calendars.add_calendar,
        calendars.alter_calendar,
        calendars.attach_calendar,
        calendars.detach_calendar,
        calendars.drop_calendar,
        transfer.export_jobs,
        transfer.import_jobs,
        importing.import_crontab,
        importing.import_pg_cron,
        steps.finish_step,
    )
}


# The verbs that a member of pgagent_py_user may use for its own jobs, and those that check the caller's rights themselves.
# All others are for who may edit pgAgent's tables.
FOR_USERS = frozenset(
    {
        "add_dependency",
        "add_exception",
        "add_job",
        "add_message",
        "add_schedule",
        "add_step",
        "alter_job",
        "alter_schedule",
        "alter_step",
        "attach_calendar",
        "cancel_run",
        "detach_calendar",
        "drop_dependency",
        "drop_job",
        "drop_message",
        "import_crontab",
        "run_now",
    }
)
FOR_AGENTS = frozenset(
    {
        "finish_messages",
        "finish_step",
        "purge_history",
        "start_agent",
        "start_session",
        "stop_agent",
        "take_messages",
    }
)


def _check(plpy: Any, caller: str, verb: str, arguments: dict[str, Any]) -> None:
    """Raise an error unless *caller* may ask for this."""
    if verb in FOR_USERS:
        check_use(plpy, caller, arguments)
    elif verb not in FOR_AGENTS:
        check_edit(plpy, caller)


def handle(plpy: Any, td: dict[str, Any]) -> str:
    """Answer one row of the view pgagent_py.request (INSTEAD OF trigger): answer is {"value": v} or {"error": e}."""
    new = td["new"]
    if (td["table_schema"], td["table_name"]) != ("pgagent_py", "request"):
        # Whoever may execute this function could make it the trigger of a table in which anyone can be the caller.
        plpy.error("_handle_request is the trigger of pgagent_py.request only", sqlstate="42501")
    try:
        with plpy.subtransaction():  # a refused request leaves nothing half done
            arguments = json.loads(new["arguments"])
            _check(plpy, new["caller"], new["verb"], arguments)
            value = HANDLERS[new["verb"]](plpy, new["caller"], **arguments)
        answer = {"value": value}
    except PgAgentError as error:
        answer = {"error": {"message": error.message, "hint": error.hint, "sqlstate": error.sqlstate}}
    except plpy.SPIError as error:
        detail, hint, _, _ = spi_details(error)
        answer = {
            "error": {"message": str(error), "detail": detail, "hint": hint, "sqlstate": sqlstate(error)}
        }
    except Exception as error:
        message = f"{type(error).__name__}: {error}"
        answer = {"error": {"message": message, "detail": traceback.format_exc(), "sqlstate": "XX000"}}
    td["new"] = {"answer": json.dumps(answer)}
    return "MODIFY"
