"""Each check of doctor finds what it is for, and nothing where all is well."""

import re

from tests.conftest import StartLauncher
from tests.console.conftest import Ctl
from tests.helpers import Db, add_job, call, rows, wait_for_row

ILLS = """
SELECT pgagent_py.add_job('elsewhere', cron => '@daily', sql => 'SELECT 1', host => 'nowhere.example');
SELECT pgagent_py.add_job('gone', cron => '@daily', sql => 'SELECT 1', database => 'template1');
UPDATE pgagent.pga_jobstep SET jstdbname = 'no such database' WHERE jstname = 'gone';
SELECT pgagent_py.add_job('empty', cron => '@daily');
SELECT pgagent_py.add_job('unscheduled', sql => 'SELECT 1');
SELECT pgagent_py.add_job('february', cron => '0 0 30 2 *', sql => 'SELECT 1');
SELECT pgagent_py.add_job('slow', cron => '* * * * *', sql => 'SELECT 1');
INSERT INTO pgagent.pga_joblog (jlgjobid, jlgstatus, jlgstart, jlgduration) SELECT pgagent_py.job_id('slow'), 's', now(), '5 min';
INSERT INTO pgagent.pga_joblog (jlgjobid, jlgstatus, jlgstart, jlgduration)
SELECT pgagent_py.job_id('unscheduled'), 'f', now(), '1 s' FROM generate_series(1, 3);
CREATE TABLE pgagent.loose (a integer);
CREATE PUBLICATION doctor FOR TABLE pgagent.loose;
ALTER TABLE pgagent.pga_job DISABLE TRIGGER pga_job_trigger;
SELECT setval('pgagent.pga_joblog_jlgid_seq', 2000000000);
SELECT pgagent_py.set_default_timezone('Asia/Kathmandu');
"""


def test_a_sound_database_is_well(ctl: Ctl, db: Db, launcher: StartLauncher) -> None:
    launcher(ctl.conninfo)
    wait_for_row(db, "SELECT FROM pgagent_py.launchers")
    add_job(db, "j", cron="0 3 * * *", sql="SELECT 1")
    call(db, "run_now", job=1)
    wait_for_row(db, "SELECT FROM pgagent.pga_joblog WHERE jlgstatus = 's'")
    assert ctl("doctor").splitlines()[-1] == "all is well"
    assert ctl.json("doctor") == {"findings": [], "unchecked": []}


def test_each_ill_is_found_with_its_remedy(ctl: Ctl, db: Db, launcher: StartLauncher) -> None:
    for statement in ILLS.strip().split(";\n"):
        db.execute(statement.encode())
    found = ctl.json("doctor", status=1)
    assert found["unchecked"] == []
    assert {finding["check"] for finding in found["findings"]} == {
        "no launcher", "databases", "no steps", "no schedule", "never fires", "longer than the interval", "failing",
        "publication", "problems", "log ids", "time zone", "pgAgent differs",
    }  # fmt: skip
    assert all(finding["remedy"] for finding in found["findings"])
    db.execute("ALTER TABLE pgagent.pga_job ENABLE TRIGGER pga_job_trigger")
    launcher(ctl.conninfo)
    wait_for_row(db, "SELECT FROM pgagent_py.launchers")
    assert "host without launcher" in {
        finding["check"] for finding in ctl.json("doctor", status=1)["findings"]
    }
    db.execute("DROP PUBLICATION doctor")
    db.execute("DROP TABLE pgagent.loose")
    assert rows(db, "SELECT FROM pgagent_py.launchers")


def test_a_job_that_no_launcher_may_take_is_found(ctl: Ctl, db: Db, launcher: StartLauncher) -> None:
    """For want of a label; since when is told, too."""
    launcher(ctl.conninfo, "--label=cpu")
    wait_for_row(db, "SELECT FROM pgagent_py.launchers")
    job = add_job(db, "picky", cron="0 3 1 1 *", sql="SELECT 1")
    call(db, "alter_job", job, labels=["gpu"])
    call(db, "run_now", job)
    (found,) = ctl.json("doctor", status=1)["findings"]
    assert re.fullmatch(
        rf'job "picky" \({job}\) has waited since .*: no living launcher that has label gpu', found["what"]
    )
