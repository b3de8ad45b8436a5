"""Threads for calls that may block, made at the start: when one is needed, there may be no room for it any more."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

RESERVED = 4
STACK_BYTES = 1 << 20  # of address space, which may be limited


class Threads:
    """At least *reserved* threads. More are made while these are busy, if there is room for them."""

    def __init__(self, reserved: int = RESERVED) -> None:
        """Make the reserved threads. They do not keep the process from ending."""
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._reserved = reserved
        self._count = 0
        self._busy = 0
        for _ in range(reserved):
            self._start()

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Call *function* in a thread; the future gets its result, or its error."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def call() -> None:
            try:
                result = function(*args, **kwargs)
            except Exception as error:
                _tell(loop, future, future.set_exception, error)
            else:
                _tell(loop, future, future.set_result, result)

        with self._lock:
            self._busy += 1
            if self._busy > self._count:
                with contextlib.suppress(RuntimeError):  # no room: the call waits for a thread that is there
                    self._start()
        self._calls.put(call)
        return future

    def _start(self) -> None:
        threading.stack_size(STACK_BYTES)
        threading.Thread(target=self._work, daemon=True).start()
        self._count += 1

    def _work(self) -> None:
        while True:
            self._calls.get()()
            with self._lock:
                self._busy -= 1
                if self._count > max(self._reserved, self._busy):
                    self._count -= 1
                    return


def _tell(
    loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any], tell: Callable[[Any], None], outcome: object
) -> None:
    """Settle *future*, from another thread than its own."""

    def settle() -> None:
        if not future.done():
            tell(outcome)

    with contextlib.suppress(RuntimeError):  # the loop is closed
        loop.call_soon_threadsafe(settle)


_shared: Threads | None = None


def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
    """Call *function* in one of the launcher's threads."""
    reserve_threads()
    assert _shared is not None
    return _shared.run(function, *args, **kwargs)


def reserve_threads() -> None:
    """Make the launcher's threads, unless they are there."""
    global _shared
    if _shared is None:
        _shared = Threads()
