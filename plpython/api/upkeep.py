"""Upkeep: what launchers have done now and then. Each room deletes what it needs no more. A verb of the SQL API."""

from __future__ import annotations

from ..ground.plpy import Plpy
from ..ground.roles import check_launch
from ..runs.adopt import forget_draining
from ..runs.alerts import forget_alerted, show_alive
from ..runs.dependencies import forget_met
from ..runs.problems import retry_schedules
from ..runs.waiting import forget_results
from .email import forget_sent
from .history import forget_changes, purge
from .messages import forget_given_up
from .reports import forget_reports
from .step_rows import forget_rows


def upkeep(plpy: Plpy, caller: str, jobs: int | None = None) -> int:
    """Delete what nothing will come of any more; return how many runs, of *jobs* jobs only, and notes of changes."""
    check_launch(plpy, caller)
    show_alive(plpy)
    forget_alerted(plpy)
    forget_given_up(plpy)
    forget_draining(plpy)
    forget_reports(plpy)
    forget_met(plpy)
    forget_results(plpy)
    forget_rows(plpy)
    forget_sent(plpy)
    retry_schedules(plpy)
    return purge(plpy, jobs) + forget_changes(plpy)
