"""Servers that are away, frozen, slow or another one: the launcher is back as soon as there is a primary."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.conftest import TEMPLATE, StartLauncher
from tests.helpers import (
    PASSWORD,
    Cluster,
    add_yearly_job,
    agents,
    check_sound,
    forms,
    make_due,
    rows,
    serving,
    statuses,
    stop,
    value,
    wait_for,
    wait_for_end,
)
from tests.helpers.proxy import Proxy

EVER = 3600  # as connect_timeout: no test waits for its end
MOST_POLLS = 5
CUT_BYTES = 12_000  # more than a run of three steps takes


@pytest.fixture
def proxy(own_cluster: Cluster) -> Iterator[Proxy]:
    """Return a proxy in front of the test's own server."""
    proxy = Proxy(own_cluster.port)
    yield proxy
    proxy.close()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Return a port where connections are taken, and nobody ever answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as listener:
        yield listener.getsockname()[1]


def through(*ports: int, cluster: Cluster) -> str:
    """Return the connection string that leads through these ports of 127.0.0.1."""
    return cluster.conninfo(
        TEMPLATE,
        host=",".join("127.0.0.1" for _ in ports),
        port=",".join(map(str, ports)),
        password=PASSWORD,
        connect_timeout=EVER,
    )


def polls(conninfo: str, query: str) -> int:
    """Return how often a loop finds a writable primary, once a second, until the query gives true there."""
    count = 0
    while True:
        try:
            with psycopg.connect(conninfo, autocommit=True, connect_timeout=2) as db:
                if not value(db, "SELECT pg_is_in_recovery()"):
                    count += 1
                    if value(db, query):
                        return count
                    assert count < 60
        except psycopg.OperationalError:
            pass
        time.sleep(1)


@pytest.mark.parametrize("count", [1, 3])
@forms(short=5, long=60)
def test_idle_launchers_are_back_soon(
    own_cluster: Cluster, launcher: StartLauncher, count: int, size: int
) -> None:
    """The server was away for a while: a loop that asks once a second sees the first step after few rounds."""
    conninfo = own_cluster.conninfo(TEMPLATE)
    started = [serving(launcher("-l", "2", conninfo)) for _ in range(count)]
    with own_cluster.connect(TEMPLATE) as db:
        job = add_yearly_job(db, "a", "SELECT 1")
        make_due(db, job)
        wait_for_end(db, job)
        db.execute("UPDATE pgagent.pga_job SET jobnextrun = clock_timestamp() + %s * interval '1 s'", [size])
    own_cluster.stop("immediate")
    time.sleep(size)
    own_cluster.start()
    assert polls(conninfo, "SELECT count(*) = 2 FROM pgagent.pga_jobsteplog") <= MOST_POLLS
    for one_of_them in started:
        stop(one_of_them)


def test_attempts_come_as_often_as_a_plain_loops_and_not_in_step(
    own_cluster: Cluster, proxy: Proxy, launcher: StartLauncher
) -> None:
    serving(launcher("-l", "2", through(proxy.port, cluster=own_cluster)))
    own_cluster.stop("immediate")
    before, rounds = len(proxy.accepted), 8
    for _ in range(rounds):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(own_cluster.conninfo(), connect_timeout=2)
        time.sleep(1)
    times = proxy.accepted[before:]
    assert len(times) >= rounds
    pauses = [later - earlier for earlier, later in zip(times[-5:], times[-4:], strict=False)]
    assert max(pauses) - min(pauses) > 0.01


def test_hosts_that_never_answer_hold_up_nothing(
    own_cluster: Cluster, launcher: StartLauncher, silent_port: int
) -> None:
    """All hosts are tried at once, when the launcher starts and when it comes back."""
    conninfo = through(silent_port, silent_port, own_cluster.port, silent_port, cluster=own_cluster)
    agent = serving(launcher("-l", "2", conninfo))
    with own_cluster.connect(TEMPLATE) as db:
        job = add_yearly_job(db, "a", "SELECT 1")
        db.execute("SELECT pg_terminate_backend(jagpid) FROM pgagent.pga_jobagent")
        make_due(db, job)
        wait_for_end(db, job)
        assert statuses(db, job) == [("s", "s")]
        check_sound(db)
    stop(agent)


def test_a_network_that_swallows_everything_for_a_while(
    own_cluster: Cluster, proxy: Proxy, launcher: StartLauncher
) -> None:
    """The attempts that it has met never end. Later ones come through."""
    proxy.swallow = True
    agent = launcher("-l", "2", through(proxy.port, cluster=own_cluster))
    wait_for(lambda: len(proxy.accepted) > 2, what="a third attempt")
    assert "no answer yet" in agent.log_text()
    proxy.swallow = False
    serving(agent)
    stop(agent)


def test_a_slow_server_is_given_its_time(own_cluster: Cluster, proxy: Proxy, launcher: StartLauncher) -> None:
    """An attempt that takes longer than the next one waits comes through all the same."""
    agent = serving(launcher("-l", "2", through(proxy.port, cluster=own_cluster)))
    proxy.delay = 0.3
    proxy.cut()
    wait_for(lambda: agent.log_text().count("action=serve") == 2, what="the launcher to be back")
    with own_cluster.connect(TEMPLATE) as db:
        assert agents(db) == 1
    stop(agent)


@forms(short=30, long=400)
def test_the_network_is_cut_at_any_byte(
    own_cluster: Cluster, proxy: Proxy, launcher: StartLauncher, tmp_path: Path, size: int
) -> None:
    """From the claim to the end of a run: each step is executed once, and what is logged as done was done."""
    effects = tmp_path / "effects"
    agent = serving(launcher("-l", "2", through(proxy.port, cluster=own_cluster)))
    with own_cluster.connect(TEMPLATE) as db:
        db.execute("CREATE TABLE effect (run integer)")
        note = "INSERT INTO effect VALUES (current_setting('pgagent_py.run_id')::integer)"
        script = f"echo $PGAGENT_RUN_ID $PGAGENT_STEP_ID >> {effects}"
        job = add_yearly_job(
            db, "a", {"batch": script}, {"sql": note, "on_error": "ignore"}, {"batch": script}
        )
        for number in range(size):
            proxy.budget = 1 + number * CUT_BYTES // size
            make_due(db, job)
            wait_for_end(db, job)
            proxy.budget = None
        assert {status for status, _ in statuses(db, job)} == {"s"}
        assert {steps for _, steps in statuses(db, job)} <= {"sss", "sis"}
        lines = effects.read_text().splitlines()
        assert len(lines) == len(set(lines)) == 2 * size
        done = rows(db, "SELECT jsljlgid FROM pgagent.pga_jobsteplog WHERE jslstatus = 's' AND jslresult = 1")
        noted = rows(db, "SELECT run FROM effect")
        assert set(done) <= set(noted)
        assert len(noted) == len(set(noted))
        check_sound(db)
    stop(agent)
