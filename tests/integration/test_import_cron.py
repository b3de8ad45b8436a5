"""The jobs of crontabs and of pg_cron."""

import psycopg
import pytest

from tests.helpers import Cluster, Db, pg_config, value
from tests.helpers.transfer import export

CRONTAB = """\
# The backup
CRON_TZ=Europe/Paris
MAILTO=me@example.org
30 2 * * *  backup --all
MAILTO=
@reboot  echo started
0 9 1 * mon  cat%a line
"""


def test_the_jobs_of_a_crontab_are_added(db: Db) -> None:
    rows = db.execute("SELECT job, name FROM pgagent_py.import_crontab(%s)", [CRONTAB]).fetchall()
    assert [name for _, name in rows] == ["backup --all", "echo started", "cat"]
    jobs = export(db)["jobs"]
    backup, started, cat = jobs["backup --all"], jobs["echo started"], jobs["cat"]
    assert (backup["schedules"][0]["hours"], backup["schedules"][0]["timezone"]) == ([2], "Europe/Paris")
    assert [(m["kind"], m["target"], m["when"]) for m in backup["messages"]] == [
        ("email", "me@example.org", "finish")
    ]
    assert backup["steps"][0]["batch"].startswith("#!/bin/sh\n")
    assert started["schedules"][0]["reboot"] is True
    assert "messages" not in started
    assert len(cat["schedules"]) == 2


@pytest.mark.parametrize(
    ("crontab", "words"),
    [
        ("@daily true\n61 * * * * true", "line 2: .*61"),
        ("@daily true\nhello", "line 2"),
        ("CRON_TZ=Mars\n@daily true", "line 2: .*Mars"),
    ],
)
def test_a_bad_crontab_adds_nothing(db: Db, crontab: str, words: str) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=words):
        db.execute("SELECT pgagent_py.import_crontab(%s)", [crontab])
    assert export(db)["jobs"] == {}


def test_a_local_mailto_comes_over_without_email(db: Db) -> None:
    said: list[str] = []
    db.add_notice_handler(lambda notice: said.append(str(notice.message_primary)))
    db.execute("SELECT pgagent_py.import_crontab(%s)", ["MAILTO=root\n@daily true"])
    assert said == ['crontab: line 2: no e-mail for MAILTO "root", which names no host']
    assert "messages" not in export(db)["jobs"]["true"]


@pytest.mark.skipif(
    not (pg_config("--sharedir") / "extension" / "pg_cron.control").exists(),
    reason="pg_cron is not installed for this server",
)
def test_the_jobs_of_pg_cron_are_added_with_owner_and_place(own_cluster: Cluster) -> None:
    own_cluster.stop()
    settings = {"shared_preload_libraries": "pg_cron", "cron.database_name": "pgagent_py_template"}
    own_cluster.start(**settings, **{"cron.launch_active_jobs": "off"})
    with own_cluster.connect() as elsewhere:
        elsewhere.execute("CREATE EXTENSION pgagent_py CASCADE")
        with pytest.raises(
            psycopg.errors.UndefinedTable, match=r"no table cron\.job of pg_cron's in this database"
        ):
            elsewhere.execute("SELECT pgagent_py.import_pg_cron()")
        # Nor is it pg_cron's because somebody calls it so: its functions would run with the rights of the extension's owner.
        elsewhere.execute("CREATE SCHEMA cron")
        elsewhere.execute("""CREATE FUNCTION cron.trap() RETURNS text LANGUAGE plpgsql AS
                             $$ BEGIN RAISE EXCEPTION 'trapped %', current_user; END $$""")
        elsewhere.execute("""CREATE VIEW cron.job AS SELECT 1 AS jobid, '* * * * *' AS schedule, cron.trap() AS command,
                             '' AS nodename, 1 AS nodeport, 'jobs' AS database, 'postgres' AS username, true AS active""")
        with pytest.raises(psycopg.errors.UndefinedTable, match="of pg_cron's in this database"):
            elsewhere.execute("SELECT pgagent_py.import_pg_cron()")
    with own_cluster.connect("pgagent_py_template") as db:
        db.execute("CREATE EXTENSION pg_cron")
        db.execute("CREATE ROLE import_reporter LOGIN")
        db.execute("SELECT cron.schedule('nightly', '30 3 * * 0,6', 'VACUUM')")
        db.execute("SELECT cron.schedule('0 10 1 * 1', $$SELECT 'nameless'$$)")
        db.execute("UPDATE cron.job SET username = 'import_reporter', active = false WHERE jobid = 2")
        db.execute("SELECT cron.schedule('elsewhere', '* * * * *', 'SELECT 1')")
        db.execute(
            "UPDATE cron.job SET nodename = 'db2', nodeport = 5433, database = $$it's$$ WHERE jobname = 'elsewhere'"
        )
        db.execute("SELECT cron.schedule('other server', '* * * * *', 'SELECT 1')")
        db.execute("UPDATE cron.job SET nodeport = nodeport + 1 WHERE jobname = 'other server'")
        db.execute("SELECT cron.schedule('in the end', '0 0 1 * *', 'SELECT 1')")
        db.execute(
            "UPDATE cron.job SET schedule = '0 0 $ * *', nodename = '/tmp' WHERE jobname = 'in the end'"
        )
        db.execute("SELECT cron.schedule('often', '* * * * *', 'SELECT 1')")  # later versions know seconds
        db.execute("UPDATE cron.job SET schedule = '30 seconds' WHERE jobname = 'often'")
        odd = {
            "at start": "@restart",
            "close": "5seconds",
            "wordy": "0 3 * * * and more",
            "bad": "0 0 32 * *",
        }
        for name, text in odd.items():
            db.execute("SELECT cron.schedule(%s, '* * * * *', 'SELECT 1')", [name])
            db.execute("UPDATE cron.job SET schedule = %s WHERE jobname = %s", [text, name])
        said: list[str] = []
        db.add_notice_handler(lambda notice: said.append(str(notice.message_primary)))
        result = db.execute("SELECT name, job FROM pgagent_py.import_pg_cron()").fetchall()
        assert [name for name, job in result if job is None] == ["bad"]
        assert [text.partition(":")[0] for text in said] == ["pg_cron job 10 was not taken over"]
        rows = [(name,) for name, job in result if job]
        names = [
            "nightly",
            "pg_cron job 2",
            "elsewhere",
            "other server",
            "in the end",
            "often",
            "at start",
            "close",
            "wordy",
        ]
        assert rows == [(name,) for name in names]
        jobs = export(db)["jobs"]
        nightly, nameless, elsewhere_job = jobs["nightly"], jobs["pg_cron job 2"], jobs["elsewhere"]
        assert nightly["steps"] == [{"name": "nightly", "sql": "VACUUM"}]
        (schedule,) = nightly["schedules"]
        assert (schedule["minutes"], schedule["hours"], schedule["weekdays"]) == ([30], [3], [0, 6])
        assert schedule["timezone"] == "GMT"
        assert nightly["owner"] == "postgres"
        assert (nameless["enabled"], nameless["owner"], len(nameless["schedules"])) == (
            False,
            "import_reporter",
            2,
        )
        connstr = psycopg.conninfo.conninfo_to_dict(elsewhere_job["steps"][0]["connstr"])
        assert connstr == {"host": "db2", "port": "5433", "dbname": "it's", "user": "postgres"}
        other = psycopg.conninfo.conninfo_to_dict(jobs["other server"]["steps"][0]["connstr"])
        assert (other["host"], other["port"]) == ("localhost", str(own_cluster.port + 1))
        assert "owner" not in jobs["other server"]
        (last_day,), (seconds,) = (jobs[name]["schedules"] for name in ("in the end", "often"))
        assert (jobs["in the end"]["owner"], last_day["monthdays"]) == ("postgres", [32])
        assert seconds["every"] == "00:00:30"
        assert jobs["at start"]["schedules"][0]["reboot"] is True
        assert jobs["close"]["schedules"][0]["every"] == "00:00:05"
        assert jobs["wordy"]["schedules"][0]["hours"] == [3]
        assert value(db, "SELECT count(*) FROM cron.job") == 10
        # As background workers they run in this server, whatever node they name.
        own_cluster.stop()
        own_cluster.start(
            **settings, **{"cron.launch_active_jobs": "off", "cron.use_background_workers": "on"}
        )
    with own_cluster.connect("pgagent_py_template") as db:
        db.execute("DELETE FROM pgagent.pga_job")
        db.execute("SELECT pgagent_py.import_pg_cron()")
        assert {job["owner"] for job in export(db)["jobs"].values()} == {"postgres", "import_reporter"}
