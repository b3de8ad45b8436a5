"""What a role sees of the jobs of others: no parameters, addresses and connection strings, and no calendars of strangers."""

from collections.abc import Iterator

import pytest

from tests.helpers import Db, add_job, add_yearly_job, alter_job, call, rows
from tests.helpers.roles import login

SECRET = "s3cret"
VIEWS = """
SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'pgagent_py'::regnamespace AND c.relkind = 'v'
   AND has_table_privilege('mallory', c.oid, 'SELECT') AND c.relname <> 'request' ORDER BY 1"""
CALENDARS = "SELECT name FROM pgagent_py.calendars"


@pytest.fixture
def jobs(admin: Db, alice: Db) -> Iterator[list[int]]:
    """Return a job of alice's and one of nobody's, both full of secrets."""
    hers = add_yearly_job(alice, "hers", {"sql": "SELECT 1"})
    nobodys = add_job(admin, "nobody's", {"sql": "SELECT 1", "connstr": f"host=127.0.0.1 password={SECRET}"})
    alter_job(alice, hers, parameters=f'{{"token": "{SECRET}"}}')
    alter_job(admin, nobodys, parameters=f'{{"token": "{SECRET}"}}')
    call(alice, "add_message", hers, "email", f"{SECRET}@example.org", text=SECRET, subject=SECRET)
    call(admin, "add_message", nobodys, "webhook", f"https://{SECRET}.example.org/{SECRET}", text=SECRET)
    call(admin, "add_message", None, "email", f"{SECRET}@example.org", text=SECRET, subject=SECRET)
    admin.execute(
        "INSERT INTO pgagent_py.queued_message (qmsjobid, qmsjlgid, qmskind, qmstarget, qmsdata, qmserror)"
        " SELECT j, 1, 'email', 'x@y', '{}', '550 <' || %s || '@example.org>' FROM unnest(%s::int4[]) j",
        [SECRET, [hers, nobodys]],
    )
    yield [hers, nobodys]
    admin.execute("DELETE FROM pgagent_py.message")
    admin.execute("DELETE FROM pgagent_py.queued_message")


def shown(db: Db, job: int | None = None) -> dict[str, str]:
    """Return what of a role's views holds a secret, of one job if it is given."""
    found = {}
    for (view,) in rows(db, VIEWS):
        text = str(rows(db, f"SELECT to_jsonb(v) FROM pgagent_py.{view} v"))
        if job is not None:
            query = (
                f"SELECT r FROM (SELECT to_jsonb(v) r FROM pgagent_py.{view} v) v WHERE r ->> 'jobid' = %s"
            )
            text = str(rows(db, query, str(job)))
        if SECRET in text:
            found[view] = text
    return found


@pytest.mark.usefixtures("jobs")
def test_a_role_that_may_only_read_the_jobs_sees_no_secret_of_any(address: str) -> None:
    with login(address, "reader") as reader:
        assert len(rows(reader, "SELECT FROM pgagent_py.job_options")) == 2
        assert len(rows(reader, "SELECT FROM pgagent_py.job_message")) == 3
        assert shown(reader) == {}
    for stranger in ("mallory", "bob", "starter"):
        with login(address, stranger) as db:
            assert shown(db) == {}


def test_a_role_that_may_edit_a_job_sees_what_it_may_change(jobs: list[int], alice: Db, address: str) -> None:
    hers, nobodys = jobs
    assert set(shown(alice, hers)) == {"job_message", "job_options", "unsent_message"}
    assert shown(alice, nobodys) == {}
    with login(address, "editor") as editor:
        for job in jobs:
            assert set(shown(editor, job)) >= {"job_message", "job_options", "unsent_message"}
        assert "visible_step" in shown(editor, nobodys)


def test_a_reader_with_a_job_of_its_own_sees_the_secrets_of_that_one(
    jobs: list[int], admin: Db, alice: Db
) -> None:
    admin.execute(
        "GRANT USAGE ON SCHEMA pgagent TO alice; GRANT SELECT ON ALL TABLES IN SCHEMA pgagent TO alice"
    )
    try:
        assert set(shown(alice, jobs[0])) == {"job_message", "job_options", "unsent_message"}
        assert set(shown(alice, jobs[1])) == set()
    finally:
        admin.execute(
            "REVOKE ALL ON ALL TABLES IN SCHEMA pgagent FROM alice; REVOKE ALL ON SCHEMA pgagent FROM alice"
        )


def test_calendars_are_for_roles_that_have_jobs(admin: Db, address: str) -> None:
    call(admin, "add_calendar", "holidays", ["2027-01-01"])
    try:
        for role, sees in (
            ("alice", True),
            ("editor", True),
            ("reader", False),
            ("starter", False),
            ("mallory", False),
        ):
            with login(address, role) as db:
                assert rows(db, CALENDARS) == ([("holidays",)] if sees else []), role
        admin.execute("REVOKE DELETE ON pgagent.pga_exception FROM editor")
        with login(address, "editor") as db:
            assert rows(db, CALENDARS) == []
    finally:
        admin.execute("GRANT DELETE ON pgagent.pga_exception TO editor")
        call(admin, "drop_calendar", "holidays")


PEEK = """
CREATE FUNCTION pg_temp.peek(text) RETURNS boolean LANGUAGE plpgsql COST 0.000001
AS $$ BEGIN RAISE NOTICE '%', $1; RETURN true; END $$"""


def test_a_condition_of_a_query_is_not_asked_of_jobs_that_the_role_does_not_see(
    admin: Db, alice: Db, address: str
) -> None:
    add_yearly_job(alice, "hers", {"sql": "SELECT 1"})
    add_job(admin, "hidden", {"sql": "SELECT 1"})
    with login(address, "alice") as db:
        told: list[str] = []
        db.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
        db.execute(PEEK)
        for column in ("jobname", "last_status", "no_launcher"):
            db.execute(
                f"SELECT FROM pgagent_py.job_status s WHERE pg_temp.peek(s.jobname || s.{column})".encode()
            )
        db.execute("SELECT count(*) FROM pgagent_py.job_status s WHERE pg_temp.peek(s.jobname)")
    assert "hers" in " ".join(told)
    assert "hidden" not in " ".join(told)
