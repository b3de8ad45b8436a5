"""Jobs with many schedules: a turn computes a part of the times, and serves others meanwhile."""

from tests.helpers import Db, call, rows, value
from tests.helpers.protocol import Agent, done


def test_the_next_times_of_many_schedules_are_computed_in_several_turns(
    address: str, admin: Db, alice: Db, bob: Db
) -> None:
    hers = [call(alice, "add_job", "hers", sql="SELECT 1") for _ in range(5)]
    his = call(bob, "add_job", "his", sql="SELECT 1")
    # Each has a rule of its own, and an exception, so that no session keeps its rule
    with admin.transaction():
        admin.execute("SET LOCAL session_replication_role = replica")
        admin.execute(
            """INSERT INTO pgagent.pga_schedule (jscjobid, jscname)
               SELECT j, 's' FROM unnest(%s::int[]) j, generate_series(1, 100)""",
            [hers],
        )
        admin.execute(
            """INSERT INTO pgagent.pga_exception (jexscid, jexdate, jextime)
               SELECT s.jscid, '2001-01-01', time '0:0' + s.jscid * interval '1 s' FROM pgagent.pga_schedule s"""
        )
    for job in hers:
        call(alice, "run_now", job)
    call(bob, "run_now", his)
    agent = Agent(address)
    steps = agent.run_due(9)
    ended = "SELECT count(*) FILTER (WHERE jlgjobid <> %s), count(*) FROM pgagent.pga_joblog WHERE jlgstatus = 's'"
    seen = []
    agent.run_due(0, *map(done, sorted(steps, key=lambda step: step.jobid)))
    for _ in range(3):
        seen += rows(admin, ended, his)
        assert value(agent.db, "SELECT pgagent_py.next_wake()") <= 0 or len(seen) == 3
        agent.run_due(1)
    assert seen == [(2, 3), (4, 5), (5, 6)]
    agent.close()


def test_missed_times_of_many_schedules_are_counted_for_a_bounded_time_and_owners_go_round(
    address: str, admin: Db, alice: Db, bob: Db
) -> None:
    hers = [call(alice, "add_job", "hers", sql="SELECT 1") for _ in range(30)]
    his = call(bob, "add_job", "his", sql="SELECT 1")
    for session, jobs in ((alice, hers), (bob, [his])):
        for job in jobs:
            call(session, "alter_job", job, catch_up="skip")
    with admin.transaction():
        admin.execute("SET LOCAL session_replication_role = replica")
        admin.execute(
            """INSERT INTO pgagent.pga_schedule (jscjobid, jscname, jscstart)
               SELECT j.jobid, 's', '2020-01-01' FROM pgagent.pga_job j, generate_series(1, 50)"""
        )
        admin.execute(
            "UPDATE pgagent.pga_job SET jobnextrun = now() - CASE jobid WHEN %s THEN 50 ELSE 100 END * interval '1 day'",
            [his],
        )
    agent = Agent(address)
    agent.run_due(1)
    skipped = "SELECT count(*) FROM pgagent.pga_joblog WHERE jlgstatus = 'i'"
    assert value(admin, skipped) <= 10
    turns = 1
    while not rows(admin, f"{skipped} AND jlgjobid = %s HAVING count(*) = 1", his):
        agent.run_due(1)
        turns += 1
    assert turns < 15
    # Each schedule may have all of the times, so fewer are counted
    notes = "SELECT DISTINCT substring(jsloutput, 'they were (.*?),') FROM pgagent.pga_jobsteplog WHERE jslstatus = 'i'"
    assert rows(admin, notes) == [("more than 201",)]
    agent.close()
