"""Random jobs, and random deaths of launchers, backends and the server: what must hold afterwards, holds."""

import os
import random
import time
from collections import Counter
from pathlib import Path

import psycopg

from tests.conftest import TEMPLATE, StartLauncher
from tests.helpers import (
    Cluster,
    Db,
    Launcher,
    add_yearly_job,
    check_sound,
    forms,
    stop,
    value,
    wait_for,
    wait_for_end,
)
from tests.helpers.claims import claimed_twice, note_claims

KILL_BACKENDS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
 WHERE application_name = 'pgagent-py' AND pid <> pg_backend_pid() ORDER BY random() LIMIT %s"""


def random_step(chance: random.Random, effects: Path) -> dict[str, object]:
    """Return a step that notes its run and itself, at once and for good, and then may last, fail or write a lot."""
    if chance.random() < 0.5:
        code = (
            "INSERT INTO effect VALUES"
            " (current_setting('pgagent_py.run_id')::integer, current_setting('pgagent_py.step_id')::integer); COMMIT; "
        )
        code += chance.choice(["SELECT 1", "SELECT pg_sleep(0.2)", "SELECT 1/0", "SELECT pg_sleep(1.5)"])
        return {"sql": code, "on_error": chance.choice(["fail", "success", "ignore"])}
    # One write(2) to a file opened for appending: whole lines, whatever happens
    code = f'echo "$PGAGENT_RUN_ID $PGAGENT_STEP_ID" >> {effects}\n'
    code += chance.choice(["exit 0", "sleep 0.2", "exit 3", "sleep 1.5", "seq 10000", "sleep 30 & exit 0"])
    return {"batch": code, "on_error": chance.choice(["fail", "success", "ignore"])}


class Faults:
    """What may happen to a server with three launchers."""

    def __init__(self, chance: random.Random, cluster: Cluster, launcher: StartLauncher) -> None:
        self.chance, self.cluster, self.start = chance, cluster, launcher
        self._last_step = 0
        self.launchers: list[Launcher] = [self._launch() for _ in range(3)]

    def _launch(self) -> Launcher:
        return self.start("-l", "2", "-r", "1", self.cluster.conninfo(TEMPLATE))

    def kill_launcher(self) -> None:
        """Replace a launcher that dies by SIGKILL."""
        self.launchers.pop(self.chance.randrange(3)).kill()
        self.launchers.append(self._launch())

    def stop_launcher(self) -> None:
        """Replace a launcher that is told to stop, as it can be from its first words on."""
        told = self.launchers.pop(self.chance.randrange(3))
        wait_for(told.log_text, what="its first words")
        stop(told)
        self.launchers.append(self._launch())

    def kill_backends(self) -> None:
        """Terminate some connections of the launchers, control connections or steps."""
        with self.cluster.connect(TEMPLATE) as db:
            db.execute(KILL_BACKENDS, [self.chance.randint(1, 5)])

    def restart_server(self) -> None:
        """Restart the server, most often by a crash."""
        self.cluster.restart(self.chance.choice(["immediate", "immediate", "fast"]))

    def wait_for_a_step(self) -> None:
        """Wait until a step is in progress that was not when the last fault struck."""
        newest = "SELECT max(jslid) FROM pgagent.pga_jobsteplog"
        with self.cluster.connect(TEMPLATE) as db:

            def new_step() -> int | None:
                self.make_jobs_due()  # each time: those of the last time may all have been running then
                found = value(db, newest)
                return int(found) if found and found > self._last_step else None

            self._last_step = wait_for(new_step, what="a new step")

    def successes(self) -> int:
        """Return how many runs have succeeded."""
        with self.cluster.connect(TEMPLATE) as db:
            return int(value(db, "SELECT count(*) FROM pgagent.pga_joblog WHERE jlgstatus = 's'"))

    def make_jobs_due(self) -> None:
        """Make some of the sleeping jobs due."""
        with self.cluster.connect(TEMPLATE) as db:
            db.execute(
                "UPDATE pgagent.pga_job SET jobnextrun = clock_timestamp() WHERE jobid % 3 = %s AND jobagentid IS NULL"
                " AND (jobnextrun <= now()) IS NOT TRUE".replace("%", "%%").replace("%%s", "%s"),
                [self.chance.randrange(3)],
            )


def check_effects(db: Db, effects: Path) -> int:
    """Assert that each step of a run had its effect once at most, and has its record; return the number of effects."""
    seen = [tuple(map(int, line.split())) for line in effects.read_text().splitlines()]
    seen += db.execute("SELECT run, step FROM effect").fetchall()
    assert len(seen) == len(set(seen)), "a step ran twice in one run"
    logged = set(db.execute("SELECT jsljlgid, jsljstid FROM pgagent.pga_jobsteplog").fetchall())
    assert set(seen) <= logged, "there is no record of what has happened"
    # Who is logged as successful did what the first statement does
    done = set(
        db.execute("SELECT jsljlgid, jsljstid FROM pgagent.pga_jobsteplog WHERE jslstatus = 's'").fetchall()
    )
    steps = {
        row[0]
        for row in db.execute("SELECT jstid FROM pgagent.pga_jobstep WHERE jstonerror <> 's'").fetchall()
    }
    assert {entry for entry in done if entry[1] in steps} <= set(seen)
    return len(seen)


@forms(30, 1000)
def test_every_due_time_runs_once_whatever_dies(
    own_cluster: Cluster, launcher: StartLauncher, tmp_path: Path, size: int
) -> None:
    """Three launchers, 30 jobs, and so many faults: each strikes a little after something has gone on again."""
    seed = int(os.environ.get("PGAGENT_PY_SEED", random.randrange(10**6)))
    print(f"PGAGENT_PY_SEED={seed}")
    chance = random.Random(seed)
    effects = tmp_path / "effects"
    effects.touch()
    with own_cluster.connect(TEMPLATE) as db:
        db.execute("CREATE TABLE effect (run integer, step integer)")
        note_claims(db)
        jobs = [
            add_yearly_job(
                db, f"job {n}", *(random_step(chance, effects) for _ in range(chance.randint(1, 4)))
            )
            for n in range(30)
        ]
    faults = Faults(chance, own_cluster, launcher)
    wait_for(lambda: all("action=serve" in one_.log_text() for one_ in faults.launchers))
    happened: Counter[str] = Counter()
    choices = [faults.kill_launcher, faults.stop_launcher, faults.kill_backends, faults.restart_server]
    while happened.total() < size or faults.successes() <= 20:
        fault = chance.choices(choices, [3, 1, 8, 2])[0]
        try:
            faults.make_jobs_due()
            faults.wait_for_a_step()
            time.sleep(chance.uniform(0, 0.5))  # instants to be tried
            fault()
        except psycopg.OperationalError:
            continue  # the server hit the test's own connection
        happened[fault.__name__] += 1
    print("happened:", dict(happened))
    with own_cluster.connect(TEMPLATE) as db:
        wait_for_end(db, *jobs)
        wait_for(lambda: value(db, "SELECT count(*) FROM pgagent_py.agent") == 3)
        check_sound(db)
        assert claimed_twice(db) == []
        # Each claim has its run, each run its claim
        assert db.execute(
            "SELECT 1 FROM (SELECT job, count(*) FROM claim GROUP BY job) c FULL JOIN"
            " (SELECT jlgjobid AS job, count(*) FROM pgagent.pga_joblog GROUP BY jlgjobid) l USING (job)"
            " WHERE c.count IS DISTINCT FROM l.count"
        ).fetchall() == []  # fmt: skip
        print("effects:", check_effects(db, effects))
        assert faults.successes() > 20
    for agent in faults.launchers:
        stop(agent)
