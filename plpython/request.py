"""The gate: every changing function of the SQL API arrives here, with the name of the role that called it."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from typing import Any

from . import agents, define, history, messages, steps
from .errors import PgAgentError, spi_details, sqlstate

HANDLERS: dict[str, Callable[..., Any]] = {
    handler.__name__: handler
    for handler in (
        agents.start_agent,
        agents.stop_agent,
        define.add_exception,
        define.add_job,
        define.add_schedule,
        define.add_step,
        define.alter_schedule,
        define.drop_job,
        define.run_now,
        define.set_default_timezone,
        history.purge_history,
        history.set_notify_runs,
        history.set_retention,
        messages.add_message,
        messages.drop_message,
        messages.finish_messages,
        messages.take_messages,
        steps.finish_step,
    )
}


def handle(plpy: Any, td: dict[str, Any]) -> str:
    """Answer one row of the view pgagent_py.request (INSTEAD OF trigger): answer is {"value": v} or {"error": e}."""
    new = td["new"]
    try:
        with plpy.subtransaction():  # a refused request leaves nothing half done
            value = HANDLERS[new["verb"]](plpy, new["caller"], **json.loads(new["arguments"]))
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
