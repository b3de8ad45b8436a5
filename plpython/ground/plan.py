"""Prepared statements, kept for the session."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

# In the module, so that a new build of the code starts without the old build's plans.
_plans: dict[str, Any] = {}


def run(plpy: Any, sql: str, types: Sequence[str] = (), arguments: Sequence[Any] = ()) -> Any:
    """Execute *sql* with *arguments* of the SQL *types*, prepared at its first use, and return plpy's result.

    Each call is one subtransaction for the server, so callers work on sets, not in loops.
    """
    plan = _plans.get(sql)
    if plan is None:
        plan = _plans[sql] = plpy.prepare(sql, list(types))
    return plpy.execute(plan, list(arguments))
