"""Jobs of other schedulers: what becomes of each entry, and what does not."""

from pathlib import Path

import pytest

from tests.conftest import TEMPLATE
from tests.console.conftest import Ctl
from tests.helpers import Cluster, Db, pg_config, rows, value
from tests.helpers.protocol import Agent

CRONTAB = """\
MAILTO=root
# nightly backup
0 3 * * * /usr/bin/backup --all
*/5 * * * * root-helper check
0 0 32 * * /bin/false
0 0 12 * * ? /bin/true
@reboot echo up
"""
SYSTEM = """\
SHELL=/bin/sh
17 * * * *   root    cd / && run-parts /etc/cron.hourly
25 6 * * *   postgres   vacuum-all
"""


def test_a_crontab_is_shown_entry_by_entry_before_it_is_taken_over(ctl: Ctl, db: Db, tmp_path: Path) -> None:
    file = tmp_path / "jobs.cron"
    file.write_text(CRONTAB)
    shown = ctl("import", "crontab", str(file), "--dry-run", status=1)
    assert 'becomes a job "/usr/bin/backup --all": batch step, 0 3 * * *' in shown
    assert "MAILTO" in shown
    assert "crontab: line" not in shown
    assert "not carried over: has six fields: '?' is no command" in shown
    assert "3 jobs would be added, 2 not carried over" in shown
    assert value(db, "SELECT count(*) FROM pgagent.pga_job") == 0
    found = ctl.json("import", "crontab", str(file), "--mailto", "ops@example.org", status=1)
    assert [bool(entry["refused"]) for entry in found] == [False, False, True, True, False]
    assert rows(db, "SELECT jobname, jobdesc FROM pgagent.pga_job ORDER BY jobid") == [
        ("/usr/bin/backup --all", "nightly backup"),
        ("root-helper check", ""),
        ("echo up", ""),
    ]
    assert (
        value(
            db,
            "SELECT count(DISTINCT msgtarget) FROM pgagent_py.job_message WHERE msgtarget = 'ops@example.org'",
        )
        == 1
    )


def test_a_system_crontab_is_asked_about_not_misread(ctl: Ctl, db: Db) -> None:
    told = ctl("import", "crontab", "-", given=SYSTEM, status=2)
    assert "HINT: Say --system" in told
    shown = ctl("import", "crontab", "-", "--system", given=SYSTEM)
    assert "it ran as root" in shown
    assert rows(db, "SELECT jobname FROM pgagent.pga_job ORDER BY jobid") == [
        ("cd / && run-parts /etc/cron.hourly",),
        ("vacuum-all",),
    ]
    ctl("import", "crontab", "-", "--user", "postgres", given=SYSTEM)
    assert value(db, "SELECT count(*) FROM pgagent.pga_job WHERE jobname = 'vacuum-all'") == 2


MISLEADING = """\
RANDOM_DELAY=30
0 0 31 2 * /bin/never
@reboot /bin/boot
0 0 * * * -q /bin/quiet
CRON_TZ=Asia/Tokyo
0 0 * * * /bin/tokyo
"""
NOT_HEEDED = "RANDOM_DELAY is not heeded: it is only in the command's environment"
ZONE = "its times are in Etc/UTC, not in this host's zone: CRON_TZ=ZONE above it says another"


def test_what_will_not_do_what_it_seems_to_do_is_noted(ctl: Ctl, db: Db, tmp_path: Path) -> None:
    db.execute("SELECT pgagent_py.set_default_timezone('Etc/UTC')")
    entries = ctl.json("import", "crontab", _file(tmp_path, MISLEADING))
    notes = [[note for note in entry["notes"] if note != NOT_HEEDED] for entry in entries]
    assert notes == [
        ["it never fires: 0 0 31 2 *", ZONE],
        ["@reboot: it runs whenever a launcher starts, also when the host has not"],
        ["its command begins with -, which is an option to some crons, and part of the command here", ZONE],
        [],
    ]
    agent = Agent(ctl.conninfo, "elsewhere")
    shown = ctl("import", "crontab", _file(tmp_path, MISLEADING))
    agent.close()
    assert shown.count(NOT_HEEDED) == 1
    assert f"note on all: {NOT_HEEDED}" in shown
    assert "note on all: it runs on the host of a launcher: elsewhere" in shown
    assert "note: there is a job of this name already" in shown
    assert "NOTICE: cron runs them, too" in shown
    (tmp_path / "odd").write_bytes(b"0 0 * * * echo \xe4\n")
    assert "odd is no UTF-8 text" in ctl("import", "crontab", str(tmp_path / "odd"), status=2)


def _file(folder: Path, text: str) -> str:
    (folder / "jobs.cron").write_text(text)
    return str(folder / "jobs.cron")


TIMETABLE = """
CREATE SCHEMA timetable;
CREATE TABLE timetable.chain (chain_id bigint PRIMARY KEY, chain_name text, run_at text, max_instances integer, timeout integer,
    live boolean, self_destruct boolean, exclusive_execution boolean, client_name text, on_error text);
CREATE TABLE timetable.task (task_id bigint PRIMARY KEY, chain_id bigint, task_order float8, task_name text, kind text,
    command text, run_as text, database_connection text, ignore_error boolean, autonomous boolean, timeout integer);
CREATE TABLE timetable.parameter (task_id bigint, order_id integer, value jsonb);
INSERT INTO timetable.chain VALUES (1, 'load', '0 3 * * *', 1, 60000, true, false, false, NULL, NULL),
    (2, 'poll', '@every 10 minutes', 1, 0, true, false, false, NULL, NULL),
    (3, 'mail', '* * * * *', 1, 0, true, false, false, NULL, NULL),
    (4, 'gap', '@after 1 hour', 1, 0, true, false, false, NULL, NULL);
INSERT INTO timetable.task (task_id, chain_id, task_order, task_name, kind, command, ignore_error) VALUES
    (1, 1, 10, 'b', 'SQL', 'SELECT 1', false), (2, 1, 20, 'a', 'PROGRAM', 'ls', true), (3, 2, 10, NULL, 'SQL', 'SELECT 2', false),
    (4, 3, 10, 'm', 'BUILTIN', 'SendMail', false);
INSERT INTO timetable.parameter VALUES (2, 1, '["-l", "a b"]');
CREATE SCHEMA dbms_job;
CREATE TABLE dbms_job.all_scheduled_jobs (job bigint, log_user text, next_date timestamptz, broken boolean, interval text,
    what text);
INSERT INTO dbms_job.all_scheduled_jobs VALUES
    (7, NULL, '2099-01-01Z', false, 'current_timestamp + ''15 minutes''::interval', 'SELECT 7'),
    (8, NULL, '2099-01-01Z', false, 'date_trunc(''day'', current_timestamp) + ''1 day''::interval + ''3 hours''::interval',
     'BEGIN NULL; END'),
    (9, NULL, '2099-01-01Z', false, 'my_function()', 'SELECT 9'), (10, NULL, '2099-01-01Z', false, NULL, 'SELECT 10');
"""


def test_pg_timetable_and_pg_dbms_job_are_taken_over(ctl: Ctl, db: Db) -> None:
    assert "there is no table timetable.chain" in ctl("import", "pg_timetable", status=2)
    for statement in TIMETABLE.split(";\n"):
        db.execute(statement.encode())
    shown = ctl("import", "pg_timetable", status=1)
    assert "the built-in task SendMail has no counterpart" in shown
    assert "@after counts from the end of a run" in shown
    shown = ctl("import", "pg_dbms_job", status=1)
    assert "interval is an expression that is no schedule: my_function()" in shown
    found = rows(
        db,
        """SELECT j.jobname, coalesce(s.cron, s.words)
             FROM pgagent.pga_job j JOIN pgagent_py.visible_schedule s USING (jobid) ORDER BY 1""",
    )
    assert [(name, when.split(" from ")[0].split(" 2099")[0]) for name, when in found] == [
        ("load", "0 3 * * *"),
        ("pg_dbms_job 10", "once, at"),
        ("pg_dbms_job 7", "every 15 minutes"),
        ("pg_dbms_job 8", "0 3 * * *"),
        ("poll", "every 10 minutes"),
    ]
    assert rows(
        db,
        "SELECT jstkind, jstcode FROM pgagent.pga_jobstep WHERE jstname ~ '^00[12] [ab]$' ORDER BY jstname",
    ) == [
        ("s", "SELECT 1"),
        ("b", "#!/bin/sh\nset -e\nls -l 'a b'\n"),
    ]


@pytest.mark.skipif(
    not (pg_config("--sharedir") / "extension" / "pg_cron.control").exists(),
    reason="pg_cron is not installed for this server",
)
def test_the_jobs_of_pg_cron_are_shown_then_taken_over(own_cluster: Cluster, tmp_path: Path) -> None:
    own_cluster.stop()
    settings = {"shared_preload_libraries": "pg_cron", "cron.database_name": TEMPLATE}
    own_cluster.start(**settings, **{"cron.launch_active_jobs": "off"})
    ctl = Ctl(own_cluster.conninfo(TEMPLATE), tmp_path)
    assert "there is no table cron.job" in ctl("import", "pg_cron", status=2)
    with own_cluster.connect(TEMPLATE) as db:
        db.execute("CREATE EXTENSION pg_cron")
        for name, when in (
            ("nightly", "0 3 * * *"),
            ("bad", "0 3 1 1 *"),
            ("also bad", "0 3 1 1 *"),
            ("often", "* * * * *"),
        ):
            db.execute("SELECT cron.schedule(%s, %s, 'SELECT 1')", [name, when])
        db.execute("UPDATE cron.job SET schedule = '0 0 32 * *' WHERE jobname ~ 'bad'")
        db.execute("UPDATE cron.job SET schedule = '0 25 * * *' WHERE jobname = 'also bad'")
        shown = ctl("import", "pg_cron", "--dry-run", status=1)
        assert "2 jobs would be added, 2 not carried over" in shown
        assert rows(db, "SELECT FROM pgagent.pga_job") == []
        entries = ctl.json("import", "pg_cron", status=1)
        assert [bool(entry["refused"]) for entry in entries] == [False, True, True, False]
        assert "32" in entries[1]["refused"]
        assert "25" in entries[2]["refused"]
        found = rows(
            db,
            "SELECT j.jobname, s.cron FROM pgagent.pga_job j JOIN pgagent_py.visible_schedule s USING (jobid)",
        )
        assert sorted(found) == [("nightly", "0 3 * * *"), ("often", "* * * * *")]
