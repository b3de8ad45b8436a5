"""Owners of jobs: what a member of pgagent_py_user can do, in SQL."""

import psycopg
import pytest

from tests.helpers import Cluster, Db, rows, value
from tests.helpers.roles import hand_out, login, refusal


def test_a_user_adds_changes_sees_runs_and_drops_its_own_job(alice: Db, db: Db) -> None:
    job = value(alice, "SELECT pgagent_py.add_job('mine', cron => '0 3 * * *')")
    step = value(alice, "SELECT pgagent_py.add_step(%s, 'a', sql => 'SELECT current_user')", job)
    (schedule,) = rows(
        alice, "SELECT pgagent_py.add_schedule(%s, 's', hours => '{5}', minutes => '{0}')", job
    )[0]
    alice.execute("SELECT pgagent_py.alter_schedule(%s, timezone => 'Asia/Tokyo')", [schedule])
    value(alice, "SELECT pgagent_py.add_exception(%s, on_date => '2040-01-01')", schedule)
    assert rows(alice, "SELECT jobid, jobname, jobowner, jobrunas FROM pgagent_py.visible_job") == [
        (job, "mine", "alice", None)
    ]
    assert rows(alice, "SELECT jstid, jstkind, jstcode FROM pgagent_py.visible_step") == [
        (step, "sql", "SELECT current_user")
    ]
    assert (schedule, [5], "Asia/Tokyo") in rows(
        alice, "SELECT jscid, jschours, jsctimezone FROM pgagent_py.visible_schedule"
    )
    assert len(rows(alice, "SELECT * FROM pgagent_py.visible_exception")) == 1
    assert len(rows(alice, "SELECT * FROM pgagent_py.next_runs(%s, 4)", job)) == 4
    assert value(alice, "SELECT pgagent_py.next_run(%s)", schedule)
    alice.execute("SELECT pgagent_py.run_now(%s)", [job])
    assert rows(alice, "SELECT jobid, jslstatus, jobrunas FROM pgagent_py.run_due()") == [(job, "s", "alice")]
    assert value(db, "SELECT jlgstatus FROM pgagent.pga_joblog") == "s"
    assert rows(db, "SELECT * FROM pgagent.pga_jobagent") == rows(db, "SELECT * FROM pgagent_py.agent") == []
    alice.execute("SELECT pgagent_py.drop_job(%s)", [job])
    assert rows(db, "SELECT jobid FROM pgagent.pga_job") == rows(db, "TABLE pgagent_py.job_option") == []


def test_who_is_in_the_owner_role_has_its_jobs(database: str, db: Db, alice: Db) -> None:
    job = value(alice, "SELECT pgagent_py.add_job('x')")
    with login(database, "carol") as carol:
        assert refusal(carol, "SELECT pgagent_py.run_now(%s)", [job])[0] == "22023"
        db.execute("UPDATE pgagent_py.job_option SET jobowner = 'team'")
        assert value(carol, "SELECT jobowner FROM pgagent_py.visible_job") == "team"
        carol.execute("SELECT pgagent_py.run_now(%s)", [job])
    assert rows(alice, "SELECT * FROM pgagent_py.visible_job") == []
    assert refusal(alice, "SELECT pgagent_py.run_now(%s)", [job])[0] == "22023"


def test_others_have_no_jobs(database: str) -> None:
    for role in ("nobody", "starter"):
        with login(database, role) as db:
            state, message, hint = refusal(db, "SELECT pgagent_py.add_job('x')")
            assert (state, message) == ("42501", f"role {role} may not have jobs")
            assert "pgagent_py_user" in (hint or "")
            assert rows(db, "SELECT * FROM pgagent_py.visible_job") == []


def test_one_right_on_the_tables_is_not_all_of_them(database: str, db: Db) -> None:
    job = value(db, "SELECT pgagent_py.add_job('x')")
    db.execute("GRANT USAGE ON SCHEMA pgagent TO nobody")
    db.execute("GRANT DELETE, SELECT ON ALL TABLES IN SCHEMA pgagent TO nobody")
    with login(database, "nobody") as nobody:
        assert refusal(nobody, "SELECT pgagent_py.add_step(%s, 'x', batch => 'id')", [job])[0] == "42501"
    db.execute("DROP OWNED BY nobody")


@pytest.mark.usefixtures("editor_rights")
def test_who_may_edit_the_tables_may_change_every_job_and_its_own_have_no_owner(
    database: str, db: Db, bobs_job: dict[str, int]
) -> None:
    with login(database, "editor") as editor:
        editor.execute("SELECT pgagent_py.run_now(%s)", [bobs_job["job"]])
        job = value(editor, "SELECT pgagent_py.add_job('x', batch => 'true')")
        assert value(editor, "SELECT jobowner FROM pgagent_py.visible_job WHERE jobid = %s", job) is None
        assert len(rows(editor, "SELECT FROM pgagent_py.visible_step")) == 2
    assert rows(db, "SELECT jobid FROM pgagent_py.job_option") == [(bobs_job["job"],)]


def test_batch_and_connstr_steps_of_an_owned_job(alice: Db, db: Db) -> None:
    job = value(alice, "SELECT pgagent_py.add_job('x')")
    add_batch = f"SELECT pgagent_py.add_step({job}, 'x', batch => 'id')"
    state, message, _ = refusal(alice, add_batch)
    assert (state, message) == (
        "42501", "batch: role alice, the job's owner, is not a member of pgagent_py_batch",
    )  # fmt: skip
    assert refusal(alice, "SELECT pgagent_py.add_job('x', batch => 'id')")[0] == "42501"
    # Nor can anyone add it for her: her job would not run it.
    assert refusal(db, add_batch)[0] == "42501"
    for connection in (alice, db):
        add_remote = f"SELECT pgagent_py.add_step({job}, 'x', sql => 'SELECT 1', connstr => 'user=postgres')"
        assert refusal(connection, add_remote)[0] == "22023"
    assert rows(db, "SELECT FROM pgagent.pga_jobstep") == []
    assert value(db, "SELECT count(*) FROM pgagent.pga_job") == 1
    db.execute("GRANT pgagent_py_batch TO alice")
    try:
        step = value(alice, add_batch)
        alice.execute(f"SELECT pgagent_py.alter_step({step}, engine => 'slurm --mem=1G')".encode())
    finally:
        db.execute("REVOKE pgagent_py_batch FROM alice")
    for change in (
        "engine => 'ssh'",
        """engine_options => '{"mem": "2G"}'""",
        "description => '@engine ssh'",
    ):
        state, message, _ = refusal(alice, f"SELECT pgagent_py.alter_step({step}, {change})")
        assert (state, str(message).partition(":")[0]) == ("42501", "engine")
    alice.execute(f"SELECT pgagent_py.alter_step({step}, engine => 'local')".encode())


def test_an_owner_gives_its_job_away_and_has_it_run_as_another(
    database: str, db: Db, alice: Db, bobs_job: dict[str, int]
) -> None:
    db.execute("CREATE ROLE reporting LOGIN; CREATE ROLE boss LOGIN SUPERUSER; CREATE ROLE no_login NOLOGIN")
    db.execute("GRANT reporting, boss, no_login TO alice")
    try:
        job = value(alice, "SELECT pgagent_py.add_job('x', sql => 'SELECT 1')")
        who = f"SELECT jobowner, jobrunas FROM pgagent_py.visible_job WHERE jobid = {job}"
        alter = f"SELECT pgagent_py.alter_job({job}, "
        for argument, role, state in (
            ("run_as", "bob", "42501"), ("run_as", "postgres", "42501"), ("run_as", "boss", "42501"),
            ("run_as", "no_login", "22023"), ("run_as", "who", "22023"), ("owner", "who", "22023"),
            ("owner", "bob", "42501"), ("owner", "postgres", "42501"), ("owner", "", "42501"),
        ):  # fmt: skip
            refused, message, _ = refusal(alice, f"{alter}{argument} => %s)", [role])
            assert (refused, argument in (message or "") or role == "") == (state, True), (argument, role)
            assert rows(alice, who) == [("alice", None)]
        alice.execute(f"{alter}run_as => 'reporting')".encode())
        assert rows(alice, who) == [("alice", "reporting")]
        atomic = f"SELECT pgagent_py.add_step({job}, 'a', sql => 'SELECT 1', atomic => true)"
        assert refusal(alice, atomic)[0] == "22023"  # reporting could not book it
        alice.execute("SELECT pgagent_py.run_now(%s)", [job])
        assert rows(alice, "SELECT * FROM pgagent_py.run_due()") == []  # it is not reporting's session
        assert [step["jobrunas"] for step in hand_out(database)] == ["reporting"]
        with login(
            database, "reporting"
        ) as reporting:  # it executes the job, and has nothing to say about it
            assert refusal(reporting, "SELECT pgagent_py.alter_job(%s, name => 'y')", [job])[0] == "42501"
            assert rows(reporting, "SELECT * FROM pgagent_py.visible_job") == []
        db.execute("REVOKE reporting FROM alice")
        alice.execute("SELECT pgagent_py.run_now(%s)", [job])
        assert hand_out(database) == []
        assert value(db, "SELECT jsloutput FROM pgagent.pga_jobsteplog WHERE jslstatus = 'f' ORDER BY jslid DESC LIMIT 1") == (
            "Not executed: role alice, the job's owner, is not a member of role reporting."
        )  # fmt: skip
        alice.execute(f"{alter}run_as => '')".encode())
        assert rows(alice, who) == [("alice", None)]
        alice.execute(atomic.encode())
        db.execute("GRANT reporting TO alice")
        assert refusal(alice, f"{alter}run_as => 'reporting')")[0] == "22023"
        # Other options leave the owner as it is; what is not hers does not become hers.
        alice.execute(f"{alter}priority => 3, timeout => '1 h', name => 'y')".encode())
        assert rows(alice, who) == [("alice", None)]
        unowned = value(db, "SELECT pgagent_py.add_job('unowned')")
        for other in (unowned, bobs_job["job"]):
            assert refusal(alice, "SELECT pgagent_py.alter_job(%s, owner => 'alice')", [other])[0] == "22023"
        assert refusal(db, "SELECT pgagent_py.alter_job(%s, run_as => 'alice')", [unowned])[0] == "22023"
        # Given away, it is gone; who may edit the tables may take the owner off again.
        db.execute("GRANT team TO alice")
        alice.execute(f"{alter}owner => 'team')".encode())
        db.execute("REVOKE team FROM alice")
        assert refusal(alice, f"{alter}owner => 'alice')")[0] == "22023"
        assert rows(db, who) == [("team", None)]
        db.execute(f"{alter}owner => '')".encode())
        assert rows(db, who) == [(None, None)]
        batch = value(db, "SELECT pgagent_py.add_job('batch', batch => 'id')")
        assert refusal(db, "SELECT pgagent_py.alter_job(%s, owner => 'alice')", [batch])[0] == "42501"
    finally:
        db.execute("DROP ROLE reporting; DROP ROLE boss; DROP ROLE no_login")


def test_rights_count_when_a_run_starts(database: str, db: Db, alice: Db) -> None:
    db.execute("GRANT pgagent_py_batch TO alice")
    job = value(alice, "SELECT pgagent_py.add_job('x')")
    alice.execute("SELECT pgagent_py.add_step(%s, '1', batch => 'id', on_error => 'ignore')", [job])
    alice.execute("SELECT pgagent_py.add_step(%s, '2', sql => 'SELECT 1')", [job])
    alice.execute("SELECT pgagent_py.run_now(%s)", [job])
    assert [step["jstname"] for step in hand_out(database)] == ["1"]
    db.execute("REVOKE pgagent_py_batch FROM alice")
    alice.execute("SELECT pgagent_py.run_now(%s)", [job])
    assert [(step["jstname"], step["jobrunas"]) for step in hand_out(database)] == [("2", "alice")]
    refused = rows(db, "SELECT jslstatus, jslresult, jsloutput FROM pgagent.pga_jobsteplog ORDER BY jslid")[1]
    assert refused == (
        "i", -1, "Not executed: role alice, the job's owner, is not a member of pgagent_py_batch."
    )  # fmt: skip


def test_a_job_follows_a_role_that_is_renamed_and_not_a_new_one_of_its_name(
    cluster: Cluster, database: str, db: Db
) -> None:
    db.execute("CREATE ROLE dora LOGIN IN ROLE pgagent_py_user")
    try:
        with login(database, "dora") as dora:
            job = value(dora, "SELECT pgagent_py.add_job('x', sql => 'SELECT 1')")
        db.execute("ALTER ROLE dora RENAME TO dora_b")
        db.execute("CREATE ROLE dora LOGIN IN ROLE pgagent_py_user")
        with login(database, "dora") as dora:
            assert rows(dora, "SELECT * FROM pgagent_py.visible_job") == []
            assert refusal(dora, "SELECT pgagent_py.drop_job(%s)", [job])[0] == "22023"
        with login(database, "dora_b") as dora:
            assert value(dora, "SELECT jobowner FROM pgagent_py.visible_job") == "dora_b"
            dora.execute("SELECT pgagent_py.run_now(%s)", [job])
        assert [step["jobrunas"] for step in hand_out(database)] == ["dora_b"]
        # the launcher that has registered meanwhile has made the dump carry the new name
        assert rows(db, "SELECT jobowner FROM pgagent_py.job_option") == [("dora_b",)]
        db.execute("DROP ROLE dora_b; CREATE ROLE dora_b LOGIN IN ROLE pgagent_py_user")
        db.execute("SELECT pgagent_py.run_now(%s)", [job])
        assert hand_out(database) == []
        assert rows(db, "SELECT jslstatus, jsloutput FROM pgagent.pga_jobsteplog ORDER BY jslid")[1] == (
            "f", "Not executed: role dora_b, the job's owner, does not exist (any more)."
        )  # fmt: skip
        with login(database, "dora_b") as new_dora:
            assert rows(new_dora, "SELECT * FROM pgagent_py.visible_job") == []
    finally:
        for role in ("dora", "dora_b"):
            db.execute(f"DROP ROLE IF EXISTS {role}".encode())
    assert cluster


def test_a_dump_carries_the_names(
    cluster: Cluster, database: str, bare_database: str, db: Db, alice: Db
) -> None:
    db.execute("CREATE ROLE leaver LOGIN IN ROLE pgagent_py_user")
    with login(database, "leaver") as leaver:
        value(leaver, "SELECT pgagent_py.add_job('left', sql => 'SELECT 1')")
    db.execute("CREATE ROLE fill LOGIN; DROP ROLE fill")
    job = value(alice, "SELECT pgagent_py.add_job('x', sql => 'SELECT 1')")
    dump = cluster.run("pg_dump", database.split("dbname=")[1].split()[0]).stdout
    db.execute("DROP ROLE leaver")
    db.execute("ALTER ROLE alice RENAME TO alice_before; CREATE ROLE alice LOGIN IN ROLE pgagent_py_user")
    try:
        name = bare_database.split("dbname=")[1].split()[0]
        cluster.run("psql", "-qX", "-v", "ON_ERROR_STOP=1", "-d", name, input=dump)
        with login(bare_database, "alice") as new_alice:
            assert rows(new_alice, "SELECT jobid FROM pgagent_py.visible_job") == [(job,)]
        with psycopg.connect(bare_database, autocommit=True) as restored:
            restored.execute("SELECT pgagent_py.run_now(jobid) FROM pgagent.pga_job")
            assert [step["jobrunas"] for step in hand_out(bare_database)] == ["alice"]
            assert value(restored, "SELECT jsloutput FROM pgagent.pga_jobsteplog WHERE jslstatus = 'f'") == (
                "Not executed: role leaver, the job's owner, does not exist (any more)."
            )
    finally:
        db.execute("DROP ROLE alice; ALTER ROLE alice_before RENAME TO alice")


def test_an_agent_that_knows_no_owners_gets_no_owned_job(db: Db, alice: Db) -> None:
    """The C++ daemon claims like this; it would run alice's code with its own rights."""
    owned = value(alice, "SELECT pgagent_py.add_job('owned', sql => 'SELECT 1')")
    unowned = value(db, "SELECT pgagent_py.add_job('unowned', sql => 'SELECT 1')")
    db.execute("UPDATE pgagent.pga_job SET jobnextrun = now()")
    db.execute("INSERT INTO pgagent.pga_jobagent (jagpid, jagstation) VALUES (pg_backend_pid(), 'x')")
    claimed = rows(
        db,
        """UPDATE pgagent.pga_job SET jobagentid = pg_backend_pid(), joblastrun = now()
                           WHERE jobagentid IS NULL AND jobnextrun <= now() RETURNING jobid""",
    )
    assert claimed == [(unowned,)]
    assert value(db, "SELECT jobagentid FROM pgagent.pga_job WHERE jobid = %s", owned) is None
