"""The sender: takes messages from the database, has them sent by a process of its own, and books what became of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .control import MESSAGE, Control
from .handover import inherited
from .log import Event
from .side_task import SideTask
from .smtp import Smtp
from .threads import in_thread

logger = logging.getLogger("pgagent_py.sender")

TAKE_MESSAGES = "SELECT pgagent_py.take_messages(%s, knows => '{mail,chat}')"
FINISH_MESSAGES = "SELECT pgagent_py.finish_messages(%s::int8[], %s::text[], %s::bool[])"
NEXT_MESSAGE = "SELECT pgagent_py.next_message('{mail,chat}')"

BATCH_MESSAGES = 50  # sent in one go, at most; they are of one owner's jobs
MOST_BATCHES = 16  # on their way at a time: one owner has three of them at most
# Between two looks for messages: of other launchers, which have gone, or after an error.
LOOK_PAUSE_SECONDS, SHORTEST_PAUSE_SECONDS = 60.0, 0.05
FEW_ARENAS = {
    "MALLOC_ARENA_MAX": "2"
}  # else each thread of the process reserves address space, which is bounded
SILENCE_SECONDS = 60.0  # without a word, after which the sending process is killed


@dataclass(slots=True)
class MessageResult:
    """What became of a message: *error* None means sent; *permanent*, that trying again would not help."""

    id: int
    error: str | None
    permanent: bool = False


class Sender(SideTask):
    """Sends messages, a few batches at a time, each by a process of its own."""

    name = "send_message"

    def __init__(self, smtp: Smtp, on_event: Callable[[], None]) -> None:
        """*on_event* is called when it is known what became of a message."""
        self._smtp = smtp
        self._on_event = on_event
        self._tasks: set[asyncio.Task[None]] = set()
        self._results: list[MessageResult] = []  # not booked yet
        self._next_look = 0.0

    @property
    def busy(self) -> bool:
        """Whether messages are on their way, or have not been booked yet."""
        return bool(self._tasks or self._results)

    def seconds(self) -> float:
        """Return after how long to look for messages."""
        if len(self._tasks) >= MOST_BATCHES:
            return LOOK_PAUSE_SECONDS  # the end of one is an event
        return max(self._next_look - asyncio.get_running_loop().time(), 0.0)

    async def turn(self, control: Control, *, idle: bool, stopping: bool) -> None:  # noqa: ARG002
        """Book what has become of messages, and take the next batch."""
        if self._results:
            await self._finish(control)
        now = asyncio.get_running_loop().time()
        if stopping:
            self._next_look = now + LOOK_PAUSE_SECONDS
        if stopping or len(self._tasks) >= MOST_BATCHES:
            return
        if control.heard(MESSAGE) or now >= self._next_look:
            self._next_look = now + LOOK_PAUSE_SECONDS
            await self._take(control)

    def cancel(self) -> None:
        """Stop sending, but do not wait for its end; messages that are not sent yet count as failed."""
        for task in self._tasks:
            task.cancel()

    async def close(self) -> None:
        """Stop sending and wait for it."""
        self.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _finish(self, control: Control) -> None:
        done = self._results[:]
        columns = [[r.id for r in done], [r.error for r in done], [r.permanent for r in done]]
        await control.fetch(FINISH_MESSAGES, columns)
        del self._results[: len(done)]
        self._next_look = 0.0

    async def _take(self, control: Control) -> None:
        ((messages,),) = await control.fetch(TAKE_MESSAGES, [BATCH_MESSAGES])
        if messages:
            task = asyncio.create_task(self._send(messages))
            self._tasks.add(task)
            task.add_done_callback(self._end)
            self._next_look = 0.0  # there may be messages of others
            return
        ((seconds,),) = await control.fetch(NEXT_MESSAGE)
        if seconds is not None:
            pause = min(max(float(seconds), SHORTEST_PAUSE_SECONDS), LOOK_PAUSE_SECONDS)
            self._next_look = asyncio.get_running_loop().time() + pause

    def _end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._on_event()

    async def _send(self, messages: Sequence[dict[str, Any]]) -> None:
        """Send a batch. Each message is booked as soon as it is known what became of it: another may take its time."""
        unsent = {message["id"] for message in messages}
        rendering = None
        try:
            async for event in self._events(messages):
                if "rendering" in event:
                    rendering = event["id"] if event["rendering"] else None
                elif event["id"] in unsent:
                    unsent.discard(event["id"])
                    self._note(MessageResult(event["id"], event["error"], event["permanent"]))
        except asyncio.CancelledError:
            rendering = None
        except (OSError, ValueError) as error:
            logger.warning(Event("send_message", type(error).__name__))
        # The process has died, or was killed for its silence: a template that did it would do it again.
        for id_ in unsent:
            self._note(MessageResult(id_, "the process that sends messages ended", id_ == rendering))

    def _note(self, result: MessageResult) -> None:
        if result.error is not None:
            logger.warning(Event("send_message", f"failed: {result.error}", message_id=result.id))
        self._results.append(result)
        self._on_event()

    async def _events(self, messages: Sequence[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
        """Yield what the sending process reports."""
        # asyncio's own subprocesses take a thread each, for which there may be no room.
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "pgagent_py_launcher.sender_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # a traceback may hold a secret
            start_new_session=True,
            env=inherited() | FEW_ARENAS,
        )
        order = json.dumps({"smtp": asdict(self._smtp), "messages": messages}).encode()
        try:
            feeding = in_thread(_feed, process, order)
            reader = asyncio.StreamReader()
            transport, _ = await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(reader), process.stdout
            )
            with contextlib.closing(transport):
                while line := await asyncio.wait_for(reader.readline(), SILENCE_SECONDS):
                    yield json.loads(line)
        finally:
            process.kill()
            await feeding
            await in_thread(process.wait)


def _feed(process: subprocess.Popen[bytes], order: bytes) -> None:
    """Tell the sending process what to send; it may end before it has read that."""
    assert process.stdin is not None
    with contextlib.suppress(OSError), process.stdin:
        process.stdin.write(order)
