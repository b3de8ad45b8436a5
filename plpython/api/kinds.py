"""Which JSON values an argument of a verb takes. The functions of SQL send no others. A row of the view request may hold any.

A kind is what the handler's signature says of the parameter, or of the check of a column: str, int | None, Sequence[str], ...
"""

from __future__ import annotations

import inspect
import re
from typing import Any

from ..ground.errors import PgAgentError, invalid
from .options import Column

# What a column without a check takes, by the type of its statement's parameter.
OF_COLUMN = {"bool": "bool", "int4": "int", "float8": "float | str"}
HINT = "Call the function of the verb's name: it sends the right kinds."


def kind_of_column(column: Column) -> str:
    """Return the kind of the argument that sets *column*. NULL leaves the column as it is."""
    kind = OF_COLUMN.get(column.kind.type, "str")
    if column.check is not None:
        *_, given = inspect.signature(column.check).parameters.values()
        kind = given.annotation
    return f"{kind} | None"


def check_kind(argument: str, kind: str, value: Any) -> None:
    """Refuse a value that is not of the *kind* of the argument."""
    if value is None:
        if not is_of(kind, None):
            raise invalid(argument, f"{argument} is missing", "Give a value.")
        return
    if not is_of(kind, value):
        raise PgAgentError(f"{argument} has a value of another kind", HINT)
    if type(value) is int and "int" in kind and not -(2**31) <= value < 2**31:
        raise PgAgentError(f"{argument} is out of range", "Give an integer of 32 bits.", "22003")


def is_of(kind: str, value: Any) -> bool:
    """Return whether *value* is of *kind*. Lists may hold NULL and lists: the handlers say more of them."""
    if kind.startswith("Sequence") and (found := re.match(r"Sequence\[(.*?)\]", kind)):
        if isinstance(value, list):
            return all(item is None or isinstance(item, list) or is_of(found[1], item) for item in value)
        kind = kind[found.end() :]
    return any(_is_one(word, value) for word in kind.split(" | "))


def _is_one(word: str, value: Any) -> bool:
    if word == "None":
        return value is None
    if word in ("int", "float"):
        return isinstance(value, (int, float) if word == "float" else int) and not isinstance(value, bool)
    return (
        word == "Any"
        or (word == "bool" and isinstance(value, bool))
        or (word == "str" and isinstance(value, str))
    )
