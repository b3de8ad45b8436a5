"""Messages: who is told of the ends of runs, and the queue from which launchers send. Verbs of the SQL API."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ..ground.bounds import check_count
from ..ground.checks import check_job
from ..ground.errors import PgAgentError, invalid
from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.roles import check_edit, check_launch, check_use, is_member, may_edit
from ..ground.vocabulary import ALERTS, ENDS, PRINTABLE_JSON, SENDERS

# $1 job. Its SQL steps keep rows, if none does yet.
KEEP_ROWS = Statement(
    """
INSERT INTO pgagent_py.step_option AS o (jstid, jstkeeprows)
SELECT s.jstid, 500 FROM pgagent.pga_jobstep s
 WHERE s.jstjobid = $1 AND s.jstkind = 's'
   AND NOT EXISTS (SELECT FROM pgagent_py.step_option k JOIN pgagent.pga_jobstep t ON t.jstid = k.jstid
                    WHERE t.jstjobid = $1 AND k.jstkeeprows IS NOT NULL)
    ON CONFLICT (jstid) DO UPDATE SET jstkeeprows = excluded.jstkeeprows""",
    "int4",
)
TELLS_ROWS = re.compile(r"\.rows\b|\btable\(")  # of templates

KINDS = ("email", "webhook", "chat")
WHENS = (*ENDS, *ALERTS)
ATTACHED = ("csv", "html")
MOST_ADDRESSES = 100  # of one e-mail
# Nothing that a mail's header could say more with than an address: comments, groups, quoted or encoded words.
ADDRESS = re.compile(r"""(?!.*=\?)[^\s\x00-\x20\x7f()<>\[\]:;,@\\"]+@[^\s\x00-\x20\x7f()<>;,@\\"]+""")
URL = re.compile(r"https?://[!-~]+")
CHAT_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[!-~]+")

ADD = Statement(
    """
    INSERT INTO pgagent_py.message (
           msgjobid, msgkind, msgtarget, msgwhen, msgsubject, msgtext, msghtml, msgattach, msgcc, msgbcc, msgeditor)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING msgid""",
    "int4",
    *["text"] * 9,
    "bool",
)


def add_message(
    plpy: Plpy,
    caller: str,
    job: int | None = None,
    kind: str | None = None,
    target: str | None = None,
    when: str | None = None,
    text: str | None = None,
    subject: str | None = None,
    html: str | None = None,
    attach: str | None = None,
    cc: str | None = None,
    bcc: str | None = None,
) -> int:
    """Have launchers send a message at the ends of the runs of *job*, of all jobs when it is None; return its id."""
    if job is None:
        check_edit(plpy, caller)
    else:
        check_job(plpy, job)
    check_message(kind, target, when, subject)
    check_email(kind, target, {"html": html, "attach": attach, "cc": cc, "bcc": bcc})
    editor = may_edit(plpy, caller)
    if kind != "email" and not editor and not is_member(plpy, caller, "pgagent_py_batch"):
        raise PgAgentError(
            f"role {caller} may not add a {kind}",
            hint="It is called from the launcher's host: that takes membership in pgagent_py_batch, as batch steps do.",
            sqlstate="42501",
        )
    values = [kind, target, when or "failure", subject, text, html, attach, cc, bcc]
    msgid: int = ADD(plpy, job, *values, editor)[0]["msgid"]
    if attach or TELLS_ROWS.search(f"{text} {html}"):
        KEEP_ROWS(plpy, job)
    check_count(plpy, job, messages=None)
    return msgid


def check_message(kind: str | None, target: str | None, when: str | None, subject: str | None) -> None:
    """Raise the error for the first argument that is wrong; no error names the target, which may be a secret."""
    if kind not in KINDS:
        hint = "Use email, webhook or chat."
        raise invalid("kind", f'kind "{kind}" is unknown' if kind else "kind is missing", hint)
    if when is not None and when not in WHENS:
        raise invalid("when", f'when "{when}" is unknown', f"Use {', '.join(WHENS)}.")
    if kind == "email":
        if (target or "").count(",") >= MOST_ADDRESSES:
            hint = f"Give {MOST_ADDRESSES} at most, or the address of a list."
            raise invalid("target", "target has too many addresses", hint)
        if not are_addresses(target or ""):
            hint = "Give name@host, several separated by commas."
            raise invalid("target", "target is not an e-mail address", hint)
    elif kind == "chat":
        if not CHAT_URL.fullmatch(target or ""):
            raise invalid("target", "target is not a URL", "Give SERVICE://..., see docs/history.md.")
    elif not _is_url(target or ""):
        raise invalid("target", "target is not a URL", "Give http://... or https://...")
    if subject is not None and kind == "webhook":
        raise invalid("subject", "subject is given for a webhook", "subject is for e-mail and chat.")


def check_email(kind: str | None, target: str | None, given: Mapping[str, str | None]) -> None:
    """Raise the error for the first of html, attach, cc and bcc that is wrong."""
    for argument, value in given.items():
        if value is not None and kind != "email":
            raise invalid(argument, f"{argument} is given for a {kind}", f"{argument} is for e-mail.")
        if argument in ("cc", "bcc") and value is not None and not are_addresses(value):
            hint = "Give name@host, several separated by commas."
            raise invalid(argument, f"{argument} is not an e-mail address", hint)
    if given.get("attach") not in (None, *ATTACHED):
        raise invalid("attach", f'attach "{given["attach"]}" is unknown', "Use csv or html.")
    if ",".join(filter(None, [target, given.get("cc"), given.get("bcc")])).count(",") >= MOST_ADDRESSES:
        hint = f"Give {MOST_ADDRESSES} at most, or the address of a list."
        raise invalid("target", "target, cc and bcc have too many addresses", hint)


def are_addresses(text: str) -> bool:
    """Return whether *text* is one or more e-mail addresses, separated by commas."""
    return all(ADDRESS.fullmatch(address.strip()) for address in text.split(","))


def _is_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        return bool(URL.fullmatch(text) and url.hostname and url.port != 0)
    except ValueError:  # the port is no number or too large, a bracket is missing
        return False


FIND = Statement("SELECT m.msgjobid FROM pgagent_py.message m WHERE m.msgid = $1", "int4")
DROP = Statement("DELETE FROM pgagent_py.message m WHERE m.msgid = $1", "int4")


def drop_message(plpy: Plpy, caller: str, message: int | None = None) -> None:
    """Delete a message that add_message made; what it has queued is sent all the same."""
    found = bool(rows := FIND(plpy, message))
    try:
        if found and rows[0]["msgjobid"] is None:
            check_edit(plpy, caller)
        elif found:
            check_use(plpy, caller, {"job": rows[0]["msgjobid"]})
    except PgAgentError:
        found = False  # another role's message does not exist for the caller
    if not found:
        hint = "Look at msgid in pgagent_py.job_message."
        raise invalid("message", f"message {message} does not exist", hint)
    DROP(plpy, message)


# Seconds that a launcher has to report on the messages that it took; after them another one may send them.
LEASE = 300.0

# What a role has lost the right to since it was queued is given up: webhooks and chats of its jobs, its own mails.
REFUSE = Statement(f"""
UPDATE pgagent_py.queued_message q
   SET qmsnotbefore = NULL, qmserror = CASE q.qmskind WHEN 'mail' THEN 'Not sent: its role is not a member of {SENDERS}.'
                                       ELSE 'Not sent: the job''s owner is not a member of pgagent_py_batch.' END
 WHERE q.qmsnotbefore <= clock_timestamp() AND q.qmsowner IS NOT NULL
   AND pg_has_role(q.qmsowner, to_regrole(CASE q.qmskind WHEN 'mail' THEN '{SENDERS}' ELSE 'pgagent_py_batch' END), 'MEMBER')
       IS NOT TRUE""")

# Of one owner's jobs, taken at a time: they hold up one another, and nobody else's.
OF_AN_OWNER = 16

# Bytes of data that are taken at a time, but for a single message: a launcher has them all in memory, in a form that is larger.
MOST_BYTES = 10_000_000

# What launchers of all versions send. Others only those that say so.
KNOWN = ["email", "webhook"]

# Batches of an owner's messages that may be under way, and how old each must be before the next: what one receiver does not take
# holds up none of another's. Receivers are the mail server, and each target.
OF_ONE_OWNER_BATCHES, SLOW_BATCH = 3, "1 s"
RECEIVER = "CASE WHEN {0}.qmskind IN ('email', 'mail') THEN '' ELSE {0}.qmstarget END"
UNDER_WAY = f"""under_way AS MATERIALIZED (
        SELECT t.qmsjobowner, t.qmstaken, {RECEIVER.format("t")} AS receiver FROM pgagent_py.queued_message t
         WHERE t.qmstaken IS NOT NULL AND t.qmsnotbefore > clock_timestamp()),
    busy AS MATERIALIZED (
        SELECT t.qmsjobowner, CASE WHEN count(DISTINCT t.qmstaken) < {OF_ONE_OWNER_BATCHES}
                                   THEN max(t.qmstaken) + interval '{SLOW_BATCH}' ELSE 'infinity' END AS until
          FROM under_way t GROUP BY t.qmsjobowner)"""
WAITS_FOR_ANOTHER = f"""EXISTS (
               SELECT FROM under_way t WHERE t.qmsjobowner = n.qmsjobowner AND t.receiver = {RECEIVER.format("n")})"""

# $1 how many, $2 LEASE, $3 OF_AN_OWNER, $4 the kinds, $5 MOST_BYTES.
TAKE = Statement(
    f"""
    -- The owner whose message has waited longest, of those that may have another batch; 0 for all jobs without an owner.
    WITH {UNDER_WAY},
    next AS MATERIALIZED (
        SELECT n.qmsjobowner FROM pgagent_py.queued_message n
         WHERE n.qmsnotbefore <= clock_timestamp() AND n.qmskind = ANY ($4) AND NOT {WAITS_FOR_ANOTHER}
           AND NOT EXISTS (SELECT FROM busy b WHERE b.qmsjobowner = n.qmsjobowner AND b.until > clock_timestamp())
         ORDER BY n.qmsnotbefore LIMIT 1),
    free AS MATERIALIZED (
        SELECT n.qmsid, n.qmsnotbefore, octet_length(concat(n.qmsdata::text, n.qmstext, n.qmshtml)) AS bytes
          FROM pgagent_py.queued_message n
         WHERE n.qmsnotbefore <= clock_timestamp() AND n.qmskind = ANY ($4)
           AND n.qmsjobowner = (SELECT next.qmsjobowner FROM next) AND NOT {WAITS_FOR_ANOTHER}
         ORDER BY n.qmsnotbefore
         LIMIT CASE WHEN (SELECT next.qmsjobowner FROM next) = 0 THEN $1 ELSE least($1, $3) END
           FOR UPDATE SKIP LOCKED),
    first AS (
        SELECT f.qmsid, row_number() OVER age AS number, sum(f.bytes) OVER age AS bytes FROM free f
        WINDOW age AS (ORDER BY f.qmsnotbefore, f.qmsid))
    UPDATE pgagent_py.queued_message q
       SET qmstries = q.qmstries + 1, qmsnotbefore = clock_timestamp() + make_interval(secs => $2), qmstaken = now()
     WHERE q.qmsid IN (SELECT f.qmsid FROM first f WHERE f.number = 1 OR f.bytes <= $5)
    RETURNING q.qmsid AS id, q.qmskind AS kind, q.qmstarget AS target, q.qmssubject AS subject, q.qmstext AS text,
              q.qmshtml AS html, q.qmsattach AS attach, q.qmscc AS cc, q.qmsbcc AS bcc,
              {PRINTABLE_JSON.format("q.qmsdata::text")} AS data""",
    "int4",
    "float8",
    "int4",
    "text[]",
    "int8",
)


def take_messages(plpy: Plpy, caller: str, count: int, knows: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return at most *count* messages of one owner's jobs to send now; finish_messages is owed for each."""
    check_launch(plpy, caller)
    REFUSE(plpy)
    taken = []
    for row in TAKE(plpy, count, LEASE, OF_AN_OWNER, [*KNOWN, *knows], MOST_BYTES):
        try:
            taken.append({**row, "data": json.loads(row["data"])})
        except (ValueError, RecursionError):  # others' messages must not wait for it
            FINISH(plpy, [row["id"]], ["Not sent: its data can't be read."], [True], TRIES)
    return taken


# A failed message is tried again after 2, 8, 32 ... seconds, an hour at most; given up after the last try.
TRIES = 10

FINISH = Statement(
    """
    WITH result AS (
        -- The messages, what went wrong (NULL: sent), whether it would go wrong again.
        SELECT r.* FROM unnest($1, $2, $3) r (id, error, permanent)),
    sent AS (
        DELETE FROM pgagent_py.queued_message q USING result r WHERE q.qmsid = r.id AND r.error IS NULL)
    UPDATE pgagent_py.queued_message q
       SET qmserror = r.error, qmstaken = NULL,
           qmsnotbefore = CASE WHEN NOT r.permanent AND q.qmstries < $4
                               THEN clock_timestamp() + make_interval(secs => least(2 * 4.0 ^ (q.qmstries - 1), 3600)) END
      FROM result r WHERE q.qmsid = r.id AND r.error IS NOT NULL""",
    "int8[]",
    "text[]",
    "bool[]",
    "int4",
)


def finish_messages(
    plpy: Plpy, caller: str, ids: Sequence[int], errors: Sequence[str | None], permanent: Sequence[bool]
) -> None:
    """Forget the messages that were sent (error None), put off or give up the others."""
    check_launch(plpy, caller)
    if not len(ids) == len(errors) == len(permanent):
        raise PgAgentError("ids, errors and permanent differ in length")
    FINISH(plpy, ids, errors, permanent, TRIES)


# What must wait for others is left out: the launcher that has those looks again when it is done.
NEXT = Statement(
    f"""
WITH {UNDER_WAY}
SELECT extract(epoch FROM min(CASE WHEN n.qmstaken IS NULL THEN greatest(n.qmsnotbefore, b.until) ELSE n.qmsnotbefore END)
                          - clock_timestamp())::float8 AS seconds
  FROM pgagent_py.queued_message n LEFT JOIN busy b ON b.qmsjobowner = n.qmsjobowner
 WHERE n.qmskind = ANY ($1)
   AND (n.qmstaken IS NOT NULL OR NOT {WAITS_FOR_ANOTHER} AND b.until IS DISTINCT FROM 'infinity')""",
    "text[]",
)


def next_message(plpy: Plpy, knows: Sequence[str]) -> float | None:
    """Return the seconds until a message is to be sent, None when none is waiting."""
    seconds: float | None = NEXT(plpy, [*KNOWN, *knows])[0]["seconds"]
    return seconds


KEEP_GIVEN_UP = "7 days"

FORGET_GIVEN_UP = Statement(
    "DELETE FROM pgagent_py.queued_message q WHERE q.qmsnotbefore IS NULL AND q.qmscreated < now() - $1",
    "interval",
)


def forget_given_up(plpy: Plpy) -> None:
    """Delete the messages that were given up some time ago: until then the view unsent_message shows them."""
    FORGET_GIVEN_UP(plpy, KEEP_GIVEN_UP)
