"""A mail server and a web server that behave as told."""

import base64
import socketserver
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Mailbox:
    """What a mail server has got, and how it behaves."""

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    logins: list[bytes] = field(default_factory=list)
    refuse: list[str] = field(
        default_factory=list
    )  # replies to the next DATA commands, instead of taking the mail
    receivers: list[list[str]] = field(default_factory=list)  # of each mail, as the envelope has them
    connections: int = 0
    silent: bool = False  # accept connections and say nothing
    ended: threading.Event = field(default_factory=threading.Event)

    def text(self, number: int = 0) -> str:
        """Return the body of a mail."""
        return str(self.mails[number].get_content())


class SmtpHandler(socketserver.StreamRequestHandler):
    """Speaks as much of SMTP as a client needs: EHLO, STARTTLS, AUTH PLAIN, MAIL, RCPT, DATA."""

    box: Mailbox
    context: ssl.SSLContext | None = None

    def reply(self, *lines: str) -> None:
        last = len(lines) - 1
        text = "".join(f"{line[:3]}{' ' if n == last else '-'}{line[4:]}\r\n" for n, line in enumerate(lines))
        self.wfile.write(text.encode())

    def handle(self) -> None:
        self.box.connections += 1
        if self.box.silent:
            self.box.ended.wait()
            return
        self.reply("220 test server")
        while line := self.rfile.readline():
            if not self.command(line.strip()):
                break

    def command(self, line: bytes) -> bool:
        verb = line[:4].upper()
        if verb == b"EHLO":
            self.reply("250 hello", *(["250 STARTTLS"] if self.context else []), "250 AUTH PLAIN")
        elif verb == b"STAR" and self.context:
            self.reply("220 go on")
            self.connection = self.context.wrap_socket(self.connection, server_side=True)
            self.setup()
            type(self).context = None
        elif verb == b"AUTH":
            self.box.logins.append(base64.b64decode(line.split()[-1]))
            self.reply("235 welcome")
        elif verb == b"DATA":
            self.data()
        elif verb == b"QUIT":
            self.reply("221 bye")
            return False
        else:
            self.reply("250 fine")
        return True

    def setup(self) -> None:
        connection = getattr(self, "connection", None)
        if connection is None:
            super().setup()
        else:
            self.rfile, self.wfile = connection.makefile("rb"), connection.makefile("wb", 0)

    def finish(self) -> None:
        super().finish()
        self.connection.close()  # the server closes only the socket that it knows, without TLS

    def data(self) -> None:
        if self.box.refuse:
            self.reply(self.box.refuse.pop(0))
            return
        self.reply("354 go on")
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line.removeprefix(b"."))
        self.box.mails.append(message_from_bytes(b"".join(lines), policy=policy.default))
        self.reply("250 taken")


class Letters:
    """What aiosmtpd does with a mail: a mail server that is not ours, and refuses lines that are too long."""

    def __init__(self, box: Mailbox) -> None:
        self._box = box

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: ARG002, N802
        self._box.receivers.append(envelope.rcpt_tos)
        self._box.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 taken"


class Server(socketserver.ThreadingTCPServer):
    """Serves each connection by a thread that nobody waits for. Fifty may knock at once; by default it would be five."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128


class WebServer(ThreadingHTTPServer):
    """A web server that fifty may knock at at once."""

    request_queue_size = Server.request_queue_size


def serve(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=[0.05])
    thread.start()
    yield
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Hook:
    """What a web server was sent, and how it answers."""

    port: int = 0
    posts: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)  # statuses of the next answers, then 204


class HookHandler(BaseHTTPRequestHandler):
    """Notes what is posted."""

    hook: Hook

    def do_POST(self) -> None:
        """Answer as told."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.hook.posts.append((self.path, dict(self.headers), body))
        self.send_response(self.hook.answers.pop(0) if self.hook.answers else 204)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""


def smtp(box: Mailbox, **more: str) -> dict[str, str]:
    """Return the launcher's environment."""
    settings = {"HOST": "127.0.0.1", "PORT": str(box.port), "FROM": "jobs@example.org"} | more
    return {f"PGAGENT_PY_SMTP_{name}": value for name, value in settings.items()}
