"""@ lines that cannot be read are refused at once, in words that name the line."""

import psycopg
import psycopg.sql
import pytest

from tests.helpers import Db, add_job, call, rows, value

Invalid = psycopg.errors.InvalidParameterValue
REFUSED = [
    ("job", '@owner postgres', '"@owner", which is no option of a job'),
    ("job", '@run_as postgres', '"@run_as"'),
    ("job", '@retries 3', '"@retries"'),
    ("step", '@every 15 s', '"@every", which is no option of a step'),
    ("schedule", '@timeout 15 s', '"@timeout", which is no option of a schedule'),
    ("job", '@timeout=5', '"@timeout=5"'),
    ("job", '@timeout soon', "@timeout can't be read: invalid input syntax"),
    ("job", '@timeout -1 s', "timeout can't be -1.0 seconds"),
    ("job", '@timeout', '@timeout has no value'),
    ("job", '@timeout 1 s\n@timeout 2 s', 'several lines @timeout'),
    ("job", '@priority high', "@priority can't be"),
    ("job", '@priority 99999999999', 'priority is out of range'),
    ("job", '@delete_on_success maybe', "@delete_on_success can't be"),
    ("job", '@parameters [1]', 'parameters is no JSON object'),
    ("job", '@parameters {', "@parameters can't be read"),
    ("job", '@email nobody', 'target is not an e-mail address'),
    ("job", '@email a@b on tuesday', 'when "tuesday" is unknown'),
    ("job", '@webhook ftp://x', 'target is not a URL'),
    ("job", '@after x on monday', 'when "monday" is unknown'),
    ("job", '@after y\n@after y on failure', 'several lines @after y'),
    ("job", '@after job', 'waits for job'),
    ("job", '@after', '@after has no value'),
    ("step", '@retries 101', "retries can't be 101"),
    ("step", '@retry_backoff x', "@retry_backoff can't be"),
    ("schedule", '@every 1 month', "every can't be"),
    ("schedule", '@every 1 s\n@at 2040-01-01', 'both every and at are given'),
    ("schedule", '@at 2001-01-01', 'in the past'),
    ("schedule", '@timezone Mars', 'time zone "Mars" is not known'),
    ("schedule", '@calendar none', 'calendar "none" does not exist'),
    ("schedule", '@calendar holidays\n@only_calendar holidays', 'several lines @calendar holidays'),
]  # fmt: skip


def test_what_cannot_be_read_is_refused_at_once(db: Db) -> None:
    call(db, "add_calendar", "holidays")
    add_job(db, "job", "SELECT 1", cron="@daily")
    places = {
        "job": ("pga_job", "jobdesc"),
        "step": ("pga_jobstep", "jstdesc"),
        "schedule": ("pga_schedule", "jscdesc"),
    }
    for place, comment, words in REFUSED:
        table, column = places[place]
        with pytest.raises((Invalid, psycopg.errors.NumericValueOutOfRange)) as caught:
            db.execute(f"UPDATE pgagent.{table} SET {column} = %s".encode(), [comment])
        assert words in str(caught.value.diag.message_primary)
        assert "Traceback" not in str(caught.value)
        with pytest.raises((Invalid, psycopg.errors.NumericValueOutOfRange)):
            call(db, f"alter_{place}", 1, description=comment)
        assert rows(db, f"SELECT {column} FROM pgagent.{table}") == [("",)]


def test_a_launcher_that_looks_at_a_dependency_meanwhile_disturbs_no_edit(db: Db, database: str) -> None:
    """It does so soon after it was made: here between the look at what the lines change, and the change."""
    first = add_job(db, "first")
    job = add_job(db, "x", description="@after first\n@priority 1")
    db.execute("CREATE EXTENSION dblink; CREATE SEQUENCE public.updates")
    db.execute(
        psycopg.sql.SQL(
            """
        CREATE FUNCTION public.look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF nextval('public.updates') = 2 THEN
                PERFORM public.dblink_exec({}, 'UPDATE pgagent_py.job_dependency SET depchecked = true');
            END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER look BEFORE UPDATE ON pgagent_py.job_option FOR EACH ROW EXECUTE FUNCTION public.look()"""
        ).format(database)
    )
    comment = "@after first on finish\n@priority 2"
    db.execute("UPDATE pgagent.pga_job SET jobdesc = %s WHERE jobid = %s", [comment, job])
    assert rows(db, 'SELECT jobafter, "when" FROM pgagent_py.dependencies') == [(first, "finish")]
    assert value(db, "SELECT last_value FROM public.updates") == 2
    assert value(db, "SELECT count(*) FROM pgagent_py.comment_line") == 2
