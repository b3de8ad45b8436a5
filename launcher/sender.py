"""Messages on their way out: settings, and the process that sends them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .smtp import Smtp

logger = logging.getLogger("pgagent_py.sender")

SILENCE = 60.0  # seconds without a word after which the sending process is killed


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
