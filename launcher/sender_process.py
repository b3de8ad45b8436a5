"""The process that renders and sends messages. In it, slow servers and endless templates do not harm the launcher.

It reads one JSON document from stdin: ``{"smtp": ..., "messages": [...]}``, the fields of `Smtp` and rows of the SQL
function ``take_messages``. It writes a JSON object per line: ``{"id": n, "rendering": true}`` before a message's
templates are rendered, false afterwards, and ``{"id": n, "error": text or null, "permanent": bool}`` when the message
has been sent or has failed. No error names a target or a password.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import signal
import smtplib
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit

import jinja2
import jinja2.sandbox
from markupsafe import Markup

from .chat import send_chat
from .mail import Rendered, build, one_line, ready, receivers
from .tables import as_html

RENDER_SECONDS = 5
ALL_RENDERING_SECONDS = 15  # of one process: the messages that are left are tried again later
PROCESSOR_SECONDS = 60  # after which the process is killed: some operations heed no alarm
MEMORY_BYTES = 1 << 29  # of address space
LONGEST_TEXT = 1_000_000  # characters
SILENCE_SECONDS = 15.0  # without an answer from a server
# For a whole message: a server that says something now and then would otherwise keep its place for ever.
DELIVERY_SECONDS = 20.0
MAILERS = 8  # connections to the mail server at a time
CALLERS = (
    50  # webhooks and chats under way at a time: all that one process gets, so that none waits for another
)
STACK_BYTES = 1 << 19  # of a thread: those of all must have room in MEMORY_BYTES
LIFETIME_SECONDS = 600  # after which the process ends, even if something hangs
RETRIED_STATUSES = {408, 425, 429}  # of HTTP, beside all from 500 on

# An extension before 1.1 tells no event.
WHAT = "{{ event if event is defined and event in ('recovered', 'late', 'overrun') else run.status }}"
SUBJECT = "pgAgent job {{ job.name }}: " + WHAT
TEXT = (
    f"Job {{{{ job.name }}}} (id {{{{ job.id }}}}) in database {{{{ database }}}}: {WHAT}\n"
    + """\
{% if run.status == "late" %}
It was due at {{ due }}, {{ late_seconds|int }} s ago, and has not started.
{% if no_launcher_seconds %}
No launcher was at work for {{ no_launcher_seconds|int }} s before this.
{% endif %}
{% elif run.status == "running" %}
Run {{ run.id }}, started {{ run.start }}, has been running for {{ run.seconds|int }} s
{% else %}
Run {{ run.id }}, started {{ run.start }}{% if run.seconds is not none %}, took {{ run.seconds }} s{% endif %}

{% endif %}

{% for step in steps %}

Step {{ step.name }}: {{ step.status }}{% if step.result is not none %} (result {{ step.result }}){% endif %}

{{ step.output or "" }}
{% endfor %}
"""
)

MAILS = ("email", "mail")  # kinds that go to the mail server

Message = Mapping[str, Any]

_writing = threading.Lock()
_under_way: dict[http.client.HTTPConnection | smtplib.SMTP, float] = {}  # until when each may last


class MessageError(Exception):
    """A message could not be sent. *permanent*: trying again would not help."""

    def __init__(self, text: str, permanent: bool) -> None:
        super().__init__(text)
        self.permanent = permanent


def render(template: str, data: Mapping[str, Any], *, html: bool = False) -> str:
    """Return the text that *template* makes of *data*; `MessageError` if it can't, or takes too much time or memory.

    In *html* values are escaped, and table(step) is the table of a step's rows.
    """
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, undefined=jinja2.StrictUndefined, autoescape=html
    )
    if html:
        environment.globals["table"] = lambda step: Markup(as_html(step["columns"], step["rows"]))
    signal.setitimer(signal.ITIMER_REAL, RENDER_SECONDS)
    try:
        text = environment.from_string(template).render(data)
        text.encode()  # fails for half a surrogate pair, which can't be sent
    except TimeoutError:
        raise MessageError(f"the template took longer than {RENDER_SECONDS} s", True) from None
    except Exception as error:
        raise MessageError(f"template: {type(error).__name__}: {str(error)[:200]}", True) from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    if len(text) > LONGEST_TEXT:
        raise MessageError("the template makes a text of more than a million characters", True)
    return text


def render_message(message: Message) -> Rendered:
    """Return what a message says; a webhook without a template gets the data as JSON."""
    data = message["data"]
    if message["kind"] == "mail":
        return ready(message)
    if message["kind"] == "webhook":
        text = render(message["text"], data) if message["text"] is not None else json.dumps(data)
        return Rendered("", text)
    subject = render(message["subject"] or SUBJECT, data)
    html = render(message["html"], data, html=True) if message["html"] else ""
    text = render(message["text"] or TEXT, data)
    return Rendered(one_line(subject), text, html)


def send_email(smtp: Mapping[str, Any], message: Message, rendered: Rendered) -> None:
    """Send one e-mail, unless the text of its template is empty. Raises `MessageError`."""
    if message["kind"] == "email" and not rendered.text.strip():
        return
    try:
        mail = build(smtp["sender"], message, rendered)
    except ValueError as error:
        raise MessageError(f"{message['kind']}: {error}", True) from None
    # Not those that the header has for smtplib: it reads comments and groups in it.
    to = [address for found in receivers(message).values() for address in found]
    try:
        with _connect_smtp(smtp) as server, limited(server):
            refused = server.send_message(mail, to_addrs=to)
    except smtplib.SMTPRecipientsRefused as error:
        raise _refused(error.recipients) from None
    except smtplib.SMTPNotSupportedError as error:  # STARTTLS, logins, or addresses that are not ASCII
        raise MessageError(f"SMTP server: {error}", not message["target"].isascii()) from None
    except smtplib.SMTPResponseException as error:
        words = (
            error.smtp_error.decode(errors="replace")
            if isinstance(error.smtp_error, bytes)
            else error.smtp_error
        )
        permanent = 500 <= error.smtp_code < 600 and not isinstance(error, smtplib.SMTPAuthenticationError)
        raise MessageError(f"SMTP server: {error.smtp_code} {words[:200]}", permanent) from None
    if refused:
        raise _refused(refused)


def _refused(recipients: Mapping[str, tuple[int, bytes]]) -> MessageError:
    """Return the error for the addresses that the server did not take; the others have got the mail."""
    code, words = next(iter(recipients.values()))
    text = f"SMTP server: {code} {words.decode(errors='replace')[:200]}"
    return MessageError(text, code >= 500)


def _connect_smtp(smtp: Mapping[str, Any]) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if smtp["security"] == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(
            smtp["host"], smtp["port"], timeout=SILENCE_SECONDS, context=context
        )
    else:
        server = smtplib.SMTP(smtp["host"], smtp["port"], timeout=SILENCE_SECONDS)
    try:
        if smtp["security"] == "starttls":
            server.starttls(context=context)
        if smtp["user"]:
            server.login(smtp["user"], smtp["password"])
    except BaseException:
        server.close()
        raise
    return server


def post_webhook(message: Message, text: str) -> None:
    """POST the text to the target, which must answer 2xx; redirections are not followed. Raises `MessageError`."""
    url = urlsplit(message["target"])
    headers = {
        "Content-Type": "application/json" if _is_json(text) else "text/plain; charset=utf-8",
        "User-Agent": "pgagent-py",
        "Idempotency-Key": f"pgagent_py-{message['data']['run']['id']}-{message['id']}",
    }
    if url.username is not None:
        userinfo = f"{unquote(url.username)}:{unquote(url.password or '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(userinfo.encode()).decode()
    connection = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    client = connection(url.hostname or "", url.port, timeout=SILENCE_SECONDS)
    try:
        with limited(client):
            client.request(
                "POST", (url.path or "/") + ("?" + url.query if url.query else ""), text.encode(), headers
            )
            status = client.getresponse().status
    finally:
        client.close()
    if not 200 <= status < 300:
        raise MessageError(f"HTTP status {status}", status < 500 and status not in RETRIED_STATUSES)


@contextlib.contextmanager
def limited(connection: http.client.HTTPConnection | smtplib.SMTP) -> Iterator[None]:
    """Have `watch` cut the connection off when the time for a message is over."""
    _under_way[connection] = time.monotonic() + DELIVERY_SECONDS
    try:
        yield
    finally:
        del _under_way[connection]


def watch() -> None:
    """Cut off deliveries that take too long, and end this process when its time is over."""
    end = time.monotonic() + LIFETIME_SECONDS
    while time.monotonic() < end:
        time.sleep(1)
        for connection, until in list(_under_way.items()):
            if connection.sock is not None and time.monotonic() > until:
                with contextlib.suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RDWR)
    os._exit(1)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def deliver(smtp: Mapping[str, Any], message: Message, rendered: Rendered) -> None:
    """Send one rendered message and report."""
    try:
        if message["kind"] in MAILS:
            send_email(smtp, message, rendered)
        elif message["kind"] == "chat":
            text = rendered.text
            if text.strip() and (
                problem := send_chat(message["target"], rendered.subject, text, DELIVERY_SECONDS)
            ):
                raise MessageError(*problem)
        else:
            post_webhook(message, rendered.text)
    except MessageError as error:
        report(id=message["id"], error=str(error), permanent=error.permanent)
    except OSError as error:  # the network's words; smtplib's own exceptions are among these, too
        words = error.strerror or ("timed out" if isinstance(error, TimeoutError) else type(error).__name__)
        report(id=message["id"], error=f"{message['kind']}: {words}", permanent=False)
    except Exception as error:  # its text may hold the URL
        report(id=message["id"], error=f"{message['kind']}: {type(error).__name__}", permanent=False)
    else:
        report(id=message["id"], error=None, permanent=False)


def report(**event: Any) -> None:
    """Tell the launcher; when it is gone, this process ends, too."""
    with _writing:
        try:
            sys.stdout.write(json.dumps(event) + "\n")
            sys.stdout.flush()
        except OSError:
            os._exit(1)


def _took_too_long(number: int, _: object) -> NoReturn:
    raise TimeoutError(number)


def main() -> None:
    """Send the messages that stdin holds."""
    import resource  # what follows needs Unix

    os.nice(10)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS))
    signal.signal(signal.SIGALRM, _took_too_long)
    threading.stack_size(STACK_BYTES)
    threading.Thread(target=watch, daemon=True).start()
    order = json.load(sys.stdin)
    with ThreadPoolExecutor(MAILERS) as mailers, ThreadPoolExecutor(CALLERS) as callers:
        left = float(ALL_RENDERING_SECONDS)
        for message in order["messages"]:
            if left <= 0:
                report(
                    id=message["id"],
                    error="the templates of messages before it took too long",
                    permanent=False,
                )
                continue
            report(id=message["id"], rendering=True)
            start = time.monotonic()
            try:
                rendered = render_message(message)
            except MessageError as error:
                report(id=message["id"], error=str(error), permanent=error.permanent)
            else:
                report(id=message["id"], rendering=False)
                senders = mailers if message["kind"] in MAILS else callers
                senders.submit(deliver, order["smtp"], message, rendered)
            left -= time.monotonic() - start


if __name__ == "__main__":
    main()
