"""What roles that are no superusers hang on pgAgent's tables is never executed with the rights of the extension's owner."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.conftest import StartLauncher
from tests.helpers import Cluster, Db, add_job, make_due, rows, run_due, serving, stop, value, wait_for_end
from tests.helpers.roles import login
from tests.helpers.updates import install_released

# A place where any code notes that a superuser has executed it, which a rollback does not undo, and a function for each way to
# hang code on a table.
SPY = """
CREATE SEQUENCE spy.seen;
GRANT ALL ON spy.seen TO PUBLIC;
CREATE FUNCTION spy.note() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
  IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN PERFORM nextval('spy.seen'); END IF; RETURN true; END $$;
CREATE FUNCTION spy.row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM spy.note(); RETURN NEW; END $$;
CREATE FUNCTION spy.fixed(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM spy.note(); RETURN $1; END $$;
GRANT USAGE ON SCHEMA spy TO PUBLIC"""
# By editor, who has all privileges on the tables but does not own them.
BY_PRIVILEGE = {
    "trigger": "CREATE TRIGGER spy BEFORE INSERT OR UPDATE OR DELETE ON pgagent.{table} FOR EACH ROW EXECUTE FUNCTION spy.row()",
    "for each statement": "CREATE TRIGGER spy AFTER INSERT OR UPDATE OR DELETE ON pgagent.{table} EXECUTE FUNCTION spy.row()",
    "constraint trigger": "CREATE CONSTRAINT TRIGGER spy AFTER INSERT OR UPDATE ON pgagent.{table} DEFERRABLE INITIALLY DEFERRED"
    " FOR EACH ROW EXECUTE FUNCTION spy.row()",
    "condition": "CREATE TRIGGER spy AFTER INSERT OR UPDATE ON pgagent.{table} FOR EACH ROW WHEN (spy.note())"
    " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "condition of built-in functions": "CREATE TRIGGER spy BEFORE INSERT OR UPDATE ON pgagent.{table} FOR EACH ROW"
    " WHEN (query_to_xml('SELECT spy.note()', false, false, '') IS NOT NULL)"
    " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "in the place of ours": "CREATE OR REPLACE TRIGGER pga_job_next_run BEFORE INSERT OR UPDATE ON pgagent.pga_job"
    " FOR EACH ROW EXECUTE FUNCTION spy.row()",
    "cascade": "CREATE TABLE spy.child (id int REFERENCES pgagent.pga_job ON DELETE CASCADE);"
    " CREATE TRIGGER spy AFTER DELETE ON spy.child FOR EACH ROW EXECUTE FUNCTION spy.row()",
}
# By dbowner, who owns them.
BY_OWNER = {
    "rule": "CREATE RULE spy AS ON INSERT TO pgagent.pga_job DO ALSO SELECT spy.note()",
    "default": "ALTER TABLE pgagent.pga_job ALTER jobdesc SET DEFAULT spy.fixed('')",
    "check": "ALTER TABLE pgagent.pga_job ADD CONSTRAINT spy CHECK (spy.note())",
    "domain": "CREATE DOMAIN spy.checked AS text CHECK (spy.note()); ALTER TABLE pgagent.pga_job ADD COLUMN spy spy.checked",
    "index": "CREATE INDEX spy ON pgagent.pga_job (spy.fixed(jobname))",
    "generated column": "ALTER TABLE pgagent.pga_job ADD COLUMN spy text GENERATED ALWAYS AS (spy.fixed('x')) STORED",
    # What is constant in an expression is evaluated by who plans a query of the table, also if he only reads it.
    "index of a constant": "CREATE INDEX spy ON pgagent.pga_job ((jobname || spy.fixed('x')))",
    "statistics": "CREATE STATISTICS spy.spy ON (jobname || spy.fixed('x')), jobid FROM pgagent.pga_job; ANALYZE pgagent.pga_job",
    "child's constraint": "CREATE TABLE spy.child (CHECK (jobname <> spy.fixed('x'))) INHERITS (pgagent.pga_job)",
    "child": "CREATE TABLE spy.child () INHERITS (pgagent.pga_job);"
    " CREATE TRIGGER spy BEFORE UPDATE ON spy.child FOR EACH ROW EXECUTE FUNCTION spy.row()",
    "trigger": BY_PRIVILEGE["trigger"].format(table="pga_joblog"),
    "another table of the name": "ALTER SCHEMA pgagent RENAME TO before; CREATE SCHEMA pgagent;"
    " CREATE TABLE pgagent.pga_job (LIKE before.pga_job INCLUDING ALL);"
    " CREATE TRIGGER spy BEFORE INSERT ON pgagent.pga_job FOR EACH ROW EXECUTE FUNCTION spy.row()",
    "overload": "CREATE FUNCTION pgagent.pga_next_schedule(int, timestamptz, timestamptz, bool[], bool[], bool[], bool[])"
    " RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN PERFORM spy.note(); RETURN NULL; END $$",
    "policy": "ALTER TABLE pgagent.pga_job ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
    " CREATE POLICY spy ON pgagent.pga_job USING (spy.note())",
}
OWNED = """
SELECT format('ALTER TABLE %s OWNER TO {role}', c.oid::regclass)
  FROM pg_class c WHERE c.relnamespace = 'pgagent'::regnamespace AND c.relkind = 'r'"""
RULED = "SELECT FROM spy.seen WHERE is_called"


@pytest.fixture
def stage(server: Cluster) -> Iterator[Db]:
    """Return a superuser's session in a database where editor has a schema spy and all privileges on pgAgent's tables."""
    with server.connect() as admin:
        admin.execute("CREATE DATABASE stage TEMPLATE pgagent_py_template")
    with server.connect("stage") as db:
        db.execute("CREATE SCHEMA spy AUTHORIZATION editor; GRANT USAGE ON SCHEMA pgagent TO editor")
        db.execute("GRANT ALL ON ALL TABLES IN SCHEMA pgagent TO editor")
        db.execute("GRANT ALL ON ALL SEQUENCES IN SCHEMA pgagent TO editor; SET ROLE editor")
        db.execute(SPY)
        db.execute("RESET ROLE")
        yield db
    with server.connect() as admin:
        admin.execute("DROP DATABASE stage WITH (FORCE)")


def act(server: Cluster, job: int, attacker: str = "editor") -> list[str]:
    """Do what alice can do by the extension, what a launcher does, and edit the tables; return the SQLSTATEs."""
    states = []
    address = server.conninfo("stage")
    for role, statements in {
        "alice": [
            "SELECT pgagent_py.add_job('new', sql => 'SELECT 1', cron => '@hourly')",
            f"SELECT pgagent_py.alter_job({job}, description => 'x')",
            f"SELECT pgagent_py.add_step({job}, 'x', sql => 'SELECT 1')",
            f"SELECT pgagent_py.run_now({job})",
            "SELECT * FROM pgagent_py.run_due()",
            "SELECT * FROM pgagent_py.job_status, pgagent_py.launchers",
            "SELECT * FROM pgagent_py.run_statistics()",
            "SELECT pgagent_py.next_wake()",
        ],
        "starter": [
            "SELECT * FROM pgagent_py.run_due(9)",
            "SELECT pgagent_py.wanted_in(), pgagent_py.next_wake()",
            "SELECT pgagent_py.upkeep()",
            "SELECT pgagent_py.stop_agent()",
        ],
        attacker: [
            "UPDATE pgagent.pga_job SET jobname = 'x', jobdesc = '@timeout 5 min'",
            "UPDATE pgagent.pga_job SET jobnextrun = NULL",
            "UPDATE pgagent.pga_schedule SET jscjobid = (SELECT min(jobid) FROM pgagent.pga_job)",
            "INSERT INTO pgagent.pga_joblog (jlgjobid, jlgstatus) SELECT jobid, 'r' FROM pgagent.pga_job",
            "DELETE FROM pgagent.pga_schedule",
            f"DELETE FROM pgagent.pga_job WHERE jobid <> {job}",
        ],
        "alice ": [f"SELECT pgagent_py.drop_job({job})"],
    }.items():
        with login(address, role.strip()) as session:
            for statement in statements:
                try:
                    session.execute(statement.encode())
                    states.append("")
                except psycopg.Error as error:
                    states.append(error.sqlstate or "?")
    return states


@pytest.mark.parametrize("kind", [*BY_PRIVILEGE, *(f"owner: {kind}" for kind in BY_OWNER)])
def test_code_of_others_is_not_executed_with_our_rights(server: Cluster, stage: Db, kind: str) -> None:
    with login(server.conninfo("stage"), "alice") as alice:
        job = add_job(alice, "hers", "SELECT 1", cron="@yearly", timezone="Europe/Paris")
        role, command = "editor", BY_PRIVILEGE.get(kind, "")
        if not command:
            role, command = "dbowner", BY_OWNER[kind.removeprefix("owner: ")]
            stage.execute("ALTER SCHEMA pgagent OWNER TO dbowner; ALTER DATABASE stage OWNER TO dbowner")
            stage.execute("GRANT ALL ON SCHEMA spy TO dbowner")
            for (owned,) in rows(stage, OWNED.format(role=role)):
                stage.execute(owned.encode())
        with login(server.conninfo("stage"), role) as session:
            session.execute(command.format(table="pga_job").encode())
        stage.execute("SELECT setval('spy.seen', 1, false)")
        states = act(server, job, role)
        assert rows(stage, RULED) == []
        # A policy does not hold for superusers: it is no reason to stop.
        refused = "" if kind == "owner: policy" else "42501"
        if kind != "owner: another table of the name":
            assert states[0] == refused, states


# Commands that pass by the locks that a change of a table takes.
PASSING_BY = (
    "CREATE TABLE spy.child () INHERITS (pgagent.pga_job)",
    "CREATE STATISTICS spy.spy ON (lower(jobname)), jobid FROM pgagent.pga_job",
    "CREATE FUNCTION pgagent.spy() RETURNS text LANGUAGE sql RETURN 'x'",
    "ALTER SCHEMA pgagent RENAME TO before",
)


def test_nothing_is_hung_between_the_look_and_the_end_of_a_transaction(server: Cluster, stage: Db) -> None:
    """And a transaction with an old snapshot, which would not see it, is refused, also if it only reads."""
    stage.execute("ALTER SCHEMA pgagent OWNER TO dbowner; ALTER DATABASE stage OWNER TO dbowner")
    stage.execute("GRANT ALL ON SCHEMA spy TO dbowner; ALTER TABLE pgagent.pga_job OWNER TO dbowner")
    address = server.conninfo("stage")
    with login(address, "alice") as alice, login(address, "dbowner") as dbowner:
        dbowner.execute("SET lock_timeout = '200 ms'")
        alice.execute("BEGIN")
        add_job(alice, "hers", "SELECT 1")
        for command in PASSING_BY:
            with pytest.raises(psycopg.errors.LockNotAvailable):
                dbowner.execute(command.encode())
        dbowner.execute("CREATE SCHEMA another")
        alice.execute("COMMIT")
        alice.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        alice.execute("SELECT 1")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction, match="old snapshot"):
            alice.execute("SELECT pgagent_py._waiting_jobs()")
        alice.execute("ROLLBACK")


# Functions with the owner's rights that use no table of pgAgent's, and those whose Python looks.
NEED_NO_LOOK = {
    *(
        "_backend_start",
        "_check_served",
        "default_timezone",
        "_note_order",
        "_meet_dependencies",
        "_forget_origins",
    ),
    *("_keep_ids", "_note_ddl", "_note_exception", "_note_calendar", "_give_back_right", "_write_rows"),
    *("_handle_request", "_turn"),
}


def test_every_function_with_the_owners_rights_looks(stage: Db) -> None:
    query = """
        SELECT p.proname FROM pg_proc p
         WHERE p.pronamespace = 'pgagent_py'::regnamespace AND p.prosecdef
           AND p.prosrc !~ 'PERFORM pgagent_py._refuse_foreign_code\\(\\)|ground.foreign.refuse_here'"""
    assert {name for (name,) in rows(stage, query)} == NEED_NO_LOOK


def test_it_goes_on_when_the_code_is_gone(server: Cluster, stage: Db, launcher: StartLauncher) -> None:
    """A launcher waits meanwhile; a session that has an old snapshot is refused; triggers of superusers are legitimate."""
    stage.execute("CREATE TABLE audit (job int)")
    stage.execute(
        """CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN INSERT INTO public.audit VALUES (NEW.jobid); RETURN NULL; END $$"""
    )
    stage.execute(
        """CREATE TRIGGER audit AFTER UPDATE ON pgagent.pga_job FOR EACH ROW
           WHEN (OLD.jobagentid IS NULL AND NEW.jobagentid IS NOT NULL AND NEW.joblastrun <= now()) EXECUTE FUNCTION audit()"""
    )
    agent = serving(launcher("-l", "2", "-r", "1", server.conninfo("stage")))
    address = server.conninfo("stage")
    with login(address, "alice") as alice, login(address, "editor") as editor:
        job = add_job(alice, "hers", "SELECT 1")
        make_due(stage, job)
        wait_for_end(stage, job)
        assert rows(stage, "SELECT job FROM audit") == [(job,)]
        alice.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        alice.execute("SELECT 1")
        editor.execute(BY_PRIVILEGE["trigger"].format(table="pga_jobstep").encode())
        with pytest.raises(psycopg.errors.SerializationFailure):
            add_job(alice, "by an old snapshot", "SELECT 1")
        alice.execute("ROLLBACK")
        versions = rows(stage, "SELECT version FROM pgagent_py.code_version")
        with stage.transaction(force_rollback=True):
            stage.execute("ALTER TABLE pgagent.pga_job ALTER jobdesc SET STATISTICS 10")
            versions += rows(stage, "SELECT version FROM pgagent_py.code_version")
        stage.execute("ALTER TABLE pgagent.pga_job ALTER jobdesc SET STATISTICS 20")
        versions += rows(stage, "SELECT version FROM pgagent_py.code_version")
        assert len(set(versions)) == 3  # the id of a transaction that was rolled back does not come again
        with pytest.raises(
            psycopg.errors.InsufficientPrivilege, match=r"trigger spy on pgagent\.pga_jobstep"
        ):
            add_job(alice, "late", "SELECT 1")
        agent.wait_for_log("trigger spy on pgagent.pga_jobstep")
        stage.execute("DROP TRIGGER spy ON pgagent.pga_jobstep")
        make_due(stage, job)
        wait_for_end(stage, job)
        assert rows(stage, RULED) == []
    stop(agent)


def test_the_extension_is_not_built_on_what_others_own(server: Cluster, stage: Db) -> None:
    """It says whose; and the code is not executed by CREATE EXTENSION itself."""
    stage.execute("DROP EXTENSION pgagent_py")
    trigger = BY_PRIVILEGE["trigger"].format(table="pga_job")
    with login(server.conninfo("stage"), "editor") as editor:
        editor.execute(trigger.encode())
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"trigger spy on pgagent\.pga_job "):
        stage.execute("CREATE EXTENSION pgagent_py")
    stage.execute("DROP EXTENSION pgagent; DROP SCHEMA pgagent CASCADE")
    stage.execute("CREATE SCHEMA pgagent AUTHORIZATION dbowner; CREATE EXTENSION pgagent")
    stage.execute("ALTER FUNCTION pgagent.pga_job_trigger() OWNER TO dbowner")
    with pytest.raises(
        psycopg.errors.InsufficientPrivilege, match=r"pga_job_trigger\(\) belongs to role dbowner"
    ):
        stage.execute("CREATE EXTENSION pgagent_py")
    stage.execute("ALTER FUNCTION pgagent.pga_job_trigger() OWNER TO postgres; CREATE EXTENSION pgagent_py")
    assert value(stage, "SELECT pgagent_py.add_job('x', sql => 'SELECT 1')")
    assert run_due(stage) == []


@pytest.mark.parametrize("kind", ["trigger", "owner: index of a constant"])
def test_an_update_executes_no_code_of_others(server: Cluster, stage: Db, tmp_path: Path, kind: str) -> None:
    """A database of version 1.0.0, which has not looked for it, is refused until the code is gone."""
    install_released("1.0.0", tmp_path)
    stage.execute("DROP EXTENSION pgagent_py; CREATE EXTENSION pgagent_py VERSION '1.0.0'")
    stage.execute("SELECT pgagent_py.add_job('a', sql => 'SELECT 1', cron => '@yearly')")
    role, command = "editor", BY_PRIVILEGE["trigger"].format(table="pga_job")
    if kind != "trigger":
        role, command = "dbowner", BY_OWNER["index of a constant"]
        for (owned,) in rows(stage, OWNED.format(role=role)):
            stage.execute(owned.encode())
        stage.execute("ALTER SCHEMA pgagent OWNER TO dbowner; GRANT ALL ON SCHEMA spy TO dbowner")
    with login(server.conninfo("stage"), role) as session:
        session.execute(command.encode())
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        stage.execute("ALTER EXTENSION pgagent_py UPDATE")
    assert rows(stage, RULED) == []
    version = "SELECT extversion FROM pg_extension WHERE extname = 'pgagent_py'"
    assert value(stage, version) == "1.0.0"
    stage.execute("DROP INDEX IF EXISTS pgagent.spy; DROP TRIGGER IF EXISTS spy ON pgagent.pga_job")
    for (owned,) in rows(stage, OWNED.format(role="postgres")):
        stage.execute(owned.encode())
    stage.execute("ALTER EXTENSION pgagent_py UPDATE")
    assert value(stage, version) != "1.0.0"
    assert rows(stage, RULED) == []
