"""Asynchronous replication: the new primary does not know all that the old one had committed. Nothing is executed twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import TEMPLATE, StartLauncher
from tests.helpers import (
    WAIT,
    Cluster,
    Db,
    add_yearly_job,
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
    wait_for_row,
    wait_for_start,
)


class Pair:
    """A primary, its standby, and a launcher's way to both."""

    def __init__(self, primary: Cluster, standby: Cluster) -> None:
        self.primary, self.standby = primary, standby
        self.db, self.copy = primary.connect(TEMPLATE), standby.connect(TEMPLATE)
        self.conninfo = primary.conninfo(
            TEMPLATE,
            host=f"{primary.directory},{standby.directory}",
            port=f"{primary.port},{standby.port}",
        )

    def cut_replication(self) -> None:
        """Have the standby take over all that there is now, and nothing more."""
        lsn = value(self.db, "SELECT pg_current_wal_insert_lsn()")
        wait_for(lambda: value(self.copy, "SELECT pg_last_wal_replay_lsn() >= %s", lsn), what="the standby")
        self.copy.execute("ALTER SYSTEM SET primary_conninfo = ''")
        self.copy.execute("SELECT pg_reload_conf()")
        wait_for(lambda: not rows(self.copy, "SELECT FROM pg_stat_wal_receiver"), what="its end")

    def fail_over(self) -> Db:
        """Crash the primary and promote the standby; return a connection to that."""
        self.db.close()
        self.primary.stop("immediate")
        self.promote()
        return self.copy

    def promote(self) -> None:
        """Promote the standby."""
        self.standby.run("pg_ctl", "promote", *WAIT, "-D", str(self.standby.pgdata))


@pytest.fixture
def pair(own_cluster: Cluster, standby: Cluster) -> Iterator[Pair]:
    """Return a primary with a standby."""
    pair = Pair(own_cluster, standby)
    yield pair
    pair.db.close()
    pair.copy.close()


def gated(directory: Path, name: str) -> dict[str, object]:
    """Return a batch step that notes its name, and ends when a file of this name is there."""
    script = f"echo {name} >> {directory}/effects; while [ ! -e {directory}/{name} ]; do sleep 0.05; done; echo {name}"
    return {"batch": script}


def test_steps_that_the_new_primary_has_forgotten_are_not_executed_again(
    pair: Pair, launcher: StartLauncher, tmp_path: Path
) -> None:
    """It knows of the first step; the second had ended by then, and the third runs: they are reported when it comes to them."""
    agent = serving(launcher("-l", "2", pair.conninfo))
    job = add_yearly_job(pair.db, "a", *(gated(tmp_path, name) for name in ("one", "two", "three", "four")))
    make_due(pair.db, job)
    wait_for(lambda: (tmp_path / "effects").exists(), what="the first step")
    pair.cut_replication()
    for name in ("one", "two"):
        (tmp_path / name).touch()
    wait_for(lambda: statuses(pair.db, job) == [("r", "ssr")], what="the third step")
    db = pair.fail_over()
    assert statuses(db, job) == [("r", "r")]
    wait_for(lambda: statuses(db, job) == [("r", "ssr")], what="what is known to be reported")
    (tmp_path / "three").touch()
    (tmp_path / "four").touch()
    wait_for_end(db, job)
    assert statuses(db, job) == [("s", "ssss")]
    assert (tmp_path / "effects").read_text() == "one\ntwo\nthree\nfour\n"
    assert [output(db, job, number) for number in (1, 2, 3, 4)] == ["one\n", "two\n", "three\n", "four\n"]
    assert agent.log_text().count("action=repeat_result") == 1
    check_sound(db)
    stop(agent)


@pytest.mark.parametrize("ended", [True, False])
def test_a_step_that_the_new_primary_has_not_even_started_is_not_executed_again(
    pair: Pair, launcher: StartLauncher, tmp_path: Path, ended: bool
) -> None:
    """By all that it knows the run waits for a step that a session has locked. The step has ended, or it still runs."""
    agent = serving(launcher("-l", "2", pair.conninfo))
    job = add_yearly_job(pair.db, "a", "SELECT 1", gated(tmp_path, "two"), gated(tmp_path, "three"))
    with pair.primary.connect(TEMPLATE) as editor, editor.transaction():
        editor.execute(
            "SELECT FROM pgagent.pga_jobstep WHERE jstjobid = %s AND jstname = '2' FOR UPDATE", [job]
        )
        make_due(pair.db, job)
        wait_for(lambda: statuses(pair.db, job) == [("r", "s")], what="the first step to end")
        pair.cut_replication()
    wait_for(lambda: (tmp_path / "effects").exists(), what="the second step")
    if ended:
        (tmp_path / "two").touch()
        wait_for(lambda: statuses(pair.db, job) == [("r", "ssr")], what="the third step")
    db = pair.fail_over()
    wait_for(lambda: statuses(db, job) == [("r", "ssr" if ended else "sr")], what="it to be handed out again")
    (tmp_path / "two").touch()
    (tmp_path / "three").touch()
    wait_for_end(db, job)
    assert statuses(db, job) == [("s", "sss")]
    assert (tmp_path / "effects").read_text() == "two\nthree\n"
    check_sound(db)
    stop(agent)


def test_a_step_of_a_lost_claim_that_waits_for_a_connection_never_begins(
    pair: Pair, launcher: StartLauncher
) -> None:
    """The job is claimed again on the new primary; what runs there has its record."""
    agent = serving(launcher("-l", "2", pair.conninfo))
    pair.db.execute("CREATE ROLE worker LOGIN CONNECTION LIMIT 0")
    pair.db.execute("CREATE TABLE effect (step integer); GRANT INSERT ON effect TO worker")
    pair.db.execute("GRANT pgagent_py_user TO worker")
    code = "INSERT INTO effect VALUES (current_setting('pgagent_py.step_id')::integer)"
    job = add_yearly_job(pair.db, "a", code)
    alter_job(pair.db, job, owner="worker")
    pair.cut_replication()
    make_due(pair.db, job)
    wait_for_start(pair.db, job)
    wait_for(lambda: "too many connections" in output(pair.db, job), what="the step to wait")
    db = pair.fail_over()
    db.execute("ALTER ROLE worker CONNECTION LIMIT -1")
    wait_for(lambda: agent.log_text().count("action=serve") == 2, what="the launcher")
    probe = add_yearly_job(db, "b", code)
    alter_job(db, probe, owner="worker")
    make_due(db, probe)
    wait_for_end(db, probe)
    assert statuses(db, job) == []
    assert value(db, "SELECT count(*) FROM effect") == 1
    check_sound(db)
    stop(agent)


def test_an_sql_step_on_a_frozen_primary_ends_when_there_is_another(
    pair: Pair, launcher: StartLauncher
) -> None:
    agent = serving(launcher("-l", "2", pair.conninfo))
    job = add_yearly_job(pair.db, "a", "SELECT pg_sleep(3600)", "SELECT 1")
    make_due(pair.db, job)
    wait_for_row(pair.db, "SELECT FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(3600)'")
    pair.cut_replication()
    pair.primary.freeze()
    pair.promote()
    wait_for_end(pair.copy, job)
    assert statuses(pair.copy, job) == [("f", "f")]
    assert "The launcher has left this server" in output(pair.copy, job)
    check_sound(pair.copy)
    stop(agent)
