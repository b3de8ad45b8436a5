"""Jobs in files: what is written, read again, checked, applied and edited."""

import json
import os
import re
import stat
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from console.files import fields
from tests.console.conftest import Ctl
from tests.helpers import Db, add_dependency, add_job, alter_job, call, first_step, rows, value

EVERYTHING = """
SELECT pgagent_py.add_calendar('holidays', '{2099-12-25}');
SELECT pgagent_py.add_job('nightly', cron => '0 3 * * 1-5', sql => E'SELECT 1;\\n\\tSELECT 2;\\n', timezone => 'Europe/Paris');
SELECT pgagent_py.add_job('either', cron => '0 12 13 * fri', batch => E'#!/bin/sh\\r\\necho \\u00a0 hi  \\n\\n');
SELECT pgagent_py.add_job('nightly', description => '- yes: [no] # *', enabled => false);
SELECT pgagent_py.add_job(E'odd: "name"\\n*', cron => '@reboot', sql => ' indented');
SELECT pgagent_py.add_schedule(1, 'sets', weekdays => '{0,5}', monthdays => '{13,32}', months => '{1,12}', hours => '{4}',
       minutes => '{0}');
SELECT pgagent_py.add_schedule(1, 'polled', every => '7 h', start => '2026-01-01 00:00Z');
SELECT pgagent_py.add_schedule(1, 'once', at => '2099-01-01 12:00Z');
SELECT pgagent_py.add_exception(jscid, '2099-01-01', '12:00') FROM pgagent.pga_schedule WHERE jscname = 'sets';
SELECT pgagent_py.add_exception(jscid, at_time => '13:30:00') FROM pgagent.pga_schedule WHERE jscname = 'sets';
SELECT pgagent_py.attach_calendar(jscid, 'holidays') FROM pgagent.pga_schedule WHERE jscname = 'sets';
SELECT pgagent_py.add_step(1, 'second', sql => 'x', on_error => 'ignore', database => 'template1');
SELECT pgagent_py.alter_step(jstid, timeout => '90 s', retries => 2, retry_delay => '1 min') FROM pgagent.pga_jobstep
 WHERE jstname = 'second';
SELECT pgagent_py.alter_job(1, timeout => '1 h', max_lateness => '2 d', priority => -3, parameters => '{"a": [1.50, null, "x"]}',
       max_failures => 3, delete_on_success => true);
SELECT pgagent_py.add_message(1, 'email', 'a@example.org', subject => 'it failed: {{ job.name }}');
SELECT pgagent_py.add_calendar('work', '{2099-12-26}', 'of the plant', weekend => '{}');
SELECT pgagent_py.add_calendar('gulf', weekend => '{4,5}');
SELECT pgagent_py.set_engine('slurm', '{mem}');
SELECT pgagent_py.add_job('whole', description => 'all options', class => 'Data Export', host => 'db1', enabled => false);
SELECT pgagent_py.alter_job(pgagent_py.job_id('whole'), timeout => '1 h',
       max_lateness => '2 d', priority => 7, "group" => 'g', max_failures => 3, keep_runs => 5, keep_for => '30 d',
       labels => '{gpu,"dc=paris, north"}', late_after => '5 min', overrun_after => '2 h', catch_up => 'all',
       catch_up_limit => 9, parameters => '{"a": 1}');
SELECT pgagent_py.add_window('night', description => 'quiet', minutes => '{0}', hours => '{22}', weekdays => '{1,2}',
       monthdays => '{1}', months => '{1,12}', nth => '{1}', duration => '8 h', timezone => 'Asia/Tokyo', closed => true);
SELECT pgagent_py.add_window('payday', workdays => '{1}', minutes => '{0}', hours => '{22}', duration => '8 h');
SELECT pgagent_py.alter_job(pgagent_py.job_id('whole'), "window" => 'night', at_window_end => 'stop');
SELECT pgagent_py.alter_job(pgagent_py.add_job('owned', sql => 'SELECT 1'), owner => 'postgres', run_as => 'postgres');
SELECT pgagent_py.add_step(pgagent_py.job_id('whole'), 'remote', sql => 'SELECT 1', connstr => 'host=other dbname=x',
       description => 'away', enabled => false);
SELECT pgagent_py.add_step(pgagent_py.job_id('whole'), 'here', sql => 'SELECT 1', atomic => true);
SELECT pgagent_py.add_step(pgagent_py.job_id('whole'), 'vacuum', sql => 'VACUUM; VACUUM', separately => true);
SELECT pgagent_py.add_step(pgagent_py.job_id('whole'), 'cluster', batch => 'true', engine => 'slurm',
       engine_options => '{"mem": "8G"}');
SELECT pgagent_py.alter_step(jstid, retries => 2, retry_delay => '1 min', retry_backoff => 1.5, keep_rows => 100)
  FROM pgagent.pga_jobstep WHERE jstname = 'here';
SELECT pgagent_py.add_schedule(pgagent_py.job_id('whole'), 'third', weekdays => '{1}', nth => '{3,-1}',
       minutes => '{0}', hours => '{9}', roll => 'backward', recurs => '2 months', spread => '5 min', start => '2099-01-01Z',
       "end" => '2199-01-01Z',
       timezone => 'Asia/Tokyo', enabled => false, description => 'third and last');
SELECT pgagent_py.add_schedule(pgagent_py.job_id('whole'), 'payday', workdays => '{1,-2}', minutes => '{0}', hours => '{9}');
SELECT pgagent_py.add_schedule(pgagent_py.job_id('whole'), 'before the end', monthdays => '{1,-3}', minutes => '{0}',
       hours => '{9}');
SELECT pgagent_py.attach_calendar(jscid, 'work', only_days => true), pgagent_py.attach_calendar(jscid, 'gulf')
  FROM pgagent.pga_schedule WHERE jscname = 'payday';
SELECT pgagent_py.add_message(pgagent_py.job_id('whole'), 'email', 'a@example.org', 'late', 's', 't', '<b>h</b>', 'csv',
       'b@example.org', 'c@example.org');
SELECT pgagent_py.add_message(pgagent_py.job_id('whole'), 'chat', 'slack://a/b/c', 'recovered');
"""


# Of a job's own step and schedule, which are looked at there.
SHORT = {*fields.SHORT_STEP, *fields.SHORT_SCHEDULE} - {"name"}
# Options that no function has yet
NOT_THERE_YET: set[str] = set()


def not_written(content: Any) -> set[str]:
    """Return the fields that files may have and that the content of a file has nowhere."""
    jobs = [*content["jobs"].values()]
    parts = {
        "jobs": (fields.JOB, jobs),
        "calendars": (fields.CALENDAR, [*content["calendars"].values()]),
        "windows": (fields.WINDOW, [*content["windows"].values()]),
        "steps": (fields.STEP, [step for job in jobs for step in job.get("steps", [])]),
        "schedules": (fields.SCHEDULE, [schedule for job in jobs for schedule in job.get("schedules", [])]),
        "messages": (fields.MESSAGE, [message for job in jobs for message in job.get("messages", [])]),
    }
    return {
        name
        for kinds, found in parts.values()
        for name in kinds
        if name not in SHORT and not any(name in row for row in found)
    }


# In a file these stand in other places, or they are no part of what is carried over.
ELSEWHERE = {
    "job": "the file has it", "step": "the file has it", "schedule": "the file has it", "if_exists": "apply is always so",
    "rrule": "it is kept as what it stands for", "add_days": "apply compares", "drop_days": "apply compares",
}  # fmt: skip
CARRIED = {
    ("add_job", "alter_job"): fields.JOB,
    ("add_step", "alter_step"): fields.STEP,
    ("add_schedule", "alter_schedule"): fields.SCHEDULE,
    ("add_message",): fields.MESSAGE,
    ("add_calendar", "alter_calendar"): fields.CALENDAR,
    ("add_window",): fields.WINDOW,
}


def test_files_carry_every_argument_of_the_functions(db: Db) -> None:
    """A new option is a line of console/files/fields.py, or says here why not."""
    for names, kinds in CARRIED.items():
        found = rows(
            db,
            """
            SELECT DISTINCT a FROM pg_proc p, unnest(p.proargnames[1:p.pronargs]) a
             WHERE p.pronamespace = 'pgagent_py'::regnamespace AND p.proname = ANY (%s)""",
            list(names),
        )
        arguments = {name for (name,) in found} - ELSEWHERE.keys()
        if kinds in (fields.CALENDAR, fields.WINDOW):
            arguments -= {"name"}  # it is the key
        assert len(arguments) > 2
        assert arguments - kinds.keys() == set(), names


def written(folder: Path, name: str, text: str) -> str:
    file = folder / name
    file.write_text(text)
    return str(file)


def document(db: Db) -> Any:
    """Return what jobs there are. When a schedule was made is no part of a file, unless it counts from there."""
    found = value(db, "SELECT pgagent_py.export_jobs()")
    for job in found["jobs"].values():
        for schedule in job.get("schedules", []):
            if "every" not in schedule:
                del schedule["start"]
    return found


def test_what_is_exported_applies_to_the_same_jobs(ctl: Ctl, db: Db, tmp_path: Path) -> None:
    for statement in EVERYTHING.split(";\nS"):
        db.execute(("S" + statement.removeprefix("\nS")).encode())
    add_dependency(db, 2, 1, "finish")
    before = document(db)
    one, many = tmp_path / "all.yaml", tmp_path / "jobs"
    ctl("export", "-o", str(one))
    ctl("export", "-o", f"{many}/")
    assert len(list(many.iterdir())) == 8
    text = one.read_text()
    assert "cron: 0 3 * * 1-5" in text
    assert "cron: 0 12 13 * 5" in text
    assert "- friday" in text
    assert "- last" in text
    schema = json.loads(ctl("validate", "--schema"))
    jsonschema.Draft202012Validator.check_schema(schema)
    content = json.loads(json.dumps(YAML(typ="safe").load(text), default=str))
    jsonschema.validate(content, schema)
    assert not_written(content) == NOT_THERE_YET
    for path in (one, many):
        assert {row["action"] for row in ctl.json("apply", str(path), "--dry-run")} == {"same"}
        db.execute("DELETE FROM pgagent.pga_job")
        assert {row["action"] for row in ctl.json("apply", str(path), "--dry-run", status=1)} == {
            "add",
            "same",
        }
        ctl("apply", str(path))
        assert document(db) == before


def test_a_cron_expression_that_means_both_days_is_noted(ctl: Ctl, tmp_path: Path) -> None:
    both = "jobs:\n  j:\n    sql: SELECT 1\n    cron: 0 9 1-7 * */7\nwindows:\n  w:\n    cron: 0 0 1 * */2\n    duration: 1 h\n"
    file = written(tmp_path, "jobs.yaml", both)
    for command in ("validate", "apply"):
        lines = [line for line in ctl(command, file).splitlines() if "both day fields" in line]
        assert [line.partition(": cron")[0].rpartition(":")[2] for line in lines] == ["4", "7"]


def test_apply_is_idempotent_and_says_what_differs(ctl: Ctl, db: Db, tmp_path: Path) -> None:
    file = written(
        tmp_path, "jobs.yaml", "jobs:\n  j:\n    cron: 0 3 * * mon\n    sql: SELECT 1\n    timeout: 1 h\n"
    )
    assert "add job j" in ctl("apply", file, "--dry-run", status=1)
    assert value(db, "SELECT count(*) FROM pgagent.pga_job") == 0
    ctl("apply", file)
    assert "1 same" in ctl("apply", file)
    assert rows(db, "SELECT cron FROM pgagent_py.visible_schedule") == [("0 3 * * 1",)]
    Path(file).write_text(Path(file).read_text().replace("SELECT 1", "SELECT 2"))
    shown = ctl("apply", file)
    assert 'steps["j"].sql: "SELECT 1" -> "SELECT 2"' in shown
    assert value(db, "SELECT jstcode FROM pgagent.pga_jobstep") == "SELECT 2"


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("jobs:\n  j:\n    crn: x\n", 3, '"crn" is unknown: did you mean cron?'),
        ("jobs:\n  j:\n    sql: SELECT 1\n    cron: 0 25 * * *\n", 4, "is not a cron expression"),
        ("jobs:\n  j:\n    cron: */5 * * * *\n", 3, "belongs in quotes"),
        ("jobs:\n  j: {}\n  k: {}\n  j: {}\n", 4, "duplicate key"),
        ("jobs:\n  j:\n    steps:\n      - sql: x\n      - batch: y\n        sql: z\n", 5, "either sql or batch"),
        ("jobs:\n  j:\n    steps:\n      - sql: x\n        on_error: explode\n", 5, "on_error must be fail, success or ignore"),
        ("jobs:\n  j:\n    enabled: 'yes'\n", 3, "enabled must be true or false"),
        ("jobs:\n  j:\n    schedules:\n      - weekdays: [mon, xyz]\n", 4, "weekdays can't be xyz"),
        ("jobs:\n  j:\n    database: x\n", 3, "database is given, but no sql"),
        ("jobs:\n  j:\n    sql: x\n    steps: []\n", 3, "both sql and steps are given"),
        ("jobs:\n  j:\n    after: {k: sometimes}\n", 3, "must be success, failure or finish"),
        ("job: {}\n", 1, '"job" is unknown'),
        ("- a\n", 1, "a file is a mapping"),
        ("jobs:\n  j: [\n", 3, ""),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_file_and_line_and_no_server(
    ctl: Ctl, tmp_path: Path, text: str, line: int, what: str
) -> None:
    file = written(tmp_path, "jobs.yaml", text)
    for command in (["validate", file], ["apply", file]):
        told = ctl("-d", "host=/nowhere", *command, status=2)
        assert told.startswith(f"{file}:{line}: ")
        assert what in told


def test_mistakes_that_only_the_server_knows_have_their_line_too(ctl: Ctl, db: Db, tmp_path: Path) -> None:
    for text, line, what in (
        ("jobs:\n  a: {sql: SELECT 1}\n  j:\n    class: nothing\n", 4, 'class "nothing" does not exist'),
        ("jobs:\n  j:\n    sql: x\n    cron: '@daily'\n    timezone: Mars/Base\n", 5, "Mars/Base"),
        ("jobs:\n  j:\n    after: [nobody]\n", 3, 'there is no job "nobody"'),
        ("jobs:\n  j:\n    timeout: for ever\n", 3, "for ever"),
    ):
        file = written(tmp_path, "jobs.yaml", text)
        told = ctl("apply", file, status=2)
        assert f"{file}:{line}: " in told
        assert what in told
        assert "import_jobs" not in told
    assert value(db, "SELECT count(*) FROM pgagent.pga_job") == 0


def test_prune_drops_only_what_an_earlier_apply_has_added(ctl: Ctl, db: Db, tmp_path: Path) -> None:
    add_job(db, "by hand")
    add_job(db, "adopted")
    folder = tmp_path / "jobs"
    folder.mkdir()
    for name in ("a", "b", "adopted"):
        written(folder, f"{name}.yaml", f"jobs: {{{name}: {{sql: SELECT 1}}}}\n")
    elsewhere = written(tmp_path, "other.yaml", "name: c\nsql: SELECT 1\n")
    ctl("apply", str(folder))
    ctl("apply", elsewhere)
    for name in ("a", "adopted"):
        (folder / f"{name}.yaml").unlink()
    assert "drop job a" in ctl("apply", str(folder), "--prune", "--dry-run", status=1)
    assert "  a\n" in ctl("apply", str(folder), "--prune", given="n\n", status=130)
    assert value(db, "SELECT count(*) FROM pgagent.pga_job") == 5
    ctl("apply", str(folder))
    ctl("apply", str(folder), "--prune", "--yes")
    assert rows(db, "SELECT jobname FROM pgagent.pga_job ORDER BY 1") == [
        ("adopted",),
        ("b",),
        ("by hand",),
        ("c",),
    ]


def editor(folder: Path, script: str) -> str:
    file = folder / f"editor{len(list(folder.iterdir()))}"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return str(file)


def test_a_job_is_edited_as_yaml(ctl: Ctl, db: Db, tmp_path: Path) -> None:
    job = add_job(db, "j", cron="0 3 * * *", sql="SELECT 1")
    step, schedule = first_step(db, job), value(db, "SELECT min(jscid) FROM pgagent.pga_schedule")
    change = editor(tmp_path, "sed -i 's/0 3/0 4/' \"$1\"")
    assert ctl("edit", "j", EDITOR=editor(tmp_path, "true")) == "nothing has changed\n"
    assert ctl("edit", "j", "--json", EDITOR=editor(tmp_path, "true")) == "[]\n"
    assert "Your text is in" in ctl("edit", "j", EDITOR="false", status=2)
    assert "No such file" in ctl("edit", "j", EDITOR="rm", status=2)
    shown = ctl("edit", "j", given="n\n", EDITOR=change, status=130)
    assert "Nothing was changed. Your text is in " in shown
    assert "+    cron: 0 4 * * *" in shown
    rename = editor(tmp_path, "sed -i 's/0 3/0 4/; s/^  j:/  renamed:/' \"$1\"")
    (changed,) = json.loads(ctl("edit", "j", "--yes", "--json", EDITOR=rename))
    assert changed["action"] == "change"
    found = rows(
        db,
        """SELECT j.jobid, j.jobname, s.cron, s.jscid, s.jscname, t.jstid, t.jstname FROM pgagent.pga_job j
             JOIN pgagent_py.visible_schedule s USING (jobid) JOIN pgagent_py.visible_step t USING (jobid)""",
    )
    # They keep their ids, and so their log.
    assert found == [
        (job, "renamed", "0 4 * * *", schedule, "renamed", step, "renamed"),
    ]
    told = ctl(
        "edit",
        "renamed",
        "--yes",
        EDITOR=editor(tmp_path, "sed -i 's/cron:.*/cron: nonsense/' \"$1\""),
        status=2,
    )
    assert re.search(r"/job.yaml:\d+: .*is not a cron expression", told)
    alter = f"psql -qX -d '{ctl.conninfo}' -c 'SELECT pgagent_py.alter_job({job}, priority => 7)' >/dev/null"
    told = ctl(
        "edit", "renamed", "--yes", EDITOR=editor(tmp_path, f"{alter}; sed -i 's/0 4/0 5/' \"$1\""), status=2
    )
    assert "somebody else has changed the job meanwhile" in told


def test_a_job_is_added_with_its_step_and_schedule(ctl: Ctl, db: Db) -> None:
    added = ctl.json("add", "j", "--cron", "0 3 * * *", "--sql", "SELECT 1", "--timezone", "UTC")
    assert added["next_run"][11:16] in ("04:00", "05:00")  # in the user's zone
    ctl("add", "j", "--batch", "-", "--if-exists", "error", given="true", status=2)
    ctl("add", "k", "--batch", "-", given="echo hi")
    assert value(db, "SELECT jstcode FROM pgagent.pga_jobstep WHERE jstname = 'k'") == "echo hi"
    assert "is not a cron expression" in ctl("add", "l", "--cron", "nonsense", status=2)
    assert "a day must match both day fields" in ctl(
        "add", "m", "--cron", "0 9 1-7 * */7", "--sql", "SELECT 1"
    )


def test_files_are_for_those_that_may_edit_pgagents_tables(ctl: Ctl, db: Db) -> None:
    db.execute(
        f"DROP ROLE IF EXISTS ctl_files_{os.getpid()}; CREATE ROLE ctl_files_{os.getpid()} LOGIN".encode()
    )
    try:
        user = f"{ctl.conninfo} user=ctl_files_{os.getpid()}"
        assert "HINT" in ctl("-d", user, "export", status=3)
        assert ctl("-d", user, "jobs") == "no jobs\n"
    finally:
        db.execute(f"DROP ROLE ctl_files_{os.getpid()}".encode())
    alter_job(db, add_job(db, "j"), priority=1)
    call(db, "export_jobs")
