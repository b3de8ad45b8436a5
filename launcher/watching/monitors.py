"""What the options ask for, begun and ended together with the launcher."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence

from ..log import Event
from ..vitals import Heart, Vitals
from .http_server import Answer, HttpServer, listen

logger = logging.getLogger("pgagent_py")


class Monitors:
    """The HTTP server and the ping."""

    def __init__(self, address: tuple[str, int] | None, ping_url: str, jobs: int) -> None:
        """Listen on *address*; *jobs*: of how many jobs metrics tell one by one. Raises `OSError`, or ImportError."""
        self._jobs = jobs
        self._ping_url = ping_url
        self._ping: asyncio.Task[None] | None = None
        self._server: HttpServer | None = None
        self._socket: socket.socket | None = None
        if address is not None:
            import prometheus_client  # noqa: F401 - it may be missing: that is said before anything begins

            self._socket = listen(*address)

    def start(self, served: Sequence[Vitals], heart: Heart) -> None:
        """Begin, on the running loop, to tell of what is *served*."""
        if self._ping_url:
            from .ping import ping

            self._ping = asyncio.create_task(
                ping(self._ping_url, lambda: any(vitals.serving for vitals in served))
            )
        if self._socket is not None:
            from .facts import Facts
            from .metrics import Metrics

            metrics = Metrics(served, lambda vitals: Facts(vitals.conninfo, self._jobs))

            async def live() -> Answer:
                return _health(heart.beats, "the loop turns", "the loop does not turn")

            async def ready() -> Answer:
                count = sum(vitals.serving for vitals in served)
                return _health(bool(count), f"databases that are served: {count}", "no database is served")

            handlers = {"/metrics": metrics.answer, "/health/live": live, "/health/ready": ready}
            self._server = HttpServer(self._socket, handlers)
            self._server.start()
            host, port = self._socket.getsockname()[:2]
            logger.info(Event("metrics", address=f"{f'[{host}]' if ':' in host else host}:{port}"))

    def stop(self) -> None:
        """End."""
        if self._ping is not None:
            self._ping.cancel()
        if self._server is not None:
            self._server.stop()


def _health(is_well: bool, well: str, ill: str) -> Answer:
    return Answer(200 if is_well else 503, f"{well if is_well else ill}\n".encode())
