"""Fifteen everyday tasks: each is one command, with nothing looked up before."""

import subprocess
from pathlib import Path

from tests.conftest import StartLauncher
from tests.console.conftest import Ctl
from tests.helpers import Cluster, Db, alter_job, first_step, rows, value, wait_for, wait_for_row

LOAD = "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_tables WHERE tablename = 'ready') THEN RAISE 'not ready'; END IF; END $$"
CRONTAB = "0 3 * * * /usr/bin/backup\n"


def test_fifteen_tasks_are_one_command_each(
    ctl: Ctl, cluster: Cluster, db: Db, launcher: StartLauncher, tmp_path: Path
) -> None:
    launcher(ctl.conninfo)
    db.execute("CREATE ROLE tasks_owner LOGIN IN ROLE pgagent_py_user")
    db.execute("CREATE ROLE tasks_anna LOGIN")
    try:
        _tasks(ctl, db, tmp_path)
        alter_job(db, job=1, owner="tasks_owner")
        # rights for a colleague
        assert "has the rights of tasks_owner" in ctl("allow", "tasks_anna", "load")
        anna = Ctl(cluster.conninfo(db.info.dbname, user="tasks_anna"), tmp_path)
        assert [job["jobname"] for job in anna.json("jobs")] == ["load"]
        anna("run", "load")
        assert "it is not said what is allowed" in ctl("allow", "tasks_anna", status=2)
        assert "has no owner" in ctl("allow", "tasks_anna", "slow", status=2)
        ctl("allow", "tasks_anna", "--operate")
        assert len(anna.json("jobs")) > 1
        # trends
        assert "slowest" in ctl("stats")
    finally:
        db.execute("TRUNCATE pgagent.pga_job CASCADE")
        db.execute("DROP ROLE tasks_owner, tasks_anna")


def _tasks(ctl: Ctl, db: Db, folder: Path) -> None:
    # add
    assert "next run" in ctl("add", "load", "--cron", "0 3 * * *", "--sql", LOAD)
    ctl("run", "load", "--wait", status=1)
    # last night; why
    assert "load" in ctl("runs", "--failed", "--since", "yesterday")
    assert "not ready" in ctl("why", "load")
    # again from the step that failed
    db.execute("SELECT pgagent_py.add_step(1, 'a first', sql => 'CREATE TABLE ready ()')")
    ctl("run", "load", "--wait")
    db.execute("DROP TABLE ready")
    ctl("run", "load", "--from-step", "load", "--wait", status=1)
    db.execute("CREATE TABLE ready ()")
    done = ctl.json("run", "load", "--from-failed", "--wait")
    assert [step["jstname"] for step in done["steps"]] == ["load"]
    # disable; edit SQL; change time
    ctl("disable", "load")
    ctl("enable", "load")
    editor = folder / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/not ready/not yet/' \"$1\"\n")
    editor.chmod(0o755)
    done_edit = ctl.run("edit", "load", "--yes", EDITOR=str(editor))
    assert done_edit.returncode == 0, done_edit.stderr
    assert "not yet" in value(
        db, "SELECT jstcode FROM pgagent.pga_jobstep WHERE jstid = %s", first_step(db, 1)
    )
    ctl("add", "load", "--cron", "0 4 * * *", "--if-exists", "replace")
    assert rows(db, "SELECT cron FROM pgagent_py.visible_schedule") == [("0 4 * * *",)]
    # tomorrow; cancel; watch
    assert "load" in ctl("upcoming", "--until", "2d")
    with subprocess.Popen(
        [ctl.program, "-d", ctl.conninfo, "watch"], stdout=subprocess.PIPE, env=ctl.environment, text=True
    ) as watching:
        ctl("add", "slow", "--batch", "sleep 1000")
        ctl("run", "slow")
        wait_for_row(db, "SELECT FROM pgagent.pga_joblog WHERE jlgjobid = 2 AND jlgstatus = 'r'")
        assert "is being cancelled" in ctl("cancel", "slow")
        assert watching.stdout
        wait_for(lambda: watching.stdout and "slow" in watching.stdout.readline())
        watching.kill()
    # alert; from a crontab; in git
    ctl("alert", "load", "--email", "dba@example.org", "--when", "failure", "--when", "recovered")
    ctl("alert", "--webhook", "https://example.org/x")
    assert rows(db, "SELECT jobid, msgkind, msgwhen FROM pgagent_py.job_message ORDER BY msgid") == [
        (1, "email", "failure"),
        (1, "email", "recovered"),
        (None, "webhook", "failure"),
    ]
    assert "1 job added" in ctl("import", "crontab", "-", given=CRONTAB)
    ctl("export", "-o", f"{folder}/jobs/")
    assert len(list((folder / "jobs").iterdir())) == 3
