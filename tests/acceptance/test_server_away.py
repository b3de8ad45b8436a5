"""A server that is away for a while, and connections that are cut: steps end with their true result."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import psycopg
import pytest

from tests.conftest import TEMPLATE, StartLauncher
from tests.helpers import (
    PASSWORD,
    PATIENCE,
    SLEEPING,
    Cluster,
    Db,
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
    wait_for_start,
)
from tests.helpers.network import CutOffCluster
from tests.helpers.proxy import Proxy


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_steps_end_truly_when_the_server_restarts(
    own_cluster: Cluster, launcher: StartLauncher, tmp_path: Path, mode: Literal["fast", "immediate"]
) -> None:
    """Batch steps end with their true result, also while the server is down; SQL steps with the server's words."""
    agent = serving(launcher("-l", "2", own_cluster.conninfo(TEMPLATE)))
    gate = f"while [ ! -e {tmp_path}/gate ]; do sleep 0.1; done"
    with own_cluster.connect(TEMPLATE) as db:
        batch = add_yearly_job(
            db,
            "batch",
            {"batch": f"echo x >> {tmp_path}/effect; {gate}; touch {tmp_path}/end; echo output; exit 3"},
        )
        sql = add_yearly_job(
            db, "sql", {"sql": "SELECT pg_sleep(600)", "on_error": "ignore"}, {"sql": "SELECT 1"}
        )
        failing = add_yearly_job(db, "failing", {"sql": "SELECT pg_sleep(600)"}, {"sql": "SELECT 1"})
        make_due(db, batch, sql, failing)
        wait_for_start(db, batch, sql, failing)
        wait_for(lambda: len(db.execute(SLEEPING).fetchall()) == 2)
    own_cluster.stop(mode)
    (tmp_path / "gate").touch()
    wait_for((tmp_path / "end").exists)
    own_cluster.start()
    with own_cluster.connect(TEMPLATE) as db:
        wait_for_end(db, batch, sql, failing)
        assert statuses(db, batch) == [("f", "f")]
        assert output(db, batch) == "output\n"
        assert value(db, "SELECT jslresult FROM pgagent.pga_jobsteplog WHERE jsloutput = 'output\n'") == 3
        assert (tmp_path / "effect").read_text() == "x\n"
        assert statuses(db, sql) == [("s", "is")]
        assert statuses(db, failing) == [("f", "f")]
        words = (
            "terminating connection due to administrator command"
            if mode == "fast"
            else "server closed the connection"
        )
        assert words in output(db, sql)
        assert agents(db) == 1
        check_sound(db)
    stop(agent)


def test_much_output_is_booked_bit_by_bit_after_the_server_was_down(
    own_cluster: Cluster, launcher: StartLauncher, tmp_path: Path
) -> None:
    """It is booked bit by bit: the server takes no more than 1 GB at once, and the launcher would try for ever."""
    agent = serving(launcher("-l", "2", own_cluster.conninfo(TEMPLATE)))
    code = f"while [ ! -e {tmp_path}/go ]; do sleep 0.2; done; head -c 1000000 /dev/zero | tr '\\0' x"
    with own_cluster.connect(TEMPLATE) as db:
        db.execute("CREATE TABLE booked (turn xid8 DEFAULT pg_current_xact_id(), size integer)")
        db.execute(
            "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN"
            " INSERT INTO public.booked (size) VALUES (length(NEW.jsloutput)); RETURN NULL; END$$"
        )
        db.execute(
            "CREATE TRIGGER note AFTER UPDATE ON pgagent.pga_jobsteplog FOR EACH ROW EXECUTE FUNCTION note()"
        )
        jobs = [add_yearly_job(db, f"job {n}", {"batch": code}, {"sql": "SELECT 1"}) for n in range(30)]
        make_due(db, *jobs)
        wait_for_start(db, *jobs)
    own_cluster.stop()
    (tmp_path / "go").touch()
    wait_for(lambda: agent.log_text().count("action=finish_step") == 30, what="the end of the steps")
    own_cluster.start()
    with own_cluster.connect(TEMPLATE) as db:
        wait_for_end(db, *jobs)
        assert all(statuses(db, job) == [("s", "ss")] for job in jobs)
        assert value(db, "SELECT count(*) FROM booked WHERE size = 1000000") == 30
        assert value(db, "SELECT max(sum) FROM (SELECT sum(size) FROM booked GROUP BY turn) t") <= 2_000_000
        check_sound(db)
    stop(agent)


def test_a_server_that_is_not_there_at_the_start_is_waited_for(
    own_cluster: Cluster, launcher: StartLauncher
) -> None:
    """It waits for the server however long, can be told to stop meanwhile, and serves when the server is there."""
    own_cluster.stop()
    waiting, stopped = (launcher("-l", "2", "-r", "1", own_cluster.conninfo(TEMPLATE)) for _ in range(2))
    for agent in (waiting, stopped):
        agent.wait_for_log("trying again in 0.4 s")
    stop(stopped)
    own_cluster.start()
    with own_cluster.connect(TEMPLATE) as db:
        job = add_yearly_job(db, "a", {"sql": "SELECT 1"})
        make_due(db, job)
        wait_for_end(db, job)
        assert statuses(db, job) == [("s", "s")]
    stop(waiting)


def test_a_step_lost_on_the_way_to_the_launcher_runs_once(
    cluster: Cluster, database: str, db: Db, launcher: StartLauncher, tmp_path: Path
) -> None:
    """The connection is cut after the server has handed out a step, before the launcher has got it: it runs, once."""
    proxy = Proxy(cluster.port)
    proxy.word = b"job of the lost step"
    try:
        address = psycopg.conninfo.make_conninfo(database, host="127.0.0.1", port=proxy.port)
        agent = serving(launcher("-l", "2", address, env={"PGPASSWORD": PASSWORD}))
        effect = f"echo $PGAGENT_STEP_NAME >> {tmp_path}/effect"
        job = add_yearly_job(db, "job of the lost step", {"batch": effect}, {"batch": effect})
        make_due(db, job)
        wait_for_end(db, job)
        assert proxy.word is None, "nothing was cut"
        assert statuses(db, job) == [("s", "ss")]
        assert (tmp_path / "effect").read_text() == "1\n2\n"
        assert agents(db) == 1
        stop(agent)
        check_sound(db)
    finally:
        proxy.close()


@pytest.fixture
def cut_off_cluster(scratch: Path, pristine_cluster: Cluster) -> Iterator[CutOffCluster]:
    """Return a running server whose TCP network can be cut; its Unix socket is reached all the same."""
    cluster = CutOffCluster(scratch / "cutoff")
    cluster.copy_from(pristine_cluster)
    cluster.start()
    yield cluster
    cluster.stop("immediate")
    cluster.shell.kill()
    cluster.shell.communicate()


def test_a_launcher_cut_off_by_the_network_is_back_before_it_is_missed(
    cut_off_cluster: CutOffCluster, launcher: StartLauncher, tmp_path: Path
) -> None:
    """Packets get lost without a word: the launcher notices, comes back before it is missed, and books true results."""
    other = serving(launcher("-l", "2", cut_off_cluster.conninfo(TEMPLATE)))
    program = shutil.which("pgagent-py", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert program
    address = cut_off_cluster.conninfo(TEMPLATE, host="127.0.0.1")
    with (tmp_path / "log").open("w") as log, cut_off_cluster.connect(TEMPLATE) as db:
        agent = subprocess.Popen(
            [*cut_off_cluster.inside(), program, "-l", "2", address],
            stdin=subprocess.DEVNULL,
            stderr=log,
            env=os.environ | {"PGPASSWORD": PASSWORD},
        )
        try:
            wait_for(lambda: agents(db) == 2)
            stop(other)  # so that the next job is the other's
            code = f"while [ ! -e {tmp_path}/gate ]; do sleep 0.1; done; echo done"
            job = add_yearly_job(db, "a", {"batch": code}, {"sql": "SELECT 1"})
            make_due(db, job)
            wait_for_start(db, job)
            other = serving(launcher("-l", "2", cut_off_cluster.conninfo(TEMPLATE)))
            cut_off_cluster.network("down")
            wait_for(lambda: "trying again" in (tmp_path / "log").read_text(), what="the launcher to notice")
            assert statuses(db, job) == [("r", "r")]
            (tmp_path / "gate").touch()
            cut_off_cluster.network("up")
            wait_for_end(db, job)
            assert statuses(db, job) == [("s", "ss")]
            assert output(db, job) == "done\n"
            assert "start_step" not in other.log_text()
            agent.terminate()
            assert agent.wait(PATIENCE) == 0
            assert PASSWORD not in (tmp_path / "log").read_text()
        finally:
            agent.kill()
            agent.wait()
