"""The agent of a turn, and which features are in use. One that is not costs the turn nothing but a look at a table's size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from ..ground.plan import Statement
from ..ground.plpy import Plpy, Row
from ..ground.vocabulary import THIS_BACKEND
from .rows import AgentRow

# What there may be to look at in a turn: by table (no view has a size), for which of its rows (t). $1 agent.
FEATURES = {
    "pg_catalog.pg_subscription_rel": {"subscribed": "t.srrelid = 'pgagent.pga_job'::regclass"},
    "pgagent_py.backfill": {"backfilling": "t.bflended IS NULL"},
    "pgagent_py.draining": {"draining": "t.agent = $1", "adoptable": "t.agent <> $1"},
    "pgagent_py.job_dependency": {"dependent": "true", "unchecked": "NOT t.depchecked"},
    "pgagent_py.job_limit": {"limited": "true"},
    "pgagent_py.job_option": {
        "stopping": "t.jobatwindowend IS NOT NULL",
        "choosy": "t.jobpriority <> 0",
        "deleting": "t.jobdone",
        "belated": "t.jobmaxlateness IS NOT NULL OR t.jobcatchup IS NOT NULL",
        "owned": "t.jobownerid IS NOT NULL",
        "parametrised": "t.jobparameters IS NOT NULL",
    },
    "pgagent_py.job_owed": {"owing": "true"},
    "pgagent_py.job_window": {"windowed": "true"},
    "pgagent_py.message": {"alerting": "t.msgwhen IN ('late', 'overrun')"},
    "pgagent_py.pause": {"choosy": "true"},
    "pgagent_py.problem": {"choosy": "true"},
    "pgagent_py.run_option": {"parametrised": "t.jlgparameters IS NOT NULL"},
    "pgagent_py.run_order": {"ordered": "true"},
    "pgagent_py.setting": {"followed": "t.name = 'notify_runs'"},
    "pgagent_py.skip": {"skipping": "NOT t.skpused"},
    "pgagent_py.waiting_result": {"waiting": "t.agent = $1"},
}
# With each of these there is something to choose by.
CHOICES = ("limited", "windowed", "ordered", "deleting", "belated", "owned", "skipping")
# With one of these a run can't be handed back as if nothing had been, or one that is due later may have to come first.
NOT_AHEAD = ("draining", "choosy", "owing", "backfilling", "followed")


def _look(table: str, features: dict[str, str]) -> Statement[Row]:
    flags = (f"EXISTS (SELECT FROM {table} t WHERE {rows}) AS {name}" for name, rows in features.items())
    sql = f"SELECT {', '.join(flags)}"
    return Statement(sql, *(["uuid"] if "$1" in sql else []))


LOOKS = {table: _look(table, features) for table, features in FEATURES.items()}
NOTHING = dict.fromkeys({name for features in FEATURES.values() for name in features}, False)

TABLES = Statement("SELECT t.name::regclass::oid AS id FROM unnest($1) t (name)", "text[]")
_tables: dict[int, str] = {}

# $1 agent, $2 ids of tables. One that is gone, since the extension was made anew, is looked at as well.
AGENT = Statement(
    f"""
SELECT a.agent, a.jagpid, a.jagstation, a.jagknows, a.jagall, a.jagreboot, a.jagpooled, a.jagleft,
       pg_has_role(a.jagrole, to_regrole('pgagent_py_launcher'), 'MEMBER') IS TRUE AS launches,
       pg_get_userbyid(a.jagrole) AS role,
       EXISTS (SELECT FROM pgagent_py.agent f WHERE f.agent = a.agent AND f.jagpid <> a.jagpid) AS returned,
       EXISTS (SELECT FROM pgagent_py.run r WHERE r.agent = a.agent AND r.jslid IS NULL) AS waiting,
       EXISTS (SELECT FROM pgagent_py.kept_run k WHERE k.agent <> a.agent AND k.executing) AS lasting,
       ARRAY(SELECT t.id FROM unnest($2) t (id) WHERE pg_relation_size(t.id) IS DISTINCT FROM 0) AS used
  FROM pgagent_py.agent a
 WHERE a.agent = $1 AND {THIS_BACKEND}
   -- a user may have tidied up pgAgent's list
   AND EXISTS (SELECT FROM pgagent.pga_jobagent l WHERE l.jagpid = a.jagpid)""",
    "uuid",
    "oid[]",
)


def agent_of_turn(plpy: Plpy, agent: str, connecting: Sequence[int], apart: bool) -> AgentRow | None:
    """Return the agent that this backend is registered as, with the features that are in use; None if it is not."""
    if not _tables:
        names = list(FEATURES)
        _tables.update(zip((row["id"] for row in TABLES(plpy, names)), names))
    found = AGENT(plpy, agent, list(_tables))
    if not found:
        return None
    me: dict[str, Any] = {**NOTHING, **found[0], "connecting": connecting, "apart": apart}
    for table in me.pop("used"):
        look = LOOKS[_tables[table]]
        for name, used in look(plpy, *([agent] if look.types else []))[0].items():
            me[name] |= used
    me["choosy"] |= any(me[name] for name in CHOICES)
    me["foresees"] = not any(me[name] for name in NOT_AHEAD)
    me["parametrised"] |= me["ordered"]
    return cast("AgentRow", me)
