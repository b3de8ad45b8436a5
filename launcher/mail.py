"""An e-mail as it goes out: the forms of its text, its receivers, the rows that it carries."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate
from typing import Any

from .tables import as_csv, as_html, as_text

# For the file of a step's rows.
NO_FILE_NAME = re.compile(r"[^\w .()-]+")
# The beginning of an encoded word. The package email decodes those that a header is given: one may hold the end of the line, and
# a header of its own behind it.
ENCODED_WORD = "=?"
# The extension checks addresses, too, but its tables may be edited.
ADDRESS = re.compile(r"""[^\s\x00-\x20\x7f()<>\[\]:;,@\\"]+@[^\s\x00-\x20\x7f()<>;,@\\"]+""")
LONGEST_SUBJECT = 1000


@dataclass(slots=True)
class Rendered:
    """What a message says. *html* "": it has no such form."""

    subject: str
    text: str
    html: str = ""


def ready(message: Mapping[str, Any]) -> Rendered:
    """Return what a mail of send_email() says: its own words, and its table if that goes into the text."""
    subject = one_line(message["subject"] or "")
    rendered = Rendered(subject, message["text"] or "", message["html"] or "")
    data = message["data"]
    if data["format"] == "text" and data["columns"]:
        rendered.text = "\n".join(filter(None, [rendered.text, as_text(data["columns"], data["rows"])]))
    if data["format"] == "html" and not data["filename"] and data["columns"]:
        rendered.html += as_html(data["columns"], data["rows"])
    if data["remark"]:
        rendered.text = "\n".join(filter(None, [rendered.text, data["remark"]]))
    return rendered


def build(sender: str, message: Mapping[str, Any], rendered: Rendered) -> EmailMessage:
    """Return the mail."""
    mail = EmailMessage()
    mail["From"] = sender or f"pgagent-py@{socket.getfqdn()}"
    for header, found in receivers(message).items():
        mail[header] = ", ".join(found)
    mail["Subject"] = _in_a_header(rendered.subject)
    mail["Date"] = formatdate(localtime=True)
    run = message["data"].get("run", {}).get("id", 0)
    mail["Message-ID"] = f"<pgagent_py.{run}.{message['id']}@{socket.getfqdn()}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(_printable(rendered.text))
    if rendered.html:
        mail.add_alternative(_printable(rendered.html), subtype="html")
    for name, subtype, text in _attachments(message):
        # As bytes: lines of any length, and line breaks as they are.
        mail.add_attachment(
            text.encode(errors="replace"),
            "text",
            subtype,
            filename=_in_a_header(name),
            params={"charset": "utf-8"},
        )
    return mail


def receivers(message: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the addresses for each header that has any. Raises `ValueError` for what may be read as more than an address."""
    found = {}
    for header, addresses in (("To", message["target"]), ("Cc", message["cc"]), ("Bcc", message["bcc"])):
        if addresses:
            found[header] = [address.strip() for address in addresses.split(",")]
            for address in found[header]:
                if not ADDRESS.fullmatch(address) or ENCODED_WORD in address:
                    raise ValueError("a receiver is no e-mail address")
    return found


def one_line(text: str) -> str:
    """Return the beginning of *text* in one line."""
    return " ".join(text.split())[:LONGEST_SUBJECT]


def _in_a_header(text: str) -> str:
    """Return *text* without what the package email would decode, and without control characters."""
    return "".join(filter(str.isprintable, text)).replace(ENCODED_WORD, "= ?")


def _printable(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return re.sub(r"[^\t\n\x20-\U0010ffff]", "?", text)


def _attachments(message: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield name, subtype and text of each file."""
    data = message["data"]
    if message["kind"] == "mail":
        if data["columns"] and (data["format"] == "csv" or (data["format"] == "html" and data["filename"])):
            yield _file(data["filename"] or "report.csv", data["format"], data)
    elif message["attach"]:
        names: set[str] = set()
        for number, step in enumerate(data["steps"], 1):
            if step["columns"]:
                name = NO_FILE_NAME.sub("_", step["name"])[:100]
                name = f"{name} {number}" if name in names else name
                names.add(name)
                yield _file(f"{name}.{message['attach']}", message["attach"], step)


def _file(name: str, form: str, table: Mapping[str, Any]) -> tuple[str, str, str]:
    if form == "csv":
        return name, "csv", as_csv(table["columns"], table["rows"])
    page = f'<!DOCTYPE html>\n<meta charset="utf-8">\n{as_html(table["columns"], table["rows"])}'
    return name, "html", page
