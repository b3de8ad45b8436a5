"""A TCP proxy in front of a server, which a test can turn against both."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable


class Proxy:
    """Listens on a port of 127.0.0.1 and passes on to another.

    delay      seconds that each piece of data is held up
    swallow    acknowledge everything, and pass nothing on; a connection that has met this never recovers
    budget     bytes that still pass, in both directions together, before everything is cut; None: any number
    word       of the server, at which its connection is cut, once; None: any word passes
    accepted   the times at which connections were made, by time.monotonic()
    """

    def __init__(self, port: int) -> None:
        """Pass on to this port."""
        self._target = port
        self.delay = 0.0
        self.swallow = False
        self.budget: int | None = None
        self.word: bytes | None = None
        self.accepted: list[float] = []
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._start(self._accept, self._listener)

    def cut(self) -> None:
        """End all connections."""
        for end in self._open[:]:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def refuse(self) -> None:
        """Refuse further connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def accept(self) -> None:
        """Accept connections again."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._start(self._accept, self._listener)

    def close(self) -> None:
        """End everything."""
        self.refuse()
        while self._threads:
            self.cut()
            self._threads[-1].join(0.1)
            self._threads = [thread for thread in self._threads if thread.is_alive()]

    def _start(self, target: Callable[..., None], *args: object) -> threading.Thread:
        self._threads.append(threading.Thread(target=target, args=args, daemon=True))
        self._threads[-1].start()
        return self._threads[-1]

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                self.accepted.append(time.monotonic())
                self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with (
            client,
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self._target)) as server,
        ):
            self._open += [client, server]
            up = self._start(self._pump, client, server)
            self._pump(server, client)
            up.join()
            self._open.remove(client)
            self._open.remove(server)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        from_server = source.getpeername()[1] == self._target
        swallowing = False
        try:
            while data := source.recv(65536):
                time.sleep(self.delay)
                swallowing = swallowing or self.swallow
                if swallowing:
                    continue
                if from_server and self.word and self.word in data:
                    self.word = None
                    break
                if self.budget is not None:
                    data = data[: self.budget]
                    self.budget -= len(data)
                sink.sendall(data)
                if self.budget == 0:
                    self.budget = None
                    self.cut()
        except OSError:
            pass
        if not swallowing:
            for end in (source, sink):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
