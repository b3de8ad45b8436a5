"""This backend: when it has started, which with its pid tells it from an earlier one."""

from __future__ import annotations

from .plan import Statement
from .plpy import Plpy
from .vocabulary import UTC

BACKEND_START = Statement(
    f"SELECT {UTC.format('s.backend_start')} AS at FROM pg_stat_get_activity(pg_backend_pid()) s"
)

_start = ""


def backend_start(plpy: Plpy) -> str:
    """Return it in ISO 8601, UTC. Each turn asks, and for each question the server would copy the state of all backends."""
    global _start
    if not _start:
        _start = BACKEND_START(plpy)[0]["at"]
    return _start
