"""The end of a walk: nobody holds anything any more, and everything that was begun must come to its end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tests.helpers import Db, rows
from tests.integration.walk.model import ViolationError
from tests.integration.walk.world import one

if TYPE_CHECKING:
    from tests.integration.test_protocol_walk import Walk

PATIENCE = 60.0  # seconds without any progress
# Time passes for agents that were missed: nobody has to wait for their grace time.
AGE = """
UPDATE pgagent_py.agent SET missing_since = missing_since - interval '1 minute'
 WHERE jagpid IN (SELECT a.jagpid FROM pgagent_py.agent a FOR UPDATE SKIP LOCKED)"""

OPEN = """
SELECT (SELECT array_agg(jobid) FROM pgagent.pga_job WHERE jobagentid IS NOT NULL) AS claimed,
       (SELECT array_agg(jobid) FROM pgagent.pga_job WHERE jobenabled AND jobagentid IS NULL AND jobnextrun <= now()) AS due,
       (SELECT array_agg(jlgid) FROM pgagent.pga_joblog WHERE jlgstatus = 'r') AS runs,
       (SELECT array_agg(jslid) FROM pgagent.pga_jobsteplog WHERE jslstatus = 'r') AS steps,
       (SELECT array_agg(jagpid) FROM pgagent.pga_jobagent WHERE jagpid <> ALL (%s)) AS agents"""
WHY = {
    "jobs": "SELECT jobid, jobagentid, joblastrun, jobnextrun, jobenabled FROM pgagent.pga_job"
    " WHERE jobagentid IS NOT NULL OR jobnextrun <= now()",
    "runs": "SELECT l.jlgid, l.jlgjobid, s.jslid, s.jsljstid, s.jslstatus::text FROM pgagent.pga_joblog l"
    " LEFT JOIN pgagent.pga_jobsteplog s ON s.jsljlgid = l.jlgid WHERE l.jlgstatus = 'r'",
    "agents": "SELECT jagpid, agent::text, missing_since FROM pgagent_py.agent",
    "all agents": "SELECT jagpid, jagstation FROM pgagent.pga_jobagent",
}
# Of what is not ours to know the tables: each is empty when nothing is in progress.
PROGRESS = ("waiting_run", "waiting_result", "run")


def settle(walk: Walk) -> None:
    """Let everybody finish; ViolationError if something is stuck, or left behind."""
    _end_disturbance(walk)
    seen, since = None, time.monotonic()
    while any(now := _state(walk)) or any(
        agent.running or agent.waiting or agent.ended for agent in walk.agents
    ):
        if now != seen:
            seen, since = now, time.monotonic()
        if time.monotonic() > since + PATIENCE:
            reasons: dict[str, object] = {what: rows(walk.db, query) for what, query in WHY.items()}
            reasons["launchers"] = [(agent.running, agent.ended) for agent in walk.agents]
            raise ViolationError(f"stuck: claimed, due, runs, steps, agents {now}: {reasons}")
        walk.db.execute(AGE)
        for agent in walk.agents:
            agent.look_for_cancelled()
            agent.end_all_steps()
            agent.take_turn("answered", 4)
        time.sleep(0.01)


def _end_disturbance(walk: Walk) -> None:
    """Let go of what is held; who is away comes back, or another in its place."""
    for _ in range(2):
        walk.users.let_go()
    for agent in walk.agents:
        if agent.turn:
            agent.end_turn("answered")
    walk.users.resume()
    walk.db.execute("UPDATE pgagent.pga_schedule SET jscenabled = false WHERE jscname = 'each second'")
    if walk.daemon:
        walk.daemon.die()
    walk.agents[
        0
    ].die()  # a new one closes what a daemon was executing in a job that a user has taken from it
    for agent in walk.agents:
        if agent.db is None and walk.chance.random() < 0.5:
            agent.die()
        if agent.db is None:
            agent.connect()


def _state(walk: Walk) -> tuple[Any, ...]:
    """Return what is not as it must be in the end, and the rows of our own tables that say so."""
    pids = [agent.db.info.backend_pid for agent in walk.agents if agent.db]
    (row,) = rows(walk.db, OPEN, pids)
    return (
        *row,
        *_progress(walk.db),
        *rows(walk.db, "SELECT jagpid FROM pgagent_py.agent WHERE jagpid <> ALL (%s)", pids),
    )


def _progress(db: Db) -> list[tuple[Any, ...]]:
    tables = [
        name for name in PROGRESS if one(db, "SELECT to_regclass(%s) IS NOT NULL", f"pgagent_py.{name}")
    ]
    return [row for name in tables for row in rows(db, f"SELECT '{name}', t::text FROM pgagent_py.{name} t")]


def close_down(walk: Walk) -> None:
    """Let the agents leave; ViolationError if they leave anything behind."""
    for agent in walk.agents:
        agent.stop()
    if any(left := _state(walk)):
        raise ViolationError(f"left behind: {left}")
