"""Bounds of what roles may have. A verb of the SQL API, as in jobs.py."""

from __future__ import annotations

from ..ground.errors import invalid
from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.vocabulary import BOUNDS
from .of_roles import claim_name

# $1 name of the bound, $2 role.
PRESENT = """b.bndname = $1
   AND CASE WHEN $2 IS NULL THEN b.jobowner IS NULL ELSE b.jobownerid = (SELECT r.oid FROM pg_roles r WHERE r.rolname = $2) END"""
FORGET = Statement(f"DELETE FROM pgagent_py.bound b WHERE {PRESENT}", "text", "name")
CHANGE = Statement(
    f"UPDATE pgagent_py.bound b SET bndvalue = $3 WHERE {PRESENT} RETURNING b.bndname",
    "text",
    "name",
    "int8",
)
SET = Statement(
    "INSERT INTO pgagent_py.bound (bndname, jobowner, bndvalue) VALUES ($1, $2, $3)", "text", "name", "int8"
)


def set_bound(
    plpy: Plpy, caller: str, name: str | None = None, value: int | None = None, role: str | None = None
) -> None:
    """Let *role*, or every role that has no bound of its own, have *value* of *name*; None takes the bound back."""
    if name not in BOUNDS:
        raise invalid("name", f'name "{name or ""}" is unknown', f"Use {', '.join(BOUNDS)}.")
    if value is not None and value < 0:
        raise invalid("value", f"value can't be {value}", "Give 0 or more, or NULL for the default.")
    if role is not None:
        claim_name(plpy, "bound", "role", role)
    if value is None:
        FORGET(plpy, name, role)
    elif not CHANGE(plpy, name, role, value):
        SET(plpy, name, role, value)
