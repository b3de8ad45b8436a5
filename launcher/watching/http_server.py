"""A small HTTP server for monitors, in a thread of its own: it answers while the launcher's loop is busy or hangs.

A client has little time and may send little. There are few connections at the same time; beyond them a new one is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

REQUEST_BYTES = 8192
REQUEST_SECONDS = 5.0  # that a client has for its request
ANSWER_SECONDS = 20.0  # for all, also to take the answer
MOST_CONNECTIONS = 20
STOP_SECONDS = 2.0
REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    503: "Service Unavailable",
}
TEXT_TYPE = "text/plain; charset=utf-8"


class Answer(NamedTuple):
    """What a client gets."""

    status: int
    body: bytes
    type: str = TEXT_TYPE


Handler = Callable[[], Awaitable[Answer]]


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens there. Raises `OSError`."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return socket.create_server(found[0][4][:2], family=found[0][0])


class HttpServer:
    """Answers GET for a few paths."""

    def __init__(self, sock: socket.socket, handlers: Mapping[str, Handler]) -> None:
        """Serve on *sock*: *handlers* by path."""
        self._sock = sock
        self._handlers = handlers
        self._connections = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # they are for the launcher's loop
        asyncio.run(self._run_loop())

    async def _run_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._serve, sock=self._sock, limit=REQUEST_BYTES)
        await self._stop.wait()
        server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        try:
            if self._connections <= MOST_CONNECTIONS:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await self._answer(reader, writer)
        except (OSError, TimeoutError):
            pass
        finally:
            self._connections -= 1
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                request = await reader.readuntil(b"\r\n\r\n")
            method, target, version = request.split(b"\r\n", 1)[0].decode("ascii").split(" ")
            if not version.startswith("HTTP/1."):
                raise ValueError(version)
        except (ValueError, asyncio.LimitOverrunError, asyncio.IncompleteReadError):
            answer, method = Answer(400, b"not understood\n"), "GET"
        else:
            answer = await self._find(method, target.partition("?")[0])
        writer.write(_head(answer) + (b"" if method == "HEAD" else answer.body))
        await writer.drain()
        writer.write_eof()
        await reader.read(1)  # the client closes: else it might lose what it has not read yet

    async def _find(self, method: str, path: str) -> Answer:
        handler = self._handlers.get(path)
        if handler is None:
            return Answer(404, ("there are: " + " ".join(self._handlers) + "\n").encode())
        if method not in ("GET", "HEAD"):
            return Answer(405, b"only GET and HEAD\n")
        return await handler()


def _head(answer: Answer) -> bytes:
    lines = [
        f"HTTP/1.1 {answer.status} {REASONS[answer.status]}",
        f"Content-Type: {answer.type}",
        f"Content-Length: {len(answer.body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
