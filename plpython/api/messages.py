"""Messages: who is told of the ends of runs, and the queue from which launchers send."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from ..ground.errors import PgAgentError, invalid
from ..ground.plan import run
from ..ground.roles import check_edit, check_launch, check_use, is_member, may_edit
from ..ground.vocabulary import ENDS

KINDS = ("email", "webhook")
ADDRESS = re.compile(r"[^@\s,<>]+@[^@\s,<>]+")
URL = re.compile(r"https?://[!-~]+")
# Seconds that a launcher has to report on what it took; after them another one may send it.
LEASE = 300.0
# A failed message is tried again after 2, 8, 32 ... seconds, an hour at most; given up after the last try.
TRIES = 10

TAKE = """
UPDATE pgagent_py.queued_message q
   SET qmstries = q.qmstries + 1, qmsnotbefore = clock_timestamp() + make_interval(secs => $2)
 WHERE q.qmsid IN (SELECT n.qmsid FROM pgagent_py.queued_message n WHERE n.qmsnotbefore <= clock_timestamp()
                    ORDER BY n.qmsnotbefore LIMIT $1 FOR UPDATE SKIP LOCKED)
RETURNING q.qmsid AS id, q.qmskind AS kind, q.qmstarget AS target, q.qmssubject AS subject, q.qmstext AS text,
          q.qmsdata::text AS data"""

# $1 the messages, $2 what went wrong (NULL: sent), $3 whether it would again.
FINISH = """
WITH result AS (SELECT r.* FROM unnest($1, $2, $3) r (id, error, permanent)),
sent AS (DELETE FROM pgagent_py.queued_message q USING result r WHERE q.qmsid = r.id AND r.error IS NULL)
UPDATE pgagent_py.queued_message q
   SET qmserror = r.error,
       qmsnotbefore = CASE WHEN NOT r.permanent AND q.qmstries < $4
                           THEN clock_timestamp() + make_interval(secs => least(2 * 4.0 ^ (q.qmstries - 1), 3600)) END
  FROM result r WHERE q.qmsid = r.id AND r.error IS NOT NULL"""

NEXT_MESSAGE = """
SELECT extract(epoch FROM min(q.qmsnotbefore) - clock_timestamp())::float8 AS seconds FROM pgagent_py.queued_message q"""


def add_message(
    plpy: Any,
    caller: str,
    job: int | None = None,
    kind: str | None = None,
    target: str | None = None,
    when: str | None = None,
    text: str | None = None,
    subject: str | None = None,
) -> int:
    """Have launchers send a message at the ends of the runs of *job*, of all jobs when it is None; return its id."""
    if job is None:
        check_edit(plpy, caller)
    if job is not None and not run(plpy, "SELECT FROM pgagent.pga_job j WHERE j.jobid = $1", ["int4"], [job]):
        raise invalid("job", f"job {job} does not exist", "Look at jobid in pgagent.pga_job.")
    check_message(kind, target, when, subject)
    if kind == "webhook" and not may_edit(plpy, caller) and not is_member(plpy, caller, "pgagent_py_batch"):
        raise PgAgentError(
            f"role {caller} may not add a webhook",
            hint="It is called from the launcher's host: that takes membership in pgagent_py_batch, as batch steps do.",
            sqlstate="42501",
        )
    insert = """
        INSERT INTO pgagent_py.message (msgjobid, msgkind, msgtarget, msgwhen, msgsubject, msgtext)
        VALUES ($1, $2, $3, $4, $5, $6) RETURNING msgid"""
    values = [job, kind, target, when or "failure", subject, text]
    (row,) = run(plpy, insert, ["int4", *["text"] * 5], values)
    msgid: int = row["msgid"]
    return msgid


def check_message(kind: str | None, target: str | None, when: str | None, subject: str | None) -> None:
    """Raise the error for the first argument that is wrong; no error names the target, which may be a secret."""
    if kind not in KINDS:
        raise invalid(
            "kind", f'kind "{kind}" is unknown' if kind else "kind is missing", "Use email or webhook."
        )
    if when is not None and when not in ENDS:
        raise invalid("when", f'when "{when}" is unknown', "Use failure, success or finish.")
    if kind == "email":
        if not all(ADDRESS.fullmatch(address.strip()) for address in (target or "").split(",")):
            raise invalid(
                "target", "target is not an e-mail address", "Give name@host, several separated by commas."
            )
    elif not _is_url(target or ""):
        raise invalid("target", "target is not a URL", "Give http://... or https://...")
    if subject is not None and kind != "email":
        raise invalid("subject", "subject is given for a webhook", "subject is for e-mail.")


def _is_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        return bool(URL.fullmatch(text) and url.hostname and url.port != 0)
    except ValueError:  # the port is no number or too large, a bracket is missing
        return False


def drop_message(plpy: Any, caller: str, message: int | None = None) -> None:
    """Delete a message that add_message made; what it has queued is sent all the same."""
    rows = run(plpy, "SELECT m.msgjobid FROM pgagent_py.message m WHERE m.msgid = $1", ["int4"], [message])
    try:
        if rows and rows[0]["msgjobid"] is None:
            check_edit(plpy, caller)
        elif rows:
            check_use(plpy, caller, {"job": rows[0]["msgjobid"]})
    except PgAgentError:
        rows = []  # another's is, to the caller, none
    if not rows:
        raise invalid(
            "message", f"message {message} does not exist", "Look at msgid in pgagent_py.job_message."
        )
    run(plpy, "DELETE FROM pgagent_py.message m WHERE m.msgid = $1", ["int4"], [message])


def take_messages(plpy: Any, caller: str, count: int) -> list[dict[str, Any]]:
    """Return at most *count* messages to send now; finish_messages is owed for each."""
    check_launch(plpy, caller)
    rows = run(plpy, TAKE, ["int4", "float8"], [count, LEASE])
    return [{**row, "data": json.loads(row["data"])} for row in rows]


def finish_messages(
    plpy: Any, caller: str, ids: Sequence[int], errors: Sequence[str | None], permanent: Sequence[bool]
) -> None:
    """Forget the messages that were sent (error None), put off or give up the others."""
    check_launch(plpy, caller)
    if not len(ids) == len(errors) == len(permanent):
        raise PgAgentError("ids, errors and permanent differ in length")
    run(plpy, FINISH, ["int8[]", "text[]", "bool[]", "int4"], [ids, errors, permanent, TRIES])


def next_message(plpy: Any) -> float | None:
    """Return the seconds until a message is to be sent, None when none is waiting."""
    seconds: float | None = run(plpy, NEXT_MESSAGE)[0]["seconds"]
    return seconds
