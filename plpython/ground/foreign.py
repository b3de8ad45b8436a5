"""Others' code: what roles that are no superusers have hung on pgAgent's tables must not be executed with our rights.

A trigger is executed as the role that changes the table, which in our functions is the extension's owner. Even to plan a query
can execute code: the planner evaluates what is constant in the expressions of indexes and the like. So nothing is read or changed
while there is such code. It is looked at before each turn, in each call of a verb, and in all other functions that have the
owner's rights and use these tables. Where others may hang something there, the tables and what counts these commands are locked
first: what is found then holds until the transaction ends.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypedDict

from .errors import PgAgentError
from .plan import Statement
from .plpy import Plpy

# What a superuser has changed without a command in this database, such as ALTER ROLE, is found so many seconds later.
KNOWN_SECONDS = 1.0

# What this session has looked at last, whether others may change it, and when it looks again by time.monotonic().
_version = ""
_open = True
_until = 0.0
# Whether a verb is executed that has looked.
_inside = False


class Look(TypedDict):
    """The version of the code on the tables; old: this transaction may have an old snapshot; what it can't do."""

    version: str
    old: bool
    standby: bool
    read_only: bool


LOOK = Statement(
    """
SELECT v.version, current_setting('transaction_isolation') <> 'read committed' AS old, pg_is_in_recovery() AS standby,
       current_setting('transaction_read_only')::boolean AS read_only
  FROM pgagent_py.code_version v""",
    row=Look,
)
OPEN = Statement("SELECT FROM pgagent_py.open_table LIMIT 1")
LOCK = """
LOCK TABLE pgagent.pga_jobagent, pgagent.pga_jobclass, pgagent.pga_job, pgagent.pga_jobstep, pgagent.pga_schedule,
           pgagent.pga_exception, pgagent.pga_joblog, pgagent.pga_jobsteplog IN ROW EXCLUSIVE MODE"""
# Some commands get by these locks, for example CREATE STATISTICS, or a child in an inheritance. Each of them changes the version.
# This lock comes last: a command that waits for it has no other that we wait for.
HOLD = "LOCK TABLE pgagent_py.code_version IN SHARE MODE"
# An old snapshot gets a serialization failure if the version has changed since.
SHARE = Statement("SELECT v.version FROM pgagent_py.code_version v FOR SHARE")
FIND = Statement("SELECT f.what FROM pgagent_py.foreign_code f LIMIT 1")


def refuse_foreign_code(plpy: Plpy) -> None:
    """Raise an error if others' code would be executed by what we do to pgAgent's tables."""
    global _version, _open, _until
    if _inside:
        return
    (look,) = LOOK(plpy)
    known, version = time.monotonic() < _until, look["version"]
    if known and version == _version and not _open and not look["old"]:
        return
    is_open = _open if known and version == _version else bool(OPEN(plpy))
    if is_open or look["old"]:
        version = _lock(plpy, look, is_open)
    if known and version == _version:
        return
    for found in FIND(plpy):
        raise PgAgentError(
            f"nothing is done to pgagent's tables while they execute code of others: {found['what']}",
            hint="Drop it, or let a superuser own it. See docs/security.md.",
            sqlstate="42501",
        )
    _version, _open, _until = version, is_open, time.monotonic() + KNOWN_SECONDS


def _lock(plpy: Plpy, look: Look, is_open: bool) -> str:
    """Lock all on which code can be hung, and return the version from then on."""
    if look["old"] and look["read_only"]:
        if is_open:
            raise PgAgentError(
                "a read-only transaction with an old snapshot can't see what others have hung on pgagent's tables since",
                hint="Use READ COMMITTED. See docs/security.md.",
                sqlstate="25006",
            )
        return look["version"]
    plpy.execute(LOCK)
    if is_open and not look["standby"]:
        plpy.execute(HOLD)
    found = SHARE(plpy) if look["old"] else LOOK(plpy)
    return str(found[0]["version"])


@contextmanager
def looked() -> Iterator[None]:
    """Do not look again while a verb is executed."""
    global _inside
    before, _inside = _inside, True
    try:
        yield
    finally:
        _inside = before


def knows_code(_plpy: Plpy, version: str, isolation: str) -> bool:
    """Return whether a look is not necessary."""
    fresh = version == _version and time.monotonic() < _until and not _open
    return _inside or (fresh and isolation == "read committed")


def refuse_here(plpy: Plpy) -> None:
    """Do the same in a function that is not called through the gate."""
    try:
        refuse_foreign_code(plpy)
    except PgAgentError as error:
        plpy.error(error.message, hint=error.hint or "", sqlstate=error.sqlstate)
