"""Atomic steps: killed at random moments, hundreds of times, their effects and the log agree."""

import os
import random
import time

from tests.conftest import TEMPLATE, StartLauncher
from tests.helpers import (
    Cluster,
    add_yearly_job,
    check_sound,
    forms,
    make_due,
    serving,
    stop,
    value,
    wait_for,
    wait_for_end,
    wait_for_start,
)

JOBS = 12

KILL = {
    "step": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgagent-py'"
    " AND pid NOT IN (SELECT jagpid FROM pgagent.pga_jobagent)"
    " AND query ~ '^(BEGIN|INSERT INTO effect|SELECT pgagent_py.SET CONSTRAINTS|DISCARD)' ORDER BY random() LIMIT 1",
    "control": "SELECT pg_terminate_backend(jagpid) FROM pgagent.pga_jobagent",
}
MAKE_DUE = "UPDATE pgagent.pga_job SET jobnextrun = now() WHERE jobagentid IS NULL AND (jobnextrun <= now()) IS NOT TRUE"
# Which of 120 attempts in a row hit something else than a step: not left to chance, which may spare one of them.
OTHERS = {30: "launcher", 70: "control", 110: "server"}


@forms(120, 5_000)
def test_atomic_steps_have_their_effects_exactly_if_the_log_says_success(
    own_cluster: Cluster, launcher: StartLauncher, size: int
) -> None:
    """For every run: it has its effect exactly if the log says success, and then once."""
    seed = int(os.environ.get("PGAGENT_PY_SEED", random.randrange(10**6)))
    print(f"PGAGENT_PY_SEED={seed}")
    chance = random.Random(seed)
    agent = serving(launcher("-l", "2", own_cluster.conninfo(TEMPLATE)))
    with own_cluster.connect(TEMPLATE) as db:
        db.execute("CREATE TABLE effect (run integer)")
        for number in range(JOBS):
            code = "INSERT INTO effect VALUES (current_setting('pgagent_py.run_id')::integer); SELECT pg_sleep(random() / 50)"
            add_yearly_job(db, f"job {number}", {"sql": code, "atomic": True})
        long = add_yearly_job(db, "long", {"sql": code.replace("random() / 50", "3"), "atomic": True})
    kills = {"step": 0, "control": 0, "launcher": 0, "server": 0}
    for attempt in range(1, 100 * size):  # many find no step to kill
        victim = OTHERS.get(attempt % 120, "step")
        time.sleep(chance.uniform(0, 0.04 if victim == "step" else 0.4))  # instants to be tried
        if victim == "server":
            own_cluster.restart("immediate")
            kills[victim] += 1
        elif victim == "launcher":
            with own_cluster.connect(TEMPLATE) as db:  # when it has something to lose
                make_due(db, long)
                wait_for_start(db, long)
            agent.kill()
            kills[victim] += 1
            agent = launcher("-l", "2", own_cluster.conninfo(TEMPLATE))
        with own_cluster.connect(TEMPLATE) as db:
            if victim in KILL:
                kills[victim] += db.execute(KILL[victim].encode()).rowcount
            db.execute(MAKE_DUE)
            succeeded = value(db, "SELECT count(*) FROM pgagent.pga_jobsteplog WHERE jslstatus = 's'")
        if sum(kills.values()) >= size and succeeded >= 20:
            break
    print("killed:", kills)
    with own_cluster.connect(TEMPLATE) as db:
        jobs = [row[0] for row in db.execute("SELECT jobid FROM pgagent.pga_job").fetchall()]
        wait_for_end(db, *jobs)
        count = dict(
            db.execute("SELECT jslstatus::text, count(*) FROM pgagent.pga_jobsteplog GROUP BY 1").fetchall()
        )
        print("steps logged:", count)
        assert kills["step"] >= 20
        assert count["s"] >= 20
        assert count.keys() >= {"s", "f", "d"}
        difference = db.execute(
            "SELECT s.jsljlgid, e.count, s.jslstatus FROM pgagent.pga_jobsteplog s"
            " FULL JOIN (SELECT run, count(*) FROM effect GROUP BY run) e ON e.run = s.jsljlgid"
            " WHERE (s.jslstatus = 's') IS DISTINCT FROM (e.count = 1) AND NOT (s.jslstatus <> 's' AND e.count IS NULL)"
        ).fetchall()
        assert difference == []
        wait_for(lambda: value(db, "SELECT count(*) FROM pgagent_py.agent") == 1)
        check_sound(db)
    stop(agent)
