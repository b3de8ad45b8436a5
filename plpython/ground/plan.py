"""Statements: SQL with typed parameters, prepared once per session.

The statements of a turn find rows by "id = ANY (ARRAY[x.id])" where "id = x.id" would mean the same. While a table is empty, a
look at all of it is as cheap as a look-up, and the plan may stay when the table has grown. PostgreSQL never looks at all rows
for such a condition, since it allows neither a merge join nor a hash join. For the same reason a set of ids is
"= ANY (ARRAY(SELECT ...))", not "IN (SELECT ...)", and the newest of some rows are found by "ORDER BY id + 0 DESC": the index of
the ids would be read from its end.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar, cast, overload

from .plpy import Plan, Plpy, Result, Row

R = TypeVar("R")

# All that the imported modules have made, so that a test can prepare each of them.
STATEMENTS: list[Statement[Any]] = []


class Statement(Generic[R]):
    """A SQL statement that modules keep as a constant, right above the function that executes it."""

    __slots__ = ("_plan", "row", "sql", "types")

    @overload
    def __init__(self: Statement[Row], sql: str, *types: str) -> None: ...

    @overload
    def __init__(self, sql: str, *types: str, row: type[R]) -> None: ...

    def __init__(self, sql: str, *types: str, row: type[Any] | None = None) -> None:
        """*types*: the SQL types of $1, $2 and so on, such as "int4" or "text[]". *row*: the TypedDict of its rows."""
        self.sql = sql
        self.types = types
        self.row = row
        # Not by its text in one place: a new build of the code starts without the plans of the old build.
        self._plan: Plan | None = None
        STATEMENTS.append(self)

    def __call__(self, plpy: Plpy, *values: object) -> Result[R]:
        """Execute it with *values* for its parameters, prepared at its first use in the session; return plpy's result.

        Each call is one subtransaction for the server, so callers work on sets, not in loops.
        """
        if self._plan is None:
            self._plan = plpy.prepare(self.sql, list(self.types))
        return cast("Result[R]", plpy.execute(self._plan, values))
