"""Whether a connection that a step has used is as good as a new one.

DISCARD ALL leaves some things behind, and no server before 18 says what a backend has loaded. So what decides is what a step
can have called: its own code, and the functions of its database. Where one of them may leave something, each step gets a
backend of its own.
"""

from __future__ import annotations

import asyncio
import re

from .sql_connection import WITH_OWN_PATH, SqlConnection

# Extensions with functions in C that keep nothing in a session; dblink, isn, postgres_fdw, refint and xml2 do, or may.
# pgagent_py's own functions are in PL/Python, so that language is one of them; what else is written in it is not.
HARMLESS = (
    "adminpack amcheck autoinc bloom btree_gin btree_gist citext cube dict_int dict_xsyn earthdistance file_fdw fuzzystrmatch"
    " hstore insert_username intagg intarray lo ltree moddatetime old_snapshot pageinspect pg_buffercache pg_freespacemap"
    " pg_prewarm pg_stat_statements pg_surgery pg_trgm pg_visibility pg_walinspect pgagent pgagent_py pgcrypto pgrowlocks"
    " pgstattuple plpgsql plpython3u seg sslinfo tablefunc tcn tsm_system_rows tsm_system_time unaccent uuid-ossp"
)
# Code that may leave something, or make a function that may, in lower case. Each begins with a word, so that most code is
# known by a quick look. PostgreSQL and Python read them alike.
LEAVES = (
    r"set\s+((session|local)\s+)?([\w\"$%]+\s*\.|['%]|seed)",  # a setting of its own, which reads '' afterwards; random()'s seed
    r"set_config\s*\((?!\s*'[^'.]*')",
    r"setseed",
    r"replication_slot",  # a temporary one
    r"replication_origin",
    r"start_backup",
    r"backup_start",
    r"load\s+'",
    r"plpython",  # its GD
    r"language\s+'?c(\W|$)",
    r"create\s+extension",
    r"alter\s+(role|user|database)\W",
)
# A timer that rings when the step's own statement has just ended may end the next step's first one.
TIMER = "statement_timeout"
_LEAVES = [(re.split(r"\W", pattern)[0], re.compile(pattern)) for pattern in LEAVES]

# The versions of all that decides: functions, the settings that a new session gets, and triggers on its login
VERSIONS = """
SELECT concat_ws('/', p.count, p.sum, s.count, s.sum, e.count, e.sum)
  FROM (SELECT count(*), sum(xmin::text::int8) FROM pg_proc WHERE oid >= 16384) p,
       (SELECT count(*), sum(xmin::text::int8) FROM pg_db_role_setting) s,
       (SELECT count(*), sum(xmin::text::int8) FROM pg_event_trigger) e"""
MAY_LEAVE = f"""
SELECT EXISTS (
           SELECT FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
             LEFT JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
             LEFT JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
            WHERE p.oid >= 16384 AND (e.extname IS NULL OR e.extname <> ALL (string_to_array('{HARMLESS}', ' ')))
              AND (l.lanname NOT IN ('internal', 'sql', 'plpgsql')
                   OR EXISTS (SELECT FROM unnest(p.proconfig) c (setting) WHERE split_part(c.setting, '=', 1) LIKE '%.%')
                   OR CASE p.prosrc WHEN '' THEN pg_get_functiondef(p.oid) ELSE p.prosrc END ~* $regex${"|".join(LEAVES)}$regex$))
    OR EXISTS (SELECT FROM pg_event_trigger t WHERE t.evtevent = 'login')"""
CHECK_SECONDS = 1.0  # for which the versions count as known


def leaves_something(code: str) -> bool:
    """Return whether code may leave something in its session that DISCARD ALL does not take away."""
    code = code.lower()
    return TIMER in code or any(word in code and pattern.search(code) for word, pattern in _LEAVES)


class Freshness:
    """What is known of a database, and so of the connections to it."""

    __slots__ = ("_checked_at", "_versions", "may_leave")

    def __init__(self) -> None:
        """Nothing is known."""
        self._versions: str | None = None
        self._checked_at = 0.0
        self.may_leave = False  # its functions may leave something

    async def begin(self, connection: SqlConnection, versions: str | None) -> None:
        """Note that a connection has been opened when the *versions* were these."""
        connection.versions = versions
        await self._learn(connection, versions)

    async def is_fresh(self, connection: SqlConnection) -> bool:
        """Return whether a connection is as good as a new one."""
        if not connection.used:
            return True
        if asyncio.get_running_loop().time() > self._checked_at + CHECK_SECONDS:
            await self._learn(connection, await connection.ask(WITH_OWN_PATH + VERSIONS))
        return not self.may_leave and connection.versions == self._versions

    def is_overdue(self, since: float) -> bool:
        """Return whether what was used until *since* has not been looked at after that."""
        return (
            self._checked_at < since and asyncio.get_running_loop().time() > self._checked_at + CHECK_SECONDS
        )

    def is_still(self, connection: SqlConnection, versions: str | None) -> bool:
        """Return whether a connection, whose database has these *versions* now, is as good as before; note the look."""
        self._checked_at = asyncio.get_running_loop().time()
        return versions is not None and versions == connection.versions

    def look_again(self) -> None:
        """Count on nothing: a step may have changed it."""
        self._checked_at = 0.0

    async def _learn(self, connection: SqlConnection, versions: str | None) -> None:
        self._checked_at = asyncio.get_running_loop().time()
        if versions is None or versions != self._versions:
            self.may_leave = await connection.ask(WITH_OWN_PATH + MAY_LEAVE) != "f"
            self._versions = versions
