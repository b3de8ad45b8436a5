"""Each owner has a place at a launcher, whatever the others do: nobody's jobs keep another's from starting."""

from collections import Counter

import pytest

from tests.conftest import StartLauncher
from tests.helpers import Db, call, rows, run_to_end, value, wait_for_row, wait_for_start
from tests.helpers.protocol import Agent, Step, done
from tests.helpers.roles import refusal
from tests.helpers.waiting import wait_for_statistics

KNOWS = ["own places"]
SLEEP = "SELECT pg_sleep(600)"


def due_jobs(session: Db, number: int, sql: str = "SELECT 1", **options: object) -> list[int]:
    """Give a role jobs that are due."""
    jobs = [int(call(session, "add_job", f"{session.info.user}'s", sql=sql)) for _ in range(number)]
    for job in jobs:
        if options:
            call(session, "alter_job", job, **options)
        call(session, "run_now", job)
    return jobs


def owners(steps: list[Step]) -> Counter[str]:
    """Return how many of the steps are whose."""
    return Counter(step.jobname.split("'")[0] for step in steps)


def test_a_job_starts_although_anothers_jobs_have_all_workers(
    address: str, admin: Db, alice: Db, bob: Db, launcher: StartLauncher
) -> None:
    launcher("--workers", "4", address)
    hers = due_jobs(alice, 8, SLEEP)
    wait_for_row(admin, "SELECT 1 FROM pg_stat_activity WHERE query = %s HAVING count(*) = 4", SLEEP)
    (his,) = due_jobs(bob, 1)
    wait_for_row(admin, "SELECT 1 FROM pgagent.pga_joblog WHERE jlgjobid = %s AND jlgstatus = 's'", his)
    # A run of several steps goes on, and a job of nobody's has a place as well
    job = call(bob, "add_job", "several")
    for name in "abc":
        call(bob, "add_step", job, name, sql="SELECT 1")
    assert run_to_end(admin, job).status == "s"
    assert run_to_end(admin, call(admin, "add_job", "nobody's", sql="SELECT 1")).status == "s"
    assert value(admin, "SELECT count(*) FROM pgagent.pga_job WHERE jobagentid IS NOT NULL") == 4
    assert len(hers) == 8


@pytest.mark.parametrize("limit", [0, 1])
def test_a_job_starts_although_others_wait_for_connections(
    address: str, admin: Db, alice: Db, bob: Db, launcher: StartLauncher, limit: int
) -> None:
    admin.execute(f"ALTER ROLE alice CONNECTION LIMIT {limit}".encode())
    due_jobs(alice, 8, SLEEP)
    launcher("--workers", "2", address)
    waiting = "SELECT 1 FROM pgagent.pga_jobsteplog WHERE jsloutput LIKE 'Waiting for a connection: %' AND jslstatus = 'r'"
    wait_for_row(admin, waiting)
    for job in due_jobs(bob, 5):
        wait_for_row(admin, "SELECT 1 FROM pgagent.pga_joblog WHERE jlgjobid = %s AND jlgstatus = 's'", job)
    # No more of hers were claimed than before it was known that they wait
    assert value(admin, "SELECT count(*) FROM pgagent.pga_job WHERE jobagentid IS NOT NULL") <= 3
    admin.execute("ALTER ROLE alice CONNECTION LIMIT -1")
    wait_for_start(
        admin,
        *(job for (job,) in rows(admin, "SELECT jobid FROM pgagent.pga_job WHERE jobagentid IS NOT NULL")),
    )


def test_a_role_that_waits_for_many_databases_is_not_tried_with_all(address: str, alice: Db, bob: Db) -> None:
    """They need not exist: a role at its limit is told of that first."""
    for number in range(30):
        call(alice, "run_now", call(alice, "add_job", "alice's", sql="SELECT 1", database=f"none{number}"))
    agent, waiting = Agent(address), list[int]()
    turn = "SELECT jslid FROM pgagent_py.run_due(4, connecting => %s)"
    while steps := rows(agent.db, turn, waiting):
        waiting += [step for (step,) in steps]
    assert len(waiting) == 12
    due_jobs(bob, 1)
    assert len(rows(agent.db, turn, waiting)) == 1
    assert len(rows(agent.db, turn, waiting[:9])) == 4
    agent.close()


def test_owners_go_round_and_one_place_is_each_ones_own(address: str, admin: Db, alice: Db, bob: Db) -> None:
    due_jobs(alice, 6)
    due_jobs(bob, 6)
    due_jobs(admin, 6)
    agent = Agent(address, knows=KNOWS)
    first = agent.run_due(1)
    assert owners(first) == {"alice": 1, "bob": 1, "postgres": 1}
    assert agent.run_due(0) == []
    assert owners(agent.run_due(6)) == {"alice": 2, "bob": 2, "postgres": 2}
    # One of each has ended, and all workers are taken
    assert agent.run_due(0, *map(done, first)) == []
    agent.close()


def test_only_an_agent_that_knows_own_places_gets_more_than_its_capacity(
    address: str, alice: Db, bob: Db
) -> None:
    due_jobs(alice, 2)
    due_jobs(bob, 2)
    agent = Agent(address)
    assert owners(agent.run_due(1)) == {"alice": 1}
    assert owners(agent.run_due(1)) == {"bob": 1}
    agent.close()


def test_no_more_than_a_hundred_owners_have_a_place_beyond_the_workers(address: str, admin: Db) -> None:
    names = [f"owner{number}" for number in range(103)]
    for name in names:
        admin.execute(f"CREATE ROLE {name}".encode())
        job = call(admin, "add_job", f"{name}'s", sql="SELECT 1")
        call(admin, "alter_job", job, owner=name)
        call(admin, "run_now", job)
    agent = Agent(address, knows=KNOWS)
    assert len(agent.run_due(1)) == 101
    assert value(admin, "SELECT count(*) FROM pgagent_py.run_due(0, own_places => 1)") == 0
    agent.close()
    admin.execute("DELETE FROM pgagent.pga_job")
    admin.execute(f"DROP ROLE {', '.join(names)}".encode())


def test_a_run_on_its_owners_place_goes_on_with_its_next_step(address: str, alice: Db, bob: Db) -> None:
    due_jobs(alice, 2)
    job = call(bob, "add_job", "bob's")
    for name in "ab":
        call(bob, "add_step", job, name, sql="SELECT 1")
    call(bob, "run_now", job)
    agent = Agent(address, knows=KNOWS)
    steps = agent.run_due(1)
    (his,) = [step for step in steps if step.jobid == job]
    (following,) = agent.run_due(0, done(his))
    assert (following.jobid, following.jstname) == (job, "b")
    agent.close()


def test_priority_orders_the_jobs_of_an_owner_and_an_administrator_orders_owners(
    address: str, admin: Db, alice: Db, bob: Db
) -> None:
    due_jobs(bob, 1)
    low, high = due_jobs(alice, 1, priority=1), due_jobs(alice, 1, priority=1_000_000)
    agent = Agent(address)
    assert owners(agent.run_due(1)) == {"bob": 1}
    assert [step.jobid for step in agent.run_due(2)] == [*high, *low]
    due_jobs(bob, 2)
    due_jobs(alice, 2)
    call(admin, "set_limit", owner="alice", priority=5)
    assert owners(agent.run_due(2)) == {"alice": 2}
    assert rows(admin, "SELECT owner, priority, running FROM pgagent_py.limits") == [("alice", 5, None)]
    call(admin, "set_limit", owner="alice", running=1)
    assert rows(admin, "SELECT owner, priority, running FROM pgagent_py.limits") == [("alice", 5, 1)]
    call(admin, "set_limit", owner="alice", running=0, priority=0)
    assert rows(admin, "SELECT * FROM pgagent_py.limits") == []
    agent.close()


def test_an_owner_runs_no_more_jobs_than_its_limit(address: str, admin: Db, alice: Db, bob: Db) -> None:
    call(admin, "set_limit", owner="alice", running=2)
    due_jobs(alice, 5)
    due_jobs(bob, 5)
    agent, other = Agent(address, knows=KNOWS), Agent(address)
    assert owners(agent.run_due(6)) == {"alice": 2, "bob": 4}
    assert owners(other.run_due(6)) == {"bob": 1}
    call(admin, "set_limit", owner="alice")
    assert owners(other.run_due(6)) == {"alice": 3}
    agent.close()
    other.close()


def fetched(admin: Db) -> int:
    """Return how many rows of jobs were read so far."""
    query = """
        SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relid = 'pgagent.pga_job'::regclass"""
    return int(value(admin, query))


@pytest.mark.parametrize("reason", ["limit", "host", "pause"])
def test_many_due_jobs_that_a_launcher_may_not_take_do_not_slow_its_turns(
    address: str, admin: Db, bob: Db, reason: str
) -> None:
    admin.execute("ALTER TABLE pgagent.pga_job DISABLE TRIGGER USER")
    admin.execute(
        """INSERT INTO pgagent.pga_job (jobname, jobjclid, jobhostagent, jobnextrun)
           SELECT 'alice''s', 2, %s, now() - interval '1 h' FROM generate_series(1, 20000)""",
        ["elsewhere" if reason == "host" else ""],
    )
    admin.execute("ALTER TABLE pgagent.pga_job ENABLE TRIGGER USER")
    admin.execute(
        """INSERT INTO pgagent.pga_jobstep (jstjobid, jstname, jstkind, jstcode, jstdbname)
           SELECT jobid, 'a', 's', 'SELECT 1', current_database() FROM pgagent.pga_job"""
    )
    if reason == "limit":
        admin.execute(
            "INSERT INTO pgagent_py.job_option (jobid, jobowner) SELECT jobid, 'alice' FROM pgagent.pga_job"
        )
    if reason == "limit":
        call(admin, "set_limit", owner="alice", running=1)
    elif reason == "pause":
        call(admin, "pause", value(admin, "SELECT jclname FROM pgagent.pga_jobclass WHERE jclid = 2"))
    agent = Agent(address)
    assert len(agent.run_due(5)) == (1 if reason == "limit" else 0)
    agent.run_due(5)
    wait_for_statistics(agent.db)
    before = fetched(admin)
    for _ in range(10):
        (job,) = due_jobs(bob, 1)
        (step,) = agent.run_due(5)
        assert step.jobid == job
        agent.run_due(0, done(step))
        value(agent.db, "SELECT pgagent_py.next_wake()")
    wait_for_statistics(agent.db)
    # At most three looks at all of them, which take a twentieth of the time
    assert fetched(admin) - before < 10 * 8_000 + 3 * 60_000
    agent.close()
    call(admin, "set_limit", owner="alice")
    admin.execute("DELETE FROM pgagent_py.pause")


def test_an_owner_can_not_leave_or_enter_a_class_that_is_limited_or_paused(admin: Db, alice: Db) -> None:
    names = [
        name for (name,) in rows(admin, "SELECT jclname FROM pgagent.pga_jobclass ORDER BY jclid LIMIT 3")
    ]
    job = call(alice, "add_job", "alice's", **{"class": names[0]})
    call(alice, "alter_job", job, **{"class": names[1]})
    call(admin, "pause", names[1])
    call(admin, "set_limit", names[2], running=1)
    for name in (names[0], names[2]):
        refused = refusal(alice, "SELECT pgagent_py.alter_job(%s, class => %s)", [job, name])
        assert refused[0] == "42501"
    call(alice, "alter_job", job, description="x", **{"class": names[1]})
    call(admin, "alter_job", job, **{"class": names[0]})
    refused = refusal(alice, "SELECT pgagent_py.alter_job(%s, class => %s)", [job, names[2]])
    assert refused[:2] == ("42501", f"class: class {names[2]} has a limit or a pause")
    call(admin, "resume", names[1])
    call(admin, "set_limit", names[2])


def test_a_group_belongs_to_the_role_that_made_it(admin: Db, alice: Db, bob: Db) -> None:
    hers, another = (call(alice, "add_job", "alice's") for _ in "ab")
    his = call(bob, "add_job", "bob's")
    call(alice, "alter_job", hers, group="loads")
    call(alice, "alter_job", another, group="loads")
    join = f"SELECT pgagent_py.alter_job({his}, \"group\" => 'loads')"
    assert refusal(bob, join)[:2] == ("42501", 'group: group "loads" is not one of role bob')
    call(alice, "alter_job", hers, group="")
    call(alice, "alter_job", another, group="")
    assert refusal(bob, join)[0] == "42501"
    call(admin, "grant_group", "loads", "bob")
    call(bob, "alter_job", his, group="loads")
    call(bob, "alter_job", his, group="")
    call(admin, "grant_group", "loads", "bob", False)
    assert refusal(bob, join)[0] == "42501"
    # A group that an administrator has made with a limit
    call(admin, "set_limit", group="reports", running=1)
    assert refusal(bob, join.replace("loads", "reports"))[0] == "42501"
    call(admin, "set_limit", group="reports")
    admin.execute("DELETE FROM pgagent_py.group_grant")


def test_what_is_set_for_a_role_follows_it_when_it_is_renamed_and_goes_with_it(admin: Db) -> None:
    """It can be taken back by the new name, and a later role of the old name begins without it."""
    counts = [f"SELECT count(*) FROM pgagent_py.{table}" for table in ("group_grant", "bound", "job_limit")]
    admin.execute("CREATE ROLE first")

    def set_all(role: str, number: int | None) -> list[int]:
        call(admin, "grant_group", "loads", role, number is not None)
        call(admin, "set_bound", "jobs", number, role)
        call(admin, "set_limit", owner=role, running=number or 0)
        return [value(admin, count) for count in counts]

    assert set_all("first", 5) == [1, 1, 1]
    admin.execute("ALTER ROLE first RENAME TO second")
    admin.execute("CREATE ROLE first")
    assert set_all("first", 6) == [2, 2, 2]
    bounds = rows(admin, "SELECT role, value FROM pgagent_py.bounds WHERE name = 'jobs' AND role IS NOT NULL")
    assert sorted(bounds) == [("first", 6), ("second", 5)]
    assert set_all("second", None) == [1, 1, 1]
    admin.execute("DROP ROLE first")
    admin.execute("CREATE ROLE first")
    assert set_all("first", 7) == [1, 1, 1]
    assert set_all("first", None) == [0, 0, 0]
    admin.execute("DROP ROLE first, second")
