"""Rows that are about a role: its bounds, its limit, its groups. The role's id counts; its name is what a dump carries."""

from __future__ import annotations

from ..ground.checks import check_role
from ..ground.plan import Statement
from ..ground.plpy import Plpy

TABLES = ("bound", "group_grant", "job_limit")
# $1 role. Rows of a role that was dropped, or was missing when they were restored, are not those of a later one of its name.
FORGET_GONE = {
    table: Statement(
        f"""
DELETE FROM pgagent_py.{table} t
 WHERE t.jobowner = $1 AND NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = t.jobownerid)""",
        "name",
    )
    for table in TABLES
}
RENAME = {
    table: Statement(
        f"""
UPDATE pgagent_py.{table} t SET jobowner = r.rolname FROM pg_roles r
 WHERE r.oid = t.jobownerid AND t.jobowner <> r.rolname AND $1 IN (t.jobowner, r.rolname)""",
        "name",
    )
    for table in TABLES
}


def claim_name(plpy: Plpy, table: str, argument: str, role: str) -> None:
    """Refuse a *role* that does not exist; let no row of *table* have its name that is not about it."""
    check_role(plpy, argument, role)
    FORGET_GONE[table](plpy, role)
    RENAME[table](plpy, role)
