"""PgBouncer between launcher and server: session mode works, transaction mode is refused, but for atomic steps."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.conftest import TEMPLATE, StartLauncher
from tests.helpers import (
    PATIENCE,
    Cluster,
    add_yearly_job,
    agents,
    alter_job,
    check_sound,
    make_due,
    output,
    rows,
    serving,
    statuses,
    stop,
    value,
    wait_for,
    wait_for_end,
    wait_for_start,
)
from tests.helpers.pgbouncer import PgBouncer

StartPgBouncer = Callable[..., PgBouncer]


@pytest.fixture
def pgbouncer(own_cluster: Cluster, tmp_path: Path) -> Iterator[StartPgBouncer]:
    """Return the function that starts PgBouncer, with a mode, in front of the test's own server."""
    started: list[PgBouncer] = []

    def start(mode: str, size: int = 50, **users: str) -> PgBouncer:
        started.append(PgBouncer(own_cluster, tmp_path / f"pgbouncer{len(started)}", mode, size, **users))
        return started[-1]

    yield start
    for pooler in started:
        pooler.stop()


def test_session_mode(own_cluster: Cluster, pgbouncer: StartPgBouncer, launcher: StartLauncher) -> None:
    agent = serving(launcher("-l", "2", pgbouncer("session").conninfo(TEMPLATE)))
    with own_cluster.connect(TEMPLATE) as db:
        assert rows(db, "SELECT jagpooled FROM pgagent_py.agent") == [(True,)]
        db.execute("CREATE TABLE effect (run text)")
        note = "INSERT INTO effect VALUES (current_setting('pgagent_py.run_id'))"
        job = add_yearly_job(
            db,
            "a",
            {"sql": note},
            {"sql": note, "atomic": True},
            {"batch": "echo done"},
            {"sql": "VACUUM effect"},
        )
        for _ in range(3):
            make_due(db, job)
            wait_for_end(db, job)
        assert statuses(db, job) == [("s", "ssss")] * 3
        runs = rows(db, "SELECT jlgid::text FROM pgagent.pga_joblog")
        assert sorted(rows(db, "SELECT run FROM effect")) == sorted(2 * runs)
        db.execute("SELECT pg_terminate_backend(jagpid) FROM pgagent.pga_jobagent")
        make_due(db, job)
        wait_for_end(db, job)
        check_sound(db)
        stop(agent)
        assert agents(db) == 0


@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_transaction_mode_is_refused(
    own_cluster: Cluster, pgbouncer: StartPgBouncer, launcher: StartLauncher, mode: str
) -> None:
    """The launcher says what to do, and leaves nothing behind in the pool."""
    pooler = pgbouncer(mode, 1)
    agent = launcher(pooler.conninfo(TEMPLATE))
    assert agent.wait() == 1
    assert "set pool_mode = session for this user and database" in agent.log_text()
    with psycopg.connect(pooler.conninfo(TEMPLATE), autocommit=True) as pooled:
        # These two are PgBouncer's own doing.
        left = {name for (name,) in rows(pooled, "SELECT name FROM pg_settings WHERE source = 'session'")}
        assert left <= {"application_name", "client_encoding"}
        assert rows(pooled, "SELECT pg_listening_channels()") == []
    with own_cluster.connect(TEMPLATE) as db:
        assert agents(db) == 0


def test_steps_through_a_pool_in_transaction_mode(
    own_cluster: Cluster, pgbouncer: StartPgBouncer, launcher: StartLauncher
) -> None:
    """Plain steps are refused: they would see the ids of others. Atomic steps work, all at the same time."""
    with own_cluster.connect(TEMPLATE) as db:
        db.execute("CREATE ROLE worker LOGIN")
        db.execute("GRANT pgagent_py_user TO worker")
        db.execute("CREATE TABLE effect (run text, step text, parameters text)")
        db.execute("GRANT INSERT ON effect TO worker")
        pooler = pgbouncer("session", 8, worker="transaction")
        agent = serving(launcher("-l", "2", pooler.conninfo(TEMPLATE)))
        note = (
            "INSERT INTO effect SELECT current_setting('pgagent_py.run_id'), current_setting('pgagent_py.step_id'),"
            " current_setting('pgagent_py.parameters') FROM pg_sleep(random() / 10)"
        )
        plain = add_yearly_job(db, "plain", note)
        jobs = [add_yearly_job(db, f"job {n}", {"sql": note, "atomic": True}) for n in range(27)]
        for job in (plain, *jobs):
            alter_job(db, job, owner="worker", parameters=f'{{"job": {job}}}')
        make_due(db, plain, *jobs)
        wait_for_end(db, plain, *jobs)
        assert statuses(db, plain) == [("f", "f")]
        assert "gives it to others between transactions" in output(db, plain)
        assert [statuses(db, job) for job in jobs] == [[("s", "s")]] * 27
        expected = rows(
            db,
            "SELECT jsljlgid::text, jsljstid::text, jsonb_build_object('job', jlgjobid)::text"
            " FROM pgagent.pga_jobsteplog JOIN pgagent.pga_joblog ON jlgid = jsljlgid WHERE jslstatus = 's'",
        )
        assert sorted(rows(db, "SELECT * FROM effect")) == sorted(expected)
        check_sound(db)
    stop(agent)


def test_steps_through_a_remote_pool(
    own_cluster: Cluster, pgbouncer: StartPgBouncer, launcher: StartLauncher
) -> None:
    agent = serving(launcher("-l", "2", own_cluster.conninfo(TEMPLATE)))
    with own_cluster.connect(TEMPLATE) as db:
        job = add_yearly_job(
            db,
            "a",
            {"sql": "SELECT 1", "connstr": pgbouncer("session").conninfo("postgres")},
            {"sql": "SELECT 1", "connstr": pgbouncer("transaction").conninfo("postgres")},
        )
        make_due(db, job)
        wait_for_end(db, job)
        assert statuses(db, job) == [("f", "sf")]
        assert "gives it to others between transactions" in output(db, job, 2)
    stop(agent)


def test_a_small_session_pool_is_used_as_fast_as_it_goes(
    own_cluster: Cluster, pgbouncer: StartPgBouncer, launcher: StartLauncher
) -> None:
    """One of its places is the launcher's own. The others are compared with plain connections that do the same."""
    places, steps, sleep = 4, 30, "SELECT pg_sleep(0.2)"

    def sleep_alone(_: int) -> None:
        with psycopg.connect(own_cluster.conninfo(), autocommit=True) as connection:
            connection.execute(sleep)

    with own_cluster.connect(TEMPLATE) as db:
        agent = serving(launcher("-l", "2", pgbouncer("session", places + 1).conninfo(TEMPLATE)))
        jobs = [add_yearly_job(db, f"job {n}", sleep) for n in range(steps)]
        started = time.monotonic()
        with ThreadPoolExecutor(places) as threads:
            list(threads.map(sleep_alone, range(steps)))
        plain = time.monotonic() - started
        started = time.monotonic()
        make_due(db, *jobs)
        wait_for_end(db, *jobs)
        assert time.monotonic() - started < 3 * plain
        assert {tuple(statuses(db, job)) for job in jobs} == {(("s", "s"),)}
        check_sound(db)
    stop(agent)


@pytest.mark.long
def test_a_launcher_is_alive_behind_a_pooler_as_long_as_it_calls(
    own_cluster: Cluster, pgbouncer: StartPgBouncer, launcher: StartLauncher, tmp_path: Path
) -> None:
    """All its places are taken for more than a minute, and it has nothing to say. When it is killed, its run is closed."""
    busy = serving(launcher("-l", "2", "--workers", "1", pgbouncer("session").conninfo(TEMPLATE)))
    with own_cluster.connect(TEMPLATE) as db:
        job = add_yearly_job(db, "a", {"batch": f"while [ ! -e {tmp_path}/gate ]; do sleep 1; done"})
        endless = add_yearly_job(db, "b", {"batch": "while :; do sleep 1; done"})
        make_due(db, job)
        wait_for_start(db, job)
        other = serving(launcher("-l", "2", own_cluster.conninfo(TEMPLATE)))
        seen: set[object] = set()

        def has_shown_itself() -> bool:
            seen.add(value(db, "SELECT max(last_seen) FROM pgagent_py.agent WHERE jagpooled"))
            return len(seen) > 8  # it does so every 10 s

        wait_for(has_shown_itself, 5 * PATIENCE, "signs of life")
        (tmp_path / "gate").touch()
        wait_for_end(db, job)
        assert statuses(db, job) == [("s", "s")]
        stop(other)
        make_due(db, endless)
        wait_for_start(db, endless)
        serving(launcher("-l", "2", own_cluster.conninfo(TEMPLATE)))
        busy.kill()
        wait_for_end(db, endless)
        assert statuses(db, endless) == [("d", "d")]
        check_sound(db)
