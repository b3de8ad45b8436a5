"""A launcher that was frozen executes nothing of the runs that were closed meanwhile."""

import signal

from tests.conftest import TEMPLATE, StartLauncher
from tests.helpers import (
    Cluster,
    add_yearly_job,
    alter_job,
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


def test_a_step_that_had_not_begun_never_does(own_cluster: Cluster, launcher: StartLauncher) -> None:
    """It waited for a connection. There is one when the launcher goes on, but its run was closed."""
    conninfo = own_cluster.conninfo(TEMPLATE)
    frozen = serving(launcher("-l", "2", conninfo))
    with own_cluster.connect(TEMPLATE) as db:
        db.execute("CREATE ROLE worker LOGIN CONNECTION LIMIT 0")
        db.execute("CREATE TABLE effect (); GRANT INSERT ON effect TO worker")
        db.execute("GRANT pgagent_py_user TO worker")
        job = add_yearly_job(db, "a", "INSERT INTO effect DEFAULT VALUES")
        alter_job(db, job, owner="worker")
        make_due(db, job)
        wait_for(lambda: output(db, job).startswith("Waiting for a connection"), what="the step to wait")
        other = serving(launcher("-l", "2", conninfo))
        frozen.signal(signal.SIGSTOP)
        db.execute("SELECT pg_terminate_backend(jobagentid) FROM pgagent.pga_job WHERE jobid = %s", [job])
        wait_for_end(db, job)
        assert statuses(db, job) == [("d", "d")]
        db.execute("ALTER ROLE worker CONNECTION LIMIT -1")
        stop(other)
        frozen.signal(signal.SIGCONT)
        probe = add_yearly_job(db, "b", "INSERT INTO effect DEFAULT VALUES")
        alter_job(db, probe, owner="worker")
        make_due(db, probe)
        wait_for_end(db, probe)
        assert statuses(db, probe) == [("s", "s")]
        assert statuses(db, job) == [("d", "d")]
        assert value(db, "SELECT count(*) FROM effect") == 1
        check_sound(db)
    stop(frozen)
