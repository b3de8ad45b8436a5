"""Who may do what. The caller's name comes from the view pgagent_py.request, where it can't be forged."""

from __future__ import annotations

from typing import Any

from .errors import PgAgentError
from .plan import run


def may_edit(plpy: Any, caller: str) -> bool:
    """Return whether *caller* may change pgAgent's own tables: then it may do all that pgAdmin can."""
    sql = "SELECT has_table_privilege($1, 'pgagent.pga_job', 'INSERT, UPDATE, DELETE') AS granted"
    return bool(run(plpy, sql, ["name"], [caller])[0]["granted"])


def check_edit(plpy: Any, caller: str) -> None:
    """Raise an error unless *caller* may change pgAgent's tables."""
    if not may_edit(plpy, caller):
        raise PgAgentError(
            f"role {caller} may not change pgagent's jobs",
            hint="Grant it INSERT, UPDATE and DELETE on the tables of schema pgagent.",
            sqlstate="42501",
        )


def check_launch(plpy: Any, caller: str) -> None:
    """Raise an error unless *caller* may run a launcher: it can edit pgAgent's tables or is in pgagent_py_launcher."""
    sql = "SELECT pg_has_role($1, 'pgagent_py_launcher', 'USAGE') AS member"
    if not may_edit(plpy, caller) and not run(plpy, sql, ["name"], [caller])[0]["member"]:
        raise PgAgentError(
            f"role {caller} may not run jobs",
            hint="Make it a member of pgagent_py_launcher, or grant it the tables of schema pgagent.",
            sqlstate="42501",
        )
