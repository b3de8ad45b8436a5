"""The control connection does not answer: the launcher looks from a second one whether to go on waiting."""

from collections.abc import Iterator

import pytest

from tests.conftest import TEMPLATE, StartLauncher
from tests.helpers import (
    PASSWORD,
    Cluster,
    add_yearly_job,
    agents,
    check_sound,
    make_due,
    output,
    serving,
    statuses,
    stop,
    value,
    wait_for,
    wait_for_end,
)
from tests.helpers.proxy import Proxy

BACKEND = "SELECT jagpid FROM pgagent_py.agent"


@pytest.fixture
def proxy(own_cluster: Cluster) -> Iterator[Proxy]:
    """Return a proxy in front of the test's own server."""
    proxy = Proxy(own_cluster.port)
    yield proxy
    proxy.close()


def test_a_frozen_primary_is_left_for_the_new_one(
    own_cluster: Cluster, standby: Cluster, launcher: StartLauncher
) -> None:
    both = own_cluster.conninfo(
        TEMPLATE,
        host=f"{own_cluster.directory},{standby.directory}",
        port=f"{own_cluster.port},{standby.port}",
    )
    agent = serving(launcher("-l", "2", both))
    with own_cluster.connect(TEMPLATE) as db, standby.connect(TEMPLATE) as copy:
        job = add_yearly_job(db, "a", "SELECT 1")
        lsn = value(db, "SELECT pg_current_wal_insert_lsn()")
        wait_for(lambda: value(copy, "SELECT pg_last_wal_replay_lsn() >= %s", lsn), what="the standby")
        own_cluster.freeze()
        agent.wait_for_log("no answer for 10 s: and none to a second connection")
        assert "giving the connection up" not in agent.log_text()
        copy.execute("SELECT pg_promote()")
        make_due(copy, job)
        wait_for_end(copy, job)
        assert statuses(copy, job) == [("s", "s")]
        assert "giving the connection up: the primary is another server" in agent.log_text()
        check_sound(copy)
    stop(agent)


def test_a_frozen_server_that_thaws_is_not_left(own_cluster: Cluster, launcher: StartLauncher) -> None:
    agent = serving(launcher("-l", "2", own_cluster.conninfo(TEMPLATE)))
    with own_cluster.connect(TEMPLATE) as db:
        backend = value(db, BACKEND)
        job = add_yearly_job(db, "a", {"batch": "echo done"})
        make_due(db, job)
        own_cluster.freeze()
        agent.wait_for_log("no answer for 10 s: and none to a second connection")
        own_cluster.thaw()
        wait_for_end(db, job)
        assert statuses(db, job) == [("s", "s")]
        assert value(db, BACKEND) == backend
        check_sound(db)
    assert "trying again" not in agent.log_text()
    stop(agent)


def test_a_network_that_acknowledges_and_passes_nothing_on(
    own_cluster: Cluster, proxy: Proxy, launcher: StartLauncher
) -> None:
    """As soon as a second connection is answered, the first one is given up; nothing runs twice."""
    conninfo = own_cluster.conninfo(TEMPLATE, host="127.0.0.1", port=proxy.port, password=PASSWORD)
    agent = serving(launcher("-l", "2", conninfo))
    with own_cluster.connect(TEMPLATE) as db:
        jobs = [add_yearly_job(db, name, {"batch": "echo done"}) for name in "abc"]
        proxy.swallow = True
        make_due(db, *jobs)
        agent.wait_for_log("no answer for 10 s: and none to a second connection")
        proxy.swallow = False
        wait_for_end(db, *jobs)
        assert [statuses(db, job) for job in jobs] == [[("s", "s")]] * 3
        assert {output(db, job) for job in jobs} == {"done\n"}
        assert agents(db) == 1
        check_sound(db)
    assert "giving the connection up: the server is not working on it" in agent.log_text()
    stop(agent)


def test_a_commit_that_waits_for_a_standby_is_waited_for(
    own_cluster: Cluster, launcher: StartLauncher
) -> None:
    agent = serving(launcher("-l", "2", own_cluster.conninfo(TEMPLATE)))
    with own_cluster.connect(TEMPLATE) as db:
        db.execute("SET synchronous_commit = local")
        backend = value(db, BACKEND)
        job = add_yearly_job(db, "a", {"batch": "echo done"})
        db.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        db.execute("SELECT pg_reload_conf()")
        make_due(db, job)
        agent.wait_for_log("no answer for 10 s: the server is working on it, waiting for IPC SyncRep")
        db.execute("ALTER SYSTEM RESET synchronous_standby_names")
        db.execute("SELECT pg_reload_conf()")
        wait_for_end(db, job)
        assert statuses(db, job) == [("s", "s")]
        assert value(db, BACKEND) == backend
        check_sound(db)
    assert agent.log_text().count("action=wait") == 1
    assert "trying again" not in agent.log_text()
    stop(agent)


def test_a_lock_is_waited_for(own_cluster: Cluster, launcher: StartLauncher) -> None:
    agent = serving(launcher("-l", "2", own_cluster.conninfo(TEMPLATE)))
    with own_cluster.connect(TEMPLATE) as db, own_cluster.connect(TEMPLATE) as locker:
        backend = value(db, BACKEND)
        job = add_yearly_job(db, "a", {"batch": "echo done"})
        with locker.transaction():
            locker.execute("LOCK pgagent.pga_jobsteplog")
            make_due(db, job)
            agent.wait_for_log("no answer for 10 s: the server is working on it, waiting for Lock relation")
        wait_for_end(db, job)
        assert statuses(db, job) == [("s", "s")]
        assert value(db, BACKEND) == backend
    assert "trying again" not in agent.log_text()
    stop(agent)
