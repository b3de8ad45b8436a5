"""A streaming standby is promoted: the launcher goes over to the new primary with its runs."""

from pathlib import Path

from tests.conftest import TEMPLATE, StartLauncher
from tests.helpers import (
    WAIT,
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
    wait_for_start,
)


def test_runs_go_on_when_a_standby_is_promoted(
    own_cluster: Cluster, standby: Cluster, launcher: StartLauncher, tmp_path: Path
) -> None:
    """Its runs go on under the same identity; a launcher that knows the standby only waits, and then takes part."""
    both = own_cluster.conninfo(
        TEMPLATE,
        host=f"{standby.directory},{own_cluster.directory}",
        port=f"{standby.port},{own_cluster.port}",
    )
    agent = serving(launcher("-l", "2", both))
    waiting = launcher("-l", "2", "-r", "1", standby.conninfo(TEMPLATE))
    waiting.wait_for_log("the server is a standby")
    with own_cluster.connect(TEMPLATE) as db, standby.connect(TEMPLATE) as copy:
        job = add_yearly_job(
            db,
            "a",
            {
                "batch": f"echo x >> {tmp_path}/effect; while [ ! -e {tmp_path}/gate ]; do sleep 0.1; done; echo done"
            },
            {"sql": "SELECT pg_is_in_recovery()"},
        )
        make_due(db, job)
        wait_for_start(db, job)
        lsn = value(db, "SELECT pg_current_wal_insert_lsn()")
        wait_for(lambda: value(copy, "SELECT pg_last_wal_replay_lsn() >= %s", lsn), what="the standby")
        assert copy.execute("SELECT * FROM pgagent_py.run_due(10)").fetchall() == []
    own_cluster.stop("immediate")
    standby.run("pg_ctl", "promote", *WAIT, "-D", str(standby.pgdata))
    (tmp_path / "gate").touch()
    with standby.connect(TEMPLATE) as db:
        wait_for_end(db, job)
        assert statuses(db, job) == [("s", "ss")]
        assert output(db, job) == "done\n"
        assert (tmp_path / "effect").read_text() == "x\n"
        serving(waiting)
        wait_for(lambda: agents(db) == 2)
        check_sound(db)
    stop(agent)
    stop(waiting)
