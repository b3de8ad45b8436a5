"""Servers that messages go to."""

import socketserver
from collections.abc import Iterator
from http.server import ThreadingHTTPServer

import pytest

from tests.helpers.mail import Hook, HookHandler, Mailbox, SmtpHandler, serve


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """Return what a mail server without TLS gets."""
    box = Mailbox()
    handler = type("Handler", (SmtpHandler,), {"box": box})
    with_threads = type(
        "Server", (socketserver.ThreadingTCPServer,), {"daemon_threads": True, "block_on_close": False}
    )
    server = with_threads(("127.0.0.1", 0), handler)
    box.port = server.server_address[1]
    yield from (box for _ in serve(server))
    box.ended.set()


@pytest.fixture
def hook() -> Iterator[Hook]:
    """Return what a web server gets."""
    result = Hook()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (HookHandler,), {"hook": result}))
    result.port = server.server_address[1]
    yield from (result for _ in serve(server))
