"""Roles that see every job: a monitor changes nothing, an operator runs, cancels, pauses, enables and disables."""

from collections.abc import Iterator

import pytest

from tests.helpers import Db, add_job, add_yearly_job, alter_job, call, first_step, rows, value
from tests.helpers.protocol import Agent
from tests.helpers.roles import login, refusal

SECRET = "s3cret"
ROLES = (
    "CREATE ROLE watcher LOGIN IN ROLE pgagent_py_monitor; CREATE ROLE op LOGIN IN ROLE pgagent_py_operator"
)
VIEWS = (
    "visible_job",
    "visible_step",
    "visible_schedule",
    "job_options",
    "job_status",
    "job_message",
    "run_history",
)
PUBLIC_VIEWS = """
SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'pgagent_py'::regnamespace AND c.relkind = 'v'
   AND has_table_privilege('watcher', c.oid, 'SELECT') AND c.relname <> 'request'"""


@pytest.fixture(autouse=True)
def _roles(admin: Db) -> Iterator[None]:
    admin.execute(ROLES)
    yield
    admin.execute("DELETE FROM pgagent_py.pause; DELETE FROM pgagent_py.message; DROP ROLE watcher, op")


@pytest.fixture
def jobs(admin: Db, alice: Db) -> list[int]:
    """Return a job of alice's and one of nobody's, with secrets, each with a run."""
    hers = add_yearly_job(alice, "hers", {"sql": "SELECT 1"})
    nobodys = add_yearly_job(
        admin, "nobody's", {"sql": "SELECT 1", "connstr": f"host=127.0.0.1 password={SECRET}"}
    )
    for db, job in ((alice, hers), (admin, nobodys)):
        alter_job(db, job, parameters=f'{{"token": "{SECRET}"}}')
        call(db, "add_message", job, "email", f"{SECRET}@example.org", text=SECRET)
        admin.execute("INSERT INTO pgagent.pga_joblog (jlgjobid, jlgstatus) VALUES (%s, 'f')", [job])
    call(admin, "add_message", None, "webhook", f"https://{SECRET}.example.org/")
    return [hers, nobodys]


@pytest.mark.parametrize("role", ["watcher", "op"])
def test_they_see_every_job_and_no_secret(address: str, jobs: list[int], role: str) -> None:
    with login(address, role) as db:
        for view in VIEWS:
            assert {job for (job,) in rows(db, f"SELECT jobid FROM pgagent_py.{view}")} >= set(jobs), view
        for (view,) in rows(db, PUBLIC_VIEWS):
            assert SECRET not in str(rows(db, f"SELECT to_jsonb(v) FROM pgagent_py.{view} v")), view
        assert value(db, "SELECT count(*) FROM pgagent_py.next_runs(%s, 3)", jobs[0]) == 3


def test_a_monitor_changes_nothing_and_is_told_so(address: str, admin: Db, jobs: list[int]) -> None:
    step = first_step(admin, jobs[0])
    run = value(admin, "SELECT min(jlgid) FROM pgagent.pga_joblog")
    with login(address, "watcher") as db:
        for query, thing in (
            (f"SELECT pgagent_py.run_now({jobs[0]})", f"job {jobs[0]}"),
            (f"SELECT pgagent_py.alter_job({jobs[1]}, enabled => false)", f"job {jobs[1]}"),
            (f"SELECT pgagent_py.alter_step({step}, enabled => false)", f"step {step}"),
            (f"SELECT pgagent_py.cancel_run({run})", f"run {run}"),
        ):
            state, message, hint = refusal(db, query)
            assert (state, message) == ("42501", f"role watcher may see {thing}, and not change or run it")
            assert "pgagent_py_operator" in (hint or "")
        assert "pgagent_py_operator" in (refusal(db, "SELECT pgagent_py.pause()")[2] or "")
        assert "pgagent_py_operator" not in (
            refusal(db, "SELECT pgagent_py.set_limit('Misc', running => 1)")[2] or ""
        )
        for query in (
            "pause()",
            "set_limit('Misc', running => 1)",
            "add_job('x')",
            "run_due()",
            "run_now(0)",
        ):
            assert refusal(db, f"SELECT pgagent_py.{query}")[0] == "42501", query
        assert refusal(db, "SELECT FROM pgagent.pga_job")[0] == "42501"


def test_run_now_says_that_a_reader_may_not_and_hides_the_job_from_others(
    address: str, jobs: list[int], bob: Db
) -> None:
    run = f"SELECT pgagent_py.run_now({jobs[0]})"
    with login(address, "reader") as db:
        assert refusal(db, run)[1] == f"role reader may see job {jobs[0]}, and not change or run it"
    assert refusal(bob, run)[1] == f"job {jobs[0]} does not exist"


def test_an_operator_runs_cancels_pauses_enables_and_disables(
    address: str, admin: Db, jobs: list[int]
) -> None:
    with login(address, "op") as db:
        for job in jobs:
            call(db, "run_now", job)
            assert value(admin, "SELECT jobnextrun <= now() FROM pgagent.pga_job WHERE jobid = %s", job)
        agent = Agent(address)
        (run,) = {step.jlgid for step in agent.run_due(5) if step.jobid == jobs[1]}
        call(db, "cancel_run", run)
        assert value(agent.db, "SELECT array_agg(jlgid) FROM pgagent_py.cancelled_runs()") == [run]
        agent.close()
        for enabled in (False, True):
            call(db, "alter_job", jobs[0], enabled=enabled)
            found = value(admin, "SELECT jobenabled FROM pgagent.pga_job WHERE jobid = %s", jobs[0])
            assert found is enabled
        call(db, "pause")
        assert rows(db, "SELECT class, paused_by FROM pgagent_py.paused") == [(None, "op")]
        call(db, "resume")


def test_an_operator_changes_nothing_else(address: str, admin: Db, jobs: list[int]) -> None:
    step = first_step(admin, jobs[0])
    before = rows(admin, "SELECT j::text FROM pgagent.pga_job j ORDER BY 1")
    with login(address, "op") as db:
        for query in (
            f"alter_job({jobs[0]}, description => 'x')",
            f"alter_job({jobs[0]}, enabled => true, run_as => 'postgres')",
            f"alter_job({jobs[0]}, owner => 'op')",
            f"run_now({jobs[0]}, parameters => '{{}}')",
            f"alter_step({step}, sql => 'SELECT 2')",
            f"drop_job({jobs[0]})",
            "add_job('x')",
            "set_limit('Misc', running => 1)",
            "start_agent(gen_random_uuid(), 'x')",
            "export_jobs()",
        ):
            assert refusal(db, f"SELECT pgagent_py.{query}")[0] == "42501", query
    assert rows(admin, "SELECT j::text FROM pgagent.pga_job j ORDER BY 1") == before


def test_an_operator_with_jobs_of_its_own_may_change_them(address: str, admin: Db, jobs: list[int]) -> None:
    admin.execute("GRANT pgagent_py_user TO op")
    with login(address, "op") as db:
        own = add_job(db, "own", "SELECT 1")
        alter_job(db, own, description="x")
        alter_job(db, jobs[0], enabled=False)
        assert refusal(db, f"SELECT pgagent_py.alter_job({jobs[0]}, description => 'x')")[0] == "42501"
    admin.execute("DELETE FROM pgagent.pga_job")


def test_changes_are_shown_to_whom_the_job_is_shown(
    address: str, admin: Db, jobs: list[int], alice: Db, bob: Db
) -> None:
    call(alice, "drop_job", jobs[0])
    told = "SELECT DISTINCT jobid FROM pgagent_py.job_changes WHERE jobid = ANY (%s) ORDER BY 1"
    assert rows(alice, told, jobs) == [(jobs[0],)]
    assert rows(bob, "SELECT * FROM pgagent_py.job_changes") == []
    for role in ("watcher", "reader", "op"):
        with login(address, role) as db:
            assert rows(db, told, jobs) == [(job,) for job in sorted(jobs)], role
            assert SECRET not in str(rows(db, "SELECT c::text FROM pgagent_py.job_changes c"))
            assert refusal(db, "SELECT FROM pgagent_py.job_change")[0] == "42501"
    private = "SELECT new_value FROM pgagent_py.job_changes WHERE column_name = 'msgtext'"
    message = value(admin, "SELECT max(msgid) FROM pgagent_py.message WHERE msgjobid = %s", jobs[1])
    admin.execute("UPDATE pgagent_py.message SET msgtext = 'x' WHERE msgid = %s", [message])
    with login(address, "watcher") as db:
        assert rows(db, private) == [(None,)]
    assert rows(admin, private) == [("x",)]
