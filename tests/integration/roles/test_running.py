"""Which jobs run in whose session, and who books their results."""

from tests.helpers import Db, rows, value
from tests.helpers.roles import SECRET, login, psycopg_uuid, refusal


def test_who_runs_its_own_jobs_in_a_session_has_no_say_about_other_runs(
    database: str, alice: Db, bob: Db, db: Db
) -> None:
    """Registered, she takes turns herself: no result that she hands in may touch, end or carry on a run of bob's."""
    bobs = value(bob, "SELECT pgagent_py.add_job('bob''s', sql => %s)", SECRET)
    bob.execute("SELECT pgagent_py.add_step(%s, 'z', sql => %s)", [bobs, SECRET])
    again = (
        "SELECT pgagent_py.alter_step(jstid, retries => 9, retry_delay => '0') FROM pgagent_py.visible_step"
    )
    bob.execute(again.encode())
    mine = value(alice, "SELECT pgagent_py.add_job('mine', sql => 'SELECT 1')")
    log = """SELECT l.*, r.* FROM pgagent.pga_joblog r
               LEFT JOIN pgagent.pga_jobsteplog l ON l.jsljlgid = r.jlgid WHERE r.jlgjobid = %s"""
    # Not by run_due(), which refuses some of these results at once.
    turn = """SELECT t.jobid, t.jlgid, t.jslid, t.jstcode FROM pgagent_py.this_agent a, unnest(pgagent_py._turn(
                     a.agent, 5, ARRAY[(%s, %s, %s, 0, '1 s', 'forged')::pgagent_py.step_result],
                     false, true, '{}', 0, 0, true)) t"""
    with login(database, "starter") as starter:
        starter.execute("SELECT pgagent_py.start_agent(%s, 'x')", [psycopg_uuid])
        bob.execute("SELECT pgagent_py.run_now(%s)", [bobs])
        ((_, run, entry, _),) = rows(starter, turn, 0, 0, "s")
        before = rows(db, log, bobs)
        alice.execute("SELECT pgagent_py.run_now(%s)", [mine])
        alice.execute(
            """SELECT pgagent_py._ask('start_session', jsonb_build_object('agent', gen_random_uuid()))"""
        )
        ((_, own_run, own_entry, _),) = rows(alice, turn, run, entry, "r")
        for status in "rfsd":
            for jlgid, jslid in ((run, entry), (run, None), (run, own_entry), (own_run, entry)):
                assert rows(alice, turn, jlgid, jslid, status) == [], (status, jlgid, jslid)
                assert rows(db, log, bobs) == before
        assert rows(alice, turn, own_run, own_entry, "s") == []
        assert value(db, "SELECT jlgstatus FROM pgagent.pga_joblog WHERE jlgid = %s", own_run) == "s"
        ((jobid, again_run, _, _),) = rows(
            starter, turn, run, entry, "s"
        )  # the launcher's turn: bob's next step
        assert (jobid, again_run) == (bobs, run)
        starter.execute("SELECT pgagent_py.stop_agent()")


def test_run_due_runs_only_the_callers_own_jobs(
    database: str, alice: Db, db: Db, bobs_job: dict[str, int]
) -> None:
    whoami = "DO $$ BEGIN RAISE EXCEPTION '% %', session_user, current_user; END $$"
    mine = value(alice, "SELECT pgagent_py.add_job('alice', sql => %s)", whoami)
    unowned = value(db, "SELECT pgagent_py.add_job('unowned', sql => %s)", whoami)
    for job in (mine, unowned, bobs_job["job"]):
        db.execute("SELECT pgagent_py.run_now(%s)", [job])
    assert rows(alice, "SELECT jobid, jsloutput FROM pgagent_py.run_due()") == [(mine, "ERROR:  alice alice")]
    db.execute("SELECT pgagent_py.run_now(%s)", [mine])
    with login(
        database, "starter"
    ) as starter:  # may run a launcher, but what it runs here runs with its rights
        executed = rows(starter, "SELECT jobid, jsloutput FROM pgagent_py.run_due()")
        assert executed == [(unowned, "ERROR:  starter starter")]
    db.execute("SELECT pgagent_py.run_now(%s)", [unowned])
    assert rows(db, "SELECT jobid FROM pgagent_py.run_due()") == [
        (unowned,)
    ]  # the superuser: neither alice's nor bob's
    due = rows(db, "SELECT jobid FROM pgagent.pga_job WHERE jobnextrun <= now() ORDER BY 1")
    assert due == sorted([(mine,), (bobs_job["job"],)])
    with login(database, "nobody") as nobody:
        assert refusal(nobody, "SELECT * FROM pgagent_py.run_due()")[0] == "42501"


def test_a_user_books_no_results_of_runs_that_are_not_hers(database: str, alice: Db, db: Db) -> None:
    """A step of hers calls run_due() in the session that executes it, with a result for somebody else's run."""
    job = value(db, "SELECT pgagent_py.add_job('unowned', sql => 'SELECT 1')")
    db.execute("SELECT pgagent_py.run_now(%s)", [job])
    with login(database, "postgres") as agent:
        agent.execute("SELECT pgagent_py.start_agent(gen_random_uuid(), 'here')")
        ((run, log),) = rows(agent, "SELECT jlgid, jslid FROM pgagent_py.run_due(1)")
        forge = f"""
            SELECT * FROM pgagent_py.run_due(0, ARRAY[
                   ({run}, {log}, 's', 0, NULL::interval, 'forged')]::pgagent_py.step_result[])"""
        before = rows(
            db, "SELECT * FROM pgagent.pga_joblog l, pgagent.pga_jobsteplog s WHERE s.jsljlgid = l.jlgid"
        )
        alice.execute("SELECT pgagent_py.run_now(pgagent_py.add_job('alice', sql => %s))", [forge])
        assert rows(alice, "SELECT jobname, jslstatus FROM pgagent_py.run_due()") == [("alice", "s")]
        # Somebody releases the job by hand while she is registered.
        alice.execute(
            "SELECT pgagent_py._ask('start_session', jsonb_build_object('agent', gen_random_uuid()))"
        )
        db.execute("UPDATE pgagent.pga_job SET jobagentid = NULL, jobenabled = false WHERE jobid = %s", [job])
        alice.execute(forge.encode())
        after = f"""
            SELECT * FROM pgagent.pga_joblog l, pgagent.pga_jobsteplog s WHERE s.jsljlgid = l.jlgid AND l.jlgid = {run}"""
        assert rows(db, after) == before


def test_run_due_runs_no_owned_job_in_the_session_of_a_stronger_role(db: Db, alice: Db) -> None:
    break_out = "RESET ROLE; CREATE ROLE broken_out SUPERUSER"
    alice.execute("SELECT pgagent_py.run_now(pgagent_py.add_job('x', sql => %s))", [break_out])
    for what in ("ROLE", "SESSION AUTHORIZATION"):
        become, back = f"SET {what} alice", f"RESET {what}"
        db.execute(become.encode())
        state, message, _ = refusal(db, "SELECT * FROM pgagent_py.run_due()")
        assert (state, message) == ("42501", "role alice has not logged in itself")
        db.execute(back.encode())
    # A function of hers that a superuser is made to call: neither does it run her job with the superuser's rights, nor does
    # it leave a registration behind that would make the superuser's own run_due() do so, nor hand her the other jobs' code.
    db.execute("CREATE SCHEMA AUTHORIZATION alice")
    alice.execute("""CREATE FUNCTION alice.trap(call text) RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER AS $$
                     BEGIN RETURN QUERY EXECUTE 'SELECT t::text FROM ' || call || ' t'; END $$""")
    uuid = "gen_random_uuid()"
    for call in ("pgagent_py.run_due()", "pgagent_py.run_due(1)", f"pgagent_py.start_agent({uuid}, 'x')",
                 f"pgagent_py._ask('start_session', jsonb_build_object('agent', {uuid}))"):  # fmt: skip
        assert refusal(db, "SELECT alice.trap(%s)", [call])[0] == "42501", call
    assert rows(db, "SELECT * FROM pgagent_py.run_due()") == []
    # The superuser's session is a launcher's: she still can't take turns in its name.
    db.execute("SELECT pgagent_py.add_job('unowned', sql => 'SELECT 1')")
    db.execute("SELECT pgagent_py.start_agent(%s, 'x')", [psycopg_uuid])
    db.execute("SELECT pgagent_py.run_now(jobid) FROM pgagent.pga_job")
    assert rows(db, "SELECT * FROM alice.trap('pgagent_py.this_agent')") == []
    assert rows(db, "SELECT * FROM alice.trap('pgagent_py.steps_in_progress()')") == []
    assert refusal(db, "SELECT alice.trap('pgagent_py.run_due(100)')")[0] == "42501"
    handed_out = rows(db, "SELECT jobname, jobrunas FROM pgagent_py.run_due(100) ORDER BY 1")
    assert handed_out == [("unowned", None), ("x", "alice")]
    assert len(rows(db, "SELECT * FROM pgagent_py.steps_in_progress()")) == 2
    assert rows(db, "SELECT * FROM alice.trap('pgagent_py.steps_in_progress()')") == []
    db.execute("SELECT alice.trap('pgagent_py.stop_agent()')")
    assert len(rows(db, "SELECT * FROM pgagent_py.this_agent")) == 1
    db.execute("SELECT pgagent_py.stop_agent()")
    assert rows(db, "SELECT * FROM pgagent_py.agent") == []
    db.execute("DROP SCHEMA alice CASCADE")


def test_who_gets_the_pid_of_an_agent_that_is_gone_is_not_that_agent(alice: Db, db: Db) -> None:
    db.execute("SELECT pgagent_py.run_now(pgagent_py.add_job('unowned', sql => 'SELECT 1'))")
    register = "INSERT INTO pgagent.pga_jobagent (jagpid, jagstation) VALUES (%s, 'x')"
    db.execute(register.encode(), [alice.info.backend_pid])
    db.execute(
        """INSERT INTO pgagent_py.agent (agent, jagpid, jagstation, backend_start, jagrole, jagall, jagown)
                  VALUES (%s, %s, 'x', now() - interval '1 hour', 'postgres'::regrole, true, true)""",
        [psycopg_uuid, alice.info.backend_pid],
    )
    assert rows(alice, "SELECT * FROM pgagent_py.this_agent") == []
    assert rows(alice, "SELECT * FROM pgagent_py.steps_in_progress()") == []
    assert refusal(alice, "SELECT * FROM pgagent_py.run_due(5)")[0] == "42501"
    assert rows(alice, "SELECT * FROM pgagent_py.run_due()") == []
    assert value(db, "SELECT count(*) FROM pgagent.pga_joblog") == 0


def test_an_atomic_step_is_booked_by_its_owner_only(database: str, alice: Db, bob: Db, db: Db) -> None:
    for connection in (alice, bob, db):
        job = value(connection, "SELECT pgagent_py.add_job('x')")
        connection.execute("SELECT pgagent_py.add_step(%s, 'a', sql => 'SELECT 1', atomic => true)", [job])
        connection.execute("SELECT pgagent_py.run_now(%s)", [job])
    with login(database, "starter") as starter:
        starter.execute("SELECT pgagent_py.start_agent(%s, 'x')", [psycopg_uuid])
        handed_out = rows(starter, "SELECT jobrunas, jslid FROM pgagent_py.run_due(10)")
        log = dict(handed_out)
        assert log.keys() == {"alice", "bob", None}
        book = "SELECT pgagent_py.finish_step(%s, 1, 'done', '1 s')"
        for connection, own in ((alice, "alice"), (bob, "bob"), (starter, None)):
            for other in log.keys() - {own}:
                state, message, _ = refusal(connection, book, [log[other]])
                assert (state, message) == (
                    "55000", f"step log entry {log[other]} is not that of an atomic step in progress",
                )  # fmt: skip
        for connection, own in ((alice, "alice"), (bob, "bob"), (starter, None)):
            connection.execute(book.encode(), [log[own]])
            assert refusal(connection, book, [log[own]])[0] == "55000"
        starter.execute("SELECT pgagent_py.stop_agent()")
    assert rows(db, "SELECT DISTINCT jslstatus, jsloutput FROM pgagent.pga_jobsteplog") == [("s", "done")]
