"""Messages on their way out: settings, and the process that sends them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

logger = logging.getLogger("pgagent_py.sender")

PREFIX = "PGAGENT_PY_SMTP_"
PORTS = {"none": 25, "starttls": 587, "tls": 465}
SILENCE = 60.0  # seconds without a word after which the sending process is killed


@dataclass(frozen=True, kw_only=True)
class Smtp:
    """How to reach the mail server. *security* is none, starttls or tls; *user* '' means without a login."""

    host: str = "localhost"
    port: int = PORTS["none"]
    security: str = "none"
    user: str = ""
    password: str = ""
    sender: str = ""

    def __repr__(self) -> str:
        """Return what may be shown: not the password."""
        return f"Smtp({self.host}:{self.port})"


def read_smtp(environment: MutableMapping[str, str]) -> Smtp:
    """Take the mail server's settings out of *environment*, so that no step inherits them. Raises `ValueError`."""
    given = {name: environment.pop(name) for name in list(environment) if name.startswith(PREFIX)}
    values = {name.removeprefix(PREFIX).lower(): value for name, value in given.items()}
    if unknown := values.keys() - {"host", "port", "security", "user", "password", "from"}:
        raise ValueError(f"{PREFIX}{unknown.pop().upper()} is not a setting")
    security = values.get("security") or "none"
    if security not in PORTS:
        raise ValueError(f"{PREFIX}SECURITY must be none, starttls or tls")
    port = values.get("port") or str(PORTS[security])
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{PREFIX}PORT is not a port number")
    return Smtp(
        host=values.get("host") or "localhost",
        port=int(port),
        security=security,
        user=values.get("user", ""),
        password=values.get("password", ""),
        sender=values.get("from", ""),
    )


@dataclass(slots=True)
class MessageResult:
    """What became of a message: *error* None means sent; *permanent*, that trying again would not help."""

    id: int
    error: str | None
    permanent: bool = False


class MessageSender:
    """Sends messages in a process of their own, one batch at a time."""

    def __init__(self, smtp: Smtp, on_event: Callable[[], None]) -> None:
        """*on_event* is called when a batch is done."""
        self._smtp = smtp
        self._on_event = on_event
        self._task: asyncio.Task[None] | None = None
        self.results: list[MessageResult] = []  # to be booked

    @property
    def busy(self) -> bool:
        """Whether a batch is on its way."""
        return self._task is not None

    def start(self, messages: Sequence[dict[str, Any]]) -> None:
        """Send *messages*; their results come together."""
        assert self._task is None
        self._task = asyncio.create_task(self._send(messages))

    def cancel(self) -> None:
        """Stop sending, not waiting for its end; what is not sent yet counts as failed."""
        if self._task is not None:
            self._task.cancel()

    async def close(self) -> None:
        """Stop sending and wait for it."""
        self.cancel()
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _send(self, messages: Sequence[dict[str, Any]]) -> None:
        unsent = {message["id"] for message in messages}
        results = []
        rendering = None
        try:
            async for event in self._events(messages):
                if "rendering" in event:
                    rendering = event["id"] if event["rendering"] else None
                elif event["id"] in unsent:
                    unsent.discard(event["id"])
                    results.append(MessageResult(event["id"], event["error"], event["permanent"]))
        except asyncio.CancelledError:
            rendering = None
        except (OSError, ValueError) as error:
            logger.warning("action=send_message %s", type(error).__name__)
        # The process has died, or was killed for its silence: a template that did it would do it again.
        for id_ in unsent:
            results.append(MessageResult(id_, "the process that sends messages ended", id_ == rendering))
        for result in results:
            if result.error is not None:
                logger.warning("action=send_message message=%s failed: %s", result.id, result.error)
        self.results += results
        self._task = None
        self._on_event()

    async def _events(self, messages: Sequence[dict[str, Any]]) -> Any:
        """Yield what the sending process reports."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "pgagent_py_launcher.sender_process"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # a traceback may hold what is secret
            start_new_session=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps({"smtp": asdict(self._smtp), "messages": messages}).encode())
            process.stdin.close()
            while line := await asyncio.wait_for(process.stdout.readline(), SILENCE):
                yield json.loads(line)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
