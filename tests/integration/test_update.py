"""ALTER EXTENSION UPDATE to versions that do not exist yet: changed copies of this checkout."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from sql.render.scripts import read_version
from tests.helpers import Cluster
from tests.helpers.updates import TOP, copy_of_checkout, differences, install_scripts, release, render, rights

NOW = read_version(TOP)
# NEXT has another table, function and view, an argument and a column more, other words in Python errors; LATER has
# neither that table's trigger, nor that function and view.
NEXT, LATER = "999.0.0", "999.1.0"
UNKNOWN_JOB = "SELECT pgagent_py.run_now(-1)"

NEW_TABLE = "CREATE TABLE pgagent_py.from_next_version (note text);\n"
NEW_FUNCTION = """
CREATE OR REPLACE FUNCTION pgagent_py._note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
COMMENT ON FUNCTION pgagent_py._note() IS 'Of the next version.';
"""
NEW_VIEW = "CREATE OR REPLACE VIEW pgagent_py.notes AS SELECT f.note FROM pgagent_py.from_next_version f;\n"
NEW_TRIGGER = """
DROP TRIGGER IF EXISTS note ON pgagent_py.from_next_version;
CREATE TRIGGER note BEFORE INSERT ON pgagent_py.from_next_version
    FOR EACH ROW EXECUTE FUNCTION pgagent_py._note();
"""
DROPPED_LATER = ("sql/functions/_note.sql", "sql/triggers/from_next_version.sql", "sql/views/notes.sql")


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, f"{path} has no {old!r}"
    path.write_text(text.replace(old, new))


def make_next_version(tree: Path) -> None:
    (tree / "sql/tables/from_next_version.sql").write_text(NEW_TABLE)
    (tree / f"sql/updates/{NOW}--{NEXT}.sql").write_text('{{ new("tables/from_next_version") }}\n')
    for name, text in zip(DROPPED_LATER, (NEW_FUNCTION, NEW_TRIGGER, NEW_VIEW), strict=True):
        (tree / name).write_text(text)
    zone = tree / "sql/functions/default_timezone.sql"
    edit(zone, "default_timezone() RETURNS", "default_timezone(upper boolean DEFAULT false) RETURNS")
    edit(
        zone, "FUNCTION pgagent_py.default_timezone() IS", "FUNCTION pgagent_py.default_timezone(boolean) IS"
    )
    edit(
        tree / "sql/views/limits.sql",
        "\n  FROM pgagent_py.job_limit",
        ", 1 AS from_next_version\n  FROM pgagent_py.job_limit",
    )
    for module in (tree / "plpython").rglob("*.py"):
        module.write_text(module.read_text().replace("does not exist", "is in no table"))


@pytest.fixture(scope="module", autouse=True)
def later_versions(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Install the scripts of NEXT and LATER beside this version's, which stays the default one."""
    tree = copy_of_checkout(tmp_path_factory.mktemp("later") / "tree")
    release(tree, NEXT)
    make_next_version(tree)
    render(tree)
    render(tree, "--update", NOW)
    install_scripts(*tree.glob("pgagent_py--*.sql"))
    release(tree, LATER)
    for name in DROPPED_LATER:
        (tree / name).unlink()
    render(tree)
    render(tree, "--update", NOW)  # the frozen one
    render(tree, "--update", NEXT)
    install_scripts(*tree.glob("pgagent_py--*.sql"))


def error_of_unknown_job(connection: psycopg.Connection) -> str:
    with pytest.raises(psycopg.Error) as caught, connection.transaction():
        connection.execute(UNKNOWN_JOB)
    return str(caught.value)


def version(connection: psycopg.Connection) -> str:
    row = connection.execute("SELECT pgagent_py.version()").fetchone()
    assert row
    return str(row[0])


def test_open_session_takes_up_the_new_code_and_keeps_the_jobs(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as open_session, psycopg.connect(database) as updating:
        open_session.execute("SELECT pgagent_py.add_job('nightly', cron => '0 3 * * *', sql => 'SELECT 1')")
        before = open_session.execute("SELECT * FROM pgagent_py.next_runs(1, 20, 'epoch')").fetchall()
        assert len(before) == 20
        assert "does not exist" in error_of_unknown_job(open_session)
        assert version(open_session).startswith(f"{NOW}+")

        updating.execute(f"ALTER EXTENSION pgagent_py UPDATE TO '{NEXT}'")
        updating.commit()

        assert version(open_session).startswith(f"{NEXT}+")
        assert "is in no table" in error_of_unknown_job(open_session)
        assert open_session.execute("SELECT * FROM pgagent_py.next_runs(1, 20, 'epoch')").fetchall() == before
        assert open_session.execute("TABLE pgagent_py.from_next_version").fetchall() == []


def test_update_that_is_rolled_back_leaves_the_session_with_the_old_code(database: str) -> None:
    with psycopg.connect(database) as connection:
        old = version(connection)
        connection.execute(f"ALTER EXTENSION pgagent_py UPDATE TO '{NEXT}'")
        assert "is in no table" in error_of_unknown_job(connection)
        connection.rollback()
        assert version(connection) == old
        assert "does not exist" in error_of_unknown_job(connection)


@pytest.mark.parametrize("target", [NEXT, LATER])
def test_updated_database_equals_a_fresh_one(
    cluster: Cluster, database: str, bare_database: str, target: str
) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(f"ALTER EXTENSION pgagent_py UPDATE TO '{target}'")
    with psycopg.connect(bare_database) as connection:
        connection.execute(f"CREATE EXTENSION pgagent_py VERSION '{target}' CASCADE")
        assert connection.execute("SELECT pgagent_py.default_timezone()").fetchone() is not None
        assert connection.execute("SELECT l.from_next_version FROM pgagent_py.limits l").fetchall() == []
        views = connection.execute("SELECT to_regclass('pgagent_py.notes') IS NOT NULL").fetchone()
        assert views == (target == NEXT,)
    assert differences(cluster, bare_database, database) == []


@contextmanager
def roles(cluster: Cluster, *names: str) -> Iterator[None]:
    with cluster.connect() as db:
        for name in names:
            db.execute(f"CREATE ROLE {name}".encode())
        try:
            yield
        finally:
            for name in names:
                db.execute(f"DROP ROLE {name}".encode())


USERS_RIGHTS = """
    REVOKE EXECUTE ON FUNCTION pgagent_py.default_timezone() FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION pgagent_py.default_timezone() TO updated_ann WITH GRANT OPTION;
    SET ROLE updated_ann; GRANT EXECUTE ON FUNCTION pgagent_py.default_timezone() TO updated_ben; RESET ROLE;
    REVOKE EXECUTE ON FUNCTION pgagent_py.add_job FROM PUBLIC;
    REVOKE SELECT ON pgagent_py.run_history FROM PUBLIC; GRANT SELECT ON pgagent_py.run_history TO updated_ann;
    GRANT SELECT (name) ON pgagent_py.setting TO updated_ben;
    GRANT INSERT, SELECT ON pgagent_py.calendar TO updated_ben;
    GRANT USAGE ON SEQUENCE pgagent_py.message_msgid_seq TO updated_ben;
    GRANT CREATE ON SCHEMA pgagent_py TO updated_ben;
    REVOKE USAGE ON SCHEMA pgagent_py FROM PUBLIC; GRANT USAGE ON SCHEMA pgagent_py TO updated_ann, updated_ben;
"""


@pytest.mark.parametrize("target", [NEXT, LATER])
def test_rights_of_users_outlive_update_dump_and_restore(
    cluster: Cluster, database: str, bare_database: str, target: str
) -> None:
    with roles(cluster, "updated_ann", "updated_ben"):
        with psycopg.connect(database, autocommit=True) as db:
            db.execute(USERS_RIGHTS)
            before = rights(db)
            assert ("pgagent_py.default_timezone", "updated_ben", "EXECUTE", False) in before
            assert ("pgagent_py.setting.name", "updated_ben", "SELECT", False) in before
            assert not any(name == "pgagent_py.add_job" for name, *_ in before)
            db.execute(f"ALTER EXTENSION pgagent_py UPDATE TO '{target}'")
            updated = rights(db)
            new_function = {("pgagent_py._note", "PUBLIC", "EXECUTE", False)}
            assert updated - new_function == before
            assert db.execute("SELECT count(*) FROM pgagent_py.kept_right").fetchone() == (0,)
            dump = cluster.run("pg_dump", db.info.dbname).stdout
        create = "EXTENSION IF NOT EXISTS pgagent_py WITH SCHEMA public"
        assert create in dump
        dump = dump.replace(create, f"{create} VERSION '{target}'")
        with psycopg.connect(bare_database, autocommit=True) as restored:
            options = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", restored.info.dbname]
            cluster.run("psql", *options, input=dump)
            assert rights(restored) == updated
        for conninfo in (database, bare_database):
            with psycopg.connect(conninfo, autocommit=True) as db:
                db.execute("DROP OWNED BY updated_ann, updated_ben")


def test_views_of_users_over_ours_outlive_the_update(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("CREATE VIEW public.places AS SELECT l.*, now() AS at FROM pgagent_py.limits l")
        db.execute("SELECT pgagent_py.set_limit(\"group\" => 'g', running => 2)")
        db.execute(f"ALTER EXTENSION pgagent_py UPDATE TO '{NEXT}'")
        assert db.execute("SELECT p.group, p.running FROM public.places p").fetchall() == [("g", 2)]
        assert db.execute("SELECT l.from_next_version FROM pgagent_py.limits l").fetchall() == [(1,)]


@pytest.mark.parametrize(
    ("use", "start", "target", "gone"),
    [
        (
            "CREATE VIEW public.mine AS SELECT pgagent_py.default_timezone() AS zone",
            None,
            NEXT,
            "function pgagent_py.default_timezone() ",
        ),
        (
            "CREATE VIEW public.mine AS SELECT n.note FROM pgagent_py.notes n",
            NEXT,
            LATER,
            "view pgagent_py.notes ",
        ),
    ],
    ids=["a function with another argument", "a view that is gone"],
)
def test_what_a_user_has_built_on_something_replaced_is_named_and_nothing_changes(
    database: str, use: str, start: str | None, target: str, gone: str
) -> None:
    with psycopg.connect(database, autocommit=True) as db:
        if start:
            db.execute(f"ALTER EXTENSION pgagent_py UPDATE TO '{start}'".encode())
        db.execute(use.encode())
        old = version(db)
        with pytest.raises(psycopg.errors.DependentObjectsStillExist) as caught:
            db.execute(f"ALTER EXTENSION pgagent_py UPDATE TO '{target}'".encode())
        assert str(caught.value).startswith(gone)
        assert "view public.mine depends on" in str(caught.value.diag.message_detail)
        assert "Drop what is named here" in str(caught.value.diag.message_hint)
        assert version(db) == old
        db.execute("DROP VIEW public.mine")
        db.execute(f"ALTER EXTENSION pgagent_py UPDATE TO '{target}'".encode())
        assert version(db).startswith(f"{target}+")
