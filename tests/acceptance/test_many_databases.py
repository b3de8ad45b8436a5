"""One launcher for many databases: it finds them, holds connections only where something is to do, and one holds up no other."""

import contextlib
import json
import re
import signal
import statistics
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.conftest import TEMPLATE, StartLauncher
from tests.helpers import (
    Cluster,
    Db,
    Launcher,
    add_job,
    call,
    forms,
    rows,
    stop,
    value,
    wait_for,
    wait_for_row,
    wait_for_start,
)
from tests.helpers.sql import copy_database

OURS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgagent-py'"
TRANSACTIONS = "SELECT datname, xact_commit + xact_rollback FROM pg_stat_database WHERE datname LIKE 'many%'"


@pytest.fixture
def admin(own_cluster: Cluster) -> Iterator[Db]:
    """Return a connection to the database that the launcher connects to."""
    with own_cluster.connect() as connection:
        yield connection


def create(admin: Db, *names: str) -> None:
    for name in names:
        copy_database(admin, TEMPLATE, name)


def served(agent: Launcher) -> set[str]:
    """Return the databases that it has served at some time."""
    return set(re.findall(r"action=serve database=(\w+) agent", agent.log_text()))


def server_memory(cluster: Cluster) -> int:
    """Return how many bytes the server's processes have, what they share counted once."""
    total = 0
    postmaster = psutil.Process(int((cluster.pgdata / "postmaster.pid").read_text().split()[0]))
    for process in (postmaster, *postmaster.children()):
        with contextlib.suppress(psutil.Error, OSError):
            total += process.memory_full_info().pss
    return total


def metrics(agent: Launcher) -> str:
    """Return all metrics."""
    found = re.search(r'"address": "([^"]+)"', agent.log_text())
    assert found
    with urllib.request.urlopen(f"http://{found[1]}/metrics", timeout=60) as answer:
        return str(answer.read().decode())


def seconds_since_turn(agent: Launcher, name: str) -> float:
    """Return what they say of a database."""
    line = re.search(rf'pgagent_py_seconds_since_last_turn{{database="{name}"}} (\S+)', metrics(agent))
    assert line
    return float(line[1])


def wait_until_quiet(admin: Db) -> None:
    wait_for(lambda: value(admin, OURS) <= 1, what="the launcher to leave quiet databases")
    if admin.info.server_version < 150000:
        admin.execute("SELECT pg_sleep(1)")  # its statistics may be half a second old


def run(db: Db, job: int) -> float:
    """Tell a job to run, from a session that ends, and return after how many seconds it has started."""
    last = value(db, "SELECT coalesce(max(jlgid), 0) FROM pgagent.pga_joblog")
    asked = value(db, "SELECT clock_timestamp() FROM pgagent_py.run_now(%s)", job)
    return float(
        wait_for_row(
            db,
            "SELECT extract(epoch FROM jlgstart - %s)::float8 FROM pgagent.pga_joblog WHERE jlgid > %s AND jlgstatus = 's'",
            asked,
            last,
        )[0]
    )


@forms(8, 100)
def test_quiet_databases_cost_little_and_are_served_soon(
    size: int, own_cluster: Cluster, admin: Db, launcher: StartLauncher
) -> None:
    names = [f"many{number}" for number in range(size)]
    create(admin, *names)
    jobs = {}
    for name in names:
        with own_cluster.connect(name) as db:
            jobs[name] = add_job(db, "x", "SELECT 1")
    agent = launcher("--databases", "all", own_cluster.conninfo())
    sizes: list[int] = []

    def all_are_served() -> bool:
        sizes.append(server_memory(own_cluster))
        return served(agent) == set(names)

    wait_for(all_are_served, what="all to be served once", timeout=600)
    wait_until_quiet(admin)
    quiet = server_memory(own_cluster)
    before, begun = dict(rows(admin, TRANSACTIONS)), time.monotonic()
    for _ in range(10 if size > 8 else 4):  # readings of the launcher's
        admin.execute("SELECT pg_sleep(1)")
        assert value(admin, OURS) <= 20
    seconds = time.monotonic() - begun
    rates = [(count - before[name]) / seconds for name, count in rows(admin, TRANSACTIONS)]
    assert statistics.mean(rates) < 0.5, rates
    memory = psutil.Process(agent.pid).memory_info().rss
    assert memory < 120 * 2**20
    delays = []
    for name in names[:8]:
        with own_cluster.connect(name) as db:
            delays.append(run(db, jobs[name]))
    print(f"{size} databases: {statistics.mean(rates):.3f} transactions/s, delays {sorted(delays)}")
    print(
        f"MiB: launcher {memory >> 20}, server {quiet >> 20} while all is quiet, {max(sizes) >> 20} at most"
    )
    stop(agent)


def test_databases_come_and_go_and_a_broken_one_holds_up_no_other(
    own_cluster: Cluster, admin: Db, launcher: StartLauncher
) -> None:
    create(admin, "good", "old", "quiet", "dropped")
    with own_cluster.connect("old") as db:
        db.execute("UPDATE pg_extension SET extversion = '1.0.0' WHERE extname = 'pgagent_py'")
    agent = launcher("--log-format", "json", "--metrics", ":0", "--databases", "all", own_cluster.conninfo())
    agent.wait_for_log("1.1.0 is needed by launcher")
    create(admin, "later")
    for name in ("good", "later"):
        with own_cluster.connect(name) as db:
            run(db, add_job(db, "x", "SELECT 1"))
    said = [json.loads(line) for line in agent.log_text().splitlines()]
    assert [line["database"] for line in said if line["level"] == "ERROR"] == ["old"]
    wait_until_quiet(admin)
    since = time.monotonic()
    wait_for(
        lambda: seconds_since_turn(agent, "quiet") < time.monotonic() - since, what="a quiet one is seen"
    )
    assert 'database="dropped"' in metrics(agent)
    with own_cluster.connect("dropped") as db:
        db.execute("DROP EXTENSION pgagent_py")
    admin.execute("CREATE DATABASE copy TEMPLATE quiet")
    admin.execute("DROP DATABASE quiet")
    with own_cluster.connect("good") as db:
        add_job(db, "fails", "SELECT 1/0")
        db.execute("SELECT pgagent_py.run_now(max(jobid)) FROM pgagent.pga_job")
    agent.wait_for_log("division by zero")
    (failure,) = [
        line for line in map(json.loads, agent.log_text().splitlines()) if line["level"] == "WARNING"
    ]
    assert (failure["action"], failure["database"]) == ("finish_step", "good")
    admin.execute("DROP DATABASE good WITH (FORCE)")
    with own_cluster.connect("later") as db:
        run(db, add_job(db, "y", "SELECT 1"))
    wait_for(lambda: 'database="dropped"' not in metrics(agent), what="the dropped extension to be noticed")
    lines = map(json.loads, agent.log_text().splitlines())
    assert [line for line in lines if line["level"] == "ERROR" and line.get("database") == "dropped"] == []
    stop(agent)


def test_named_databases_share_the_places(own_cluster: Cluster, admin: Db, launcher: StartLauncher) -> None:
    """The long steps of one database take all places, and another one runs its steps all the same. Others are not served."""
    create(admin, "one", "two", "three")
    admin.execute("CREATE TABLE gate (opened boolean)")
    wait = "DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM gate) LOOP PERFORM pg_sleep(0.05); END LOOP; END $$"
    started = "SELECT count(*) FROM pgagent.pga_joblog WHERE jlgstatus = 's'"
    agent = launcher("--databases", "one,two,none", "--workers", "4", own_cluster.conninfo())
    with (
        own_cluster.connect("three") as three,
        own_cluster.connect("one") as one,
        own_cluster.connect("two") as two,
    ):
        for number in range(8):
            one.execute(
                "SELECT pgagent_py.add_job(%s, sql => %s, database => 'postgres')", [str(number), wait]
            )
            add_job(two, str(number), "SELECT 1")
        add_job(three, "x", "SELECT 1")
        for db in (one, two, three):
            if db is two:
                wait_for_row(one, "SELECT FROM pgagent.pga_joblog HAVING count(*) >= 4")
            db.execute("SELECT pgagent_py.run_now(jobid) FROM pgagent.pga_job")
        wait_for(lambda: value(two, started) == 8, what="the steps of the other database")
        assert value(one, started) == 0
        admin.execute("INSERT INTO gate VALUES (true)")
        wait_for(lambda: value(one, started) == 8, what="the long steps")
        assert value(three, started) == 0
    assert agent.log_text().count("not there, or open to no connection: none") == 1
    stop(agent)


def test_a_list_without_a_name_is_refused(launcher: StartLauncher) -> None:
    agent = launcher("--databases", "a,,b", "dbname=x")
    assert agent.wait() == 2
    assert "--databases: a name is missing" in agent.log_text()


def test_no_server_at_the_start(own_cluster: Cluster, launcher: StartLauncher) -> None:
    agent = launcher("--databases", "all", own_cluster.conninfo("no_such_database"))
    assert agent.wait() == 1
    assert 'database "no_such_database" does not exist' in agent.log_text()
    with pytest.raises(psycopg.Error):
        own_cluster.connect("no_such_database")


def test_it_ends_when_all_databases_are_drained(
    own_cluster: Cluster, admin: Db, launcher: StartLauncher, tmp_path: Path
) -> None:
    """With a step in one, and none in another."""
    create(admin, "many0", "many1")
    one = launcher("-l2", "--databases=all", "--exit-when-drained", own_cluster.conninfo())
    go = tmp_path / "go"
    with own_cluster.connect("many0") as db:
        job = add_job(db, "job", batch=f"while [ ! -e {go} ]; do sleep 0.05; done", cron="0 0 1 1 *")
        call(db, "run_now", job)
        wait_for_start(db, job)
        one.signal(signal.SIGUSR1)
        one.wait_for_log("action=drain")
        call(db, "run_now", add_job(db, "other", "SELECT 1"))
        go.touch()
        assert one.wait() == 0
        assert rows(db, "SELECT jlgstatus FROM pgagent.pga_joblog") == [("s",)]
