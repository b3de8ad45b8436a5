"""Errors whose text is meant for the user."""

from __future__ import annotations

import re

__all__ = ["PgAgentError", "invalid"]

INVALID_PARAMETER_VALUE = "22023"


class PgAgentError(Exception):
    """A request that can't be met: *message* says why, *hint* what to do, *sqlstate* the class."""

    def __init__(
        self, message: str, hint: str | None = None, sqlstate: str = INVALID_PARAMETER_VALUE
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.sqlstate = sqlstate


def invalid(argument: str, message: str, hint: str | None = None) -> PgAgentError:
    """Return the error for a bad value of the SQL argument *argument*, which its text names.

    *message* may name it itself; else it is put in front.
    """
    if not re.search(rf"\b{argument}\b", message):
        message = f"{argument}: {message}"
    return PgAgentError(message, hint)
