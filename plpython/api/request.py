"""The gate: every changing function of the SQL API arrives here, with the name of the role that called it."""

from __future__ import annotations

import json
import traceback
from typing import Any

from ..ground.bounds import check_sizes
from ..ground.errors import PgAgentError, plain_message, spi_details, sqlstate
from ..ground.exact_json import write_json
from ..ground.foreign import looked, refuse_foreign_code
from ..ground.plpy import Plpy
from ..ground.roles import check_edit, check_use, is_operator
from . import comments
from .comments import READ_COMMENT
from .kinds import check_kind
from .options import python_name
from .verbs import VERBS, Callers, Verb


def handle(plpy: Plpy, td: dict[str, Any]) -> str:
    """Answer one row of the view pgagent_py.request (INSTEAD OF trigger): answer is {"value": v} or {"error": e}, and "write"."""
    new = td["new"]
    if (td["table_schema"], td["table_name"]) != ("pgagent_py", "request"):
        # A role that may execute this function could make it the trigger of a table of its own, and write any caller into it.
        plpy.error("_handle_request is the trigger of pgagent_py.request only", sqlstate="42501")
    try:
        with plpy.subtransaction():  # a refused request leaves nothing half done
            answer = _answer(plpy, new["caller"], new["verb"], _read(new["arguments"]))
    except PgAgentError as error:
        answer = {"error": {"message": error.message, "hint": error.hint, "sqlstate": error.sqlstate}}
    except plpy.SPIError as error:
        detail, hint, _, _ = spi_details(error)
        answer = {
            "error": {
                "message": plain_message(error),
                "detail": detail,
                "hint": hint,
                "sqlstate": sqlstate(error),
            }
        }
    except Exception as error:
        message = f"{type(error).__name__}: {error}"
        answer = {"error": {"message": message, "detail": traceback.format_exc(), "sqlstate": "XX000"}}
    td["new"] = {"answer": write_json(answer)}
    return "MODIFY"


def _read(arguments: str | None) -> Any:
    """Return the arguments. What Python can't read is an error of the caller's."""
    try:
        return json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        raise PgAgentError(
            "arguments has a number of too many digits, or too many levels of lists and objects",
            "Python reads 4300 digits and some hundred levels.",
        ) from None


def _answer(plpy: Plpy, caller: str, verb: str | None, arguments: Any) -> dict[str, Any]:
    """Answer a request of *caller*: value, and the rows that the trigger request_write is to write."""
    if verb != READ_COMMENT:
        with comments.call(caller, verb or "") as call:
            value = _execute(plpy, caller, verb, arguments)
            comments.finish(plpy, call, _execute)
        return {"value": value}
    if comments.postpone(arguments):
        return {"value": None}
    refuse_foreign_code(plpy)
    return {"value": None, "write": comments.rows_to_write(plpy, caller, arguments, _execute)}


def _execute(plpy: Plpy, caller: str, name: str | None, arguments: Any) -> Any:
    """Execute the verb *name* as *caller* and return its value, unless the caller or an argument is refused."""
    verb = VERBS.get(name or "")
    if verb is None:
        raise PgAgentError(f'verb "{name}" is unknown', "The verbs are functions of schema pgagent_py.")
    if not isinstance(arguments, dict):
        raise PgAgentError("arguments is no JSON object", "Call the function of the verb's name.")
    _check_arguments(verb, arguments)
    refuse_foreign_code(plpy)
    operated = verb.is_operated(arguments)
    if verb.callers is Callers.USERS:
        check_use(plpy, caller, arguments, operated=operated)
        check_sizes(plpy, caller, arguments)
    elif verb.callers is Callers.EDITORS and not (operated and is_operator(plpy, caller)):
        check_edit(plpy, caller, operated=operated)
    given = {python_name(argument): value for argument, value in arguments.items()}
    with looked():
        return verb.handler(plpy, caller, **given)


def _check_arguments(verb: Verb, arguments: dict[str, Any]) -> None:
    """Refuse arguments that the verb does not have, and calls without those that it must have."""
    for argument in sorted(arguments.keys() - verb.arguments.keys()):
        raise PgAgentError(
            f'{verb.name} has no argument "{argument}"', f"It has: {', '.join(sorted(verb.arguments))}."
        )
    for argument in sorted(verb.required - arguments.keys()):
        raise PgAgentError(
            f'{verb.name} needs the argument "{argument}"', "Call the function of the verb's name."
        )
    for argument, value in arguments.items():
        check_kind(argument, verb.arguments[argument], value)
