"""What agents report of their hosts: the clock, what their service takes from batch steps, refused connections.

A verb of the SQL API, as in jobs.py.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..ground.errors import invalid
from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.roles import check_launch

MOST_SETTINGS, MOST_REFUSED, LONGEST_WORDS = 50, 1000, 1000

# $1 the role that asks.
THIS_AGENT = Statement(
    """
SELECT a.agent FROM pgagent_py.agent a
 WHERE a.jagpid = pg_backend_pid() AND a.jagrole = to_regrole(quote_ident($1))""",
    "text",
)
REPORT = Statement(
    """
INSERT INTO pgagent_py.launcher_report (agent, lrpskew, lrphindered) VALUES ($1, $2, $3)
    ON CONFLICT (agent) DO UPDATE SET (lrpskew, lrphindered) = ROW(excluded.lrpskew, excluded.lrphindered)""",
    "uuid",
    "interval",
    "text[]",
)
# A row that stays keeps the time since when.
FORGET_OTHERS = Statement(
    "DELETE FROM pgagent_py.refusal f WHERE f.agent = $1 AND f.jstid <> ALL ($2)", "uuid", "int4[]"
)
NOTE_REFUSED = Statement(
    """
INSERT INTO pgagent_py.refusal (agent, jstid, error) SELECT $1, n.jstid, n.error FROM unnest($2, $3) n (jstid, error)
    ON CONFLICT (agent, jstid) DO UPDATE SET error = excluded.error""",
    "uuid",
    "int4[]",
    "text[]",
)


def report_launcher(
    plpy: Plpy,
    caller: str,
    skew: str | None = None,
    hindered: Sequence[str] | None = None,
    refused: str | None = None,
) -> None:
    """Replace what the agent of this backend has reported before."""
    check_launch(plpy, caller)
    found = THIS_AGENT(plpy, caller)
    if not found:
        return
    agent = found[0]["agent"]
    settings = list(hindered or ())
    if len(settings) > MOST_SETTINGS or any(not _is_text(name) for name in settings):
        raise invalid("hindered", "hindered has more than names of settings", "Give names of settings.")
    REPORT(plpy, agent, skew or "0", settings)
    steps = _read_refused(refused)
    FORGET_OTHERS(plpy, agent, list(steps))
    if steps:
        NOTE_REFUSED(plpy, agent, list(steps), list(steps.values()))


def _is_text(text: object) -> bool:
    return isinstance(text, str) and len(text) <= LONGEST_WORDS


def _read_refused(text: str | None) -> dict[int, str]:
    try:
        given = json.loads(text or "{}")
        steps = {int(step): words for step, words in given.items()}
    except (ValueError, AttributeError, RecursionError):
        steps = {0: ""}
    if any(not _is_text(words) or not 0 < step < 2**31 for step, words in steps.items()) or (
        len(steps) > MOST_REFUSED
    ):
        hint = f"Give texts by the ids of steps, {MOST_REFUSED} at most."
        raise invalid("refused", "refused is no object of texts by steps", hint)
    return steps


# The sweep: what an agent has said goes with it.
FORGET = [
    Statement(f"""
DELETE FROM pgagent_py.{table}
 WHERE ctid = ANY (ARRAY(SELECT o.ctid FROM pgagent_py.{table} o
                          WHERE NOT EXISTS (SELECT FROM pgagent_py.agent a WHERE a.agent = o.agent)
                            FOR UPDATE SKIP LOCKED))""")
    for table in ("launcher_report", "refusal")
]


def forget_reports(plpy: Plpy) -> None:
    """Forget what agents that are gone have reported."""
    for forget in FORGET:
        forget(plpy)
