"""Comparing two states of a job or calendar, as documents have them. Pure: no server."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ..ground.plpy import Row


def change(kind: str, name: str, before: Row | None, after: Row) -> Row:
    """Return what import_jobs says of a job or calendar: kind, name, action and changes."""
    action = "add" if before is None else "same" if before == after else "change"
    different = {} if before is None else dict(differences("", before, after))
    return {"kind": kind, "name": name, "action": action, "changes": different or None}


def differences(path: str, before: Any, after: Any) -> Iterable[tuple[str, Row]]:
    """Yield where two documents differ, and what stands there; rows of lists are told apart by name, else by place."""
    if isinstance(before, list) and isinstance(after, list) and _objects_only([*before, *after]):
        before, after = _by_name(before), _by_name(after)
    if isinstance(before, dict) and isinstance(after, dict):
        for name in [*before, *(name for name in after if name not in before)]:
            where = f"{path}{name}" if name.startswith("[") else f"{path}.{name}".lstrip(".")
            yield from differences(where, before.get(name), after.get(name))
    elif before != after:
        yield path, {"from": before, "to": after}


def _objects_only(rows: list[Any]) -> bool:
    return bool(rows) and all(isinstance(row, dict) for row in rows)


def _by_name(rows: list[Row]) -> Row:
    """Return the rows by a key such as ["name"], ["name" 2] for a second one of that name, or [0]."""
    keyed: Row = {}
    for place, row in enumerate(rows):
        name = json.dumps(row["name"]) if "name" in row else str(place)
        number = 1 + sum(key.startswith(f"[{name}") for key in keyed)
        keyed[f"[{name}]" if number == 1 else f"[{name} {number}]"] = row
    return keyed
