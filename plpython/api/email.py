"""Mail that any SQL sends, by send_email(): who may, to whom, how much. Verbs of the SQL API, as in jobs.py."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..ground.bounds import RAISE_IT, read_bounds
from ..ground.checks import check_rows
from ..ground.errors import PgAgentError, invalid
from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.roles import is_member, may_edit
from ..ground.vocabulary import SENDERS
from ..runs.wake import wake
from .messages import are_addresses, check_email
from .settings import FORGET, SET

FORMATS = ("csv", "html", "text")

DOMAINS = Statement("SELECT s.value FROM pgagent_py.setting s WHERE s.name = 'email_domains'")


def set_email_domains(plpy: Plpy, caller: str, domains: Sequence[str] | None = None) -> None:
    """Let send_email() send to these domains only; NULL or an empty list means to all."""
    named = [(domain or "").strip().lower() for domain in domains or ()]
    if any(not name or "@" in name or "," in name for name in named):
        raise invalid("domains", "domains holds what is no domain", "Give names such as 'example.org'.")
    if named:
        SET(plpy, "email_domains", ",".join(named))
    else:
        FORGET(plpy, "email_domains")


# $1 role: its id, and how many mails it has sent in the last hour.
SENT = Statement(
    """
SELECT r.oid::int8 AS oid,
       (SELECT count(*) FROM pgagent_py.sent_email s
         WHERE s.semroleid = r.oid AND s.semat > clock_timestamp() - interval '1 hour') AS sent
  FROM pg_roles r WHERE r.rolname = $1""",
    "name",
)
NOTE = Statement("INSERT INTO pgagent_py.sent_email (semroleid) VALUES ($1)", "oid")
QUEUE = Statement(
    """
INSERT INTO pgagent_py.queued_message (
       qmsjobid, qmsjlgid, qmskind, qmstarget, qmssubject, qmstext, qmshtml, qmscc, qmsbcc, qmsdata, qmsjobowner, qmsowner)
VALUES (0, 0, 'mail', $1, $2, $3, $4, $5, $6, $7::jsonb || jsonb_build_object('rows', $8::jsonb), $9, $10) RETURNING qmsid""",
    *["text"] * 8,
    "oid",
    "oid",
)


def queue_email(
    plpy: Plpy,
    caller: str,
    to: str | None,
    subject: str | None,
    text: str | None,
    html: str | None,
    cc: str | None,
    bcc: str | None,
    columns: Sequence[str] | None,
    rows: str | None,
    format: str | None,
    filename: str | None,
    remark: str | None,
) -> int:
    """Queue a mail of *caller*: launchers send it when the transaction has committed."""
    most = email_room(plpy, caller, to, cc, bcc, format, filename)
    table = json.dumps({"columns": columns or [], "format": format, "filename": filename, "remark": remark})
    said = [to, subject, text, html, cc, bcc, table, rows or "[]"]
    size = sum(len((part or "").encode()) for part in said)
    if size > most:
        message = f"the e-mail has {size} bytes, and role {caller} may send {most}"
        raise PgAgentError(message, RAISE_IT.format("email_bytes"), sqlstate="54000")
    check_rows(rows or "[]")
    oid = SENT(plpy, caller)[0]["oid"]
    NOTE(plpy, oid)
    id_: int = QUEUE(plpy, *said, oid, oid if is_member(plpy, caller, SENDERS) else None)[0]["qmsid"]
    wake(plpy, "message")
    return id_


def email_room(
    plpy: Plpy,
    caller: str,
    to: str | None,
    cc: str | None,
    bcc: str | None,
    format: str | None,
    filename: str | None,
) -> int:
    """Refuse a mail of *caller* before its query is executed; return how many bytes it may have."""
    if not is_member(plpy, caller, SENDERS) and not may_edit(plpy, caller):
        hint = f"Make it a member of {SENDERS}."
        raise PgAgentError(f"role {caller} may not send e-mail", hint, sqlstate="42501")
    _check_receivers(plpy, to, cc, bcc)
    if format not in FORMATS:
        raise invalid("format", f'format "{format}" is unknown', f"Use {', '.join(FORMATS)}.")
    if filename is not None and (
        not filename.strip() or not filename.isprintable() or set(filename) & set('/\\"')
    ):
        raise invalid("filename", "filename is no name of a file", "Give a name such as 'report.csv'.")
    most = read_bounds(plpy, caller)["emails"]
    if SENT(plpy, caller)[0]["sent"] >= most:
        message = f"role {caller} may not send more than {most} e-mails an hour"
        raise PgAgentError(message, RAISE_IT.format("emails"), sqlstate="54000")
    return read_bounds(plpy, caller)["email_bytes"]


def _check_receivers(plpy: Plpy, to: str | None, cc: str | None, bcc: str | None) -> None:
    if not are_addresses(to or ""):
        raise invalid("to", "to is not an e-mail address", "Give name@host, several separated by commas.")
    check_email("email", to, {"cc": cc, "bcc": bcc})
    for row in DOMAINS(plpy):
        for address in ",".join(filter(None, [to, cc, bcc])).split(","):
            domain = address.strip().rpartition("@")[2].lower()
            if domain not in row["value"].split(","):
                raise PgAgentError(
                    f"no e-mail may be sent to domain {domain}",
                    hint="An administrator can let it in with set_email_domains().",
                    sqlstate="42501",
                )


FORGET_SENT = Statement(
    "DELETE FROM pgagent_py.sent_email s WHERE s.semat < clock_timestamp() - interval '1 hour'"
)


def forget_sent(plpy: Plpy) -> None:
    """Delete what the bound of mails does not count any more."""
    FORGET_SENT(plpy)
