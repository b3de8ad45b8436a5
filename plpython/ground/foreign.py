"""Others' code: what roles that are no superusers have hung on pgAgent's tables must not be executed with our rights.

A trigger is executed as the role that changes the table, which in our functions is the extension's owner. So nothing is changed
while there is such code. It is looked at before each turn and each call of a verb. Where others may hang something on a table,
the tables are locked first: what is found then holds until the transaction ends.
"""

from __future__ import annotations

import time
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


class Look(TypedDict):
    """The version of the code on the tables; old: this transaction may have an old snapshot."""

    version: str
    old: bool


LOOK = Statement(
    """
SELECT v.version, current_setting('transaction_isolation') <> 'read committed' AS old FROM pgagent_py.code_version v""",
    row=Look,
)
OPEN = Statement("SELECT FROM pgagent_py.open_table LIMIT 1")
LOCK = """
LOCK TABLE pgagent.pga_jobagent, pgagent.pga_jobclass, pgagent.pga_job, pgagent.pga_jobstep, pgagent.pga_schedule,
           pgagent.pga_exception, pgagent.pga_joblog, pgagent.pga_jobsteplog IN ROW EXCLUSIVE MODE"""
# An old snapshot gets a serialization failure if the version has changed since.
SHARE = Statement("SELECT v.version FROM pgagent_py.code_version v FOR SHARE")
FIND = Statement("SELECT f.what FROM pgagent_py.foreign_code f LIMIT 1")


def refuse_foreign_code(plpy: Plpy) -> None:
    """Raise an error if others' code would be executed by what we do to pgAgent's tables."""
    global _version, _open, _until
    (look,) = LOOK(plpy)
    known, version = time.monotonic() < _until, look["version"]
    if known and version == _version and not _open and not look["old"]:
        return
    is_open = bool(OPEN(plpy))
    if is_open or look["old"]:
        plpy.execute(LOCK)
        version = SHARE(plpy)[0]["version"] if look["old"] else LOOK(plpy)[0]["version"]
    if known and version == _version:
        return
    for found in FIND(plpy):
        raise PgAgentError(
            f"nothing is done to pgagent's tables while they execute code of others: {found['what']}",
            hint="Drop it, or let a superuser own it. See docs/security.md.",
            sqlstate="42501",
        )
    _version, _open, _until = version, is_open, time.monotonic() + KNOWN_SECONDS


def refuse_here(plpy: Plpy) -> None:
    """Do the same in a function that is not called through the gate."""
    try:
        refuse_foreign_code(plpy)
    except PgAgentError as error:
        plpy.error(error.message, hint=error.hint or "", sqlstate=error.sqlstate)
