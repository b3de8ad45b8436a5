"""Upkeep, which launchers ask for now and then: each room deletes its own old rows. A verb of the SQL API, as in jobs.py."""

from __future__ import annotations

from ..ground.plpy import Plpy
from ..ground.roles import check_launch
from ..runs.dependencies import forget_met
from .history import purge
from .messages import forget_given_up


def upkeep(plpy: Plpy, caller: str, jobs: int | None = None) -> int:
    """Delete a little of what is no longer needed; return how many runs it was. *jobs*: as in purge_history."""
    check_launch(plpy, caller)
    forget_given_up(plpy)
    forget_met(plpy)
    return purge(plpy, jobs)
