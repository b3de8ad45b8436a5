"""ALTER EXTENSION UPDATE, shown with a next version that is made of a changed copy of this tree."""

import difflib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from sql.render.scripts import read_version
from tests.helpers import Cluster, pg_config

TOP = Path(__file__).resolve().parents[2]
NOW = read_version(TOP)
NEXT = "999.0.0"
NEW_TABLE = "CREATE TABLE pgagent_py.from_next_version (note text);\n"
UNKNOWN_JOB = "SELECT pgagent_py.run_now(-1)"


def make_next_version(tree: Path) -> None:
    """Turn a copy of the checkout into NEXT: a table more, and other words in Python errors."""
    control = tree / "pgagent_py.control"
    control.write_text(control.read_text().replace(f"'{NOW}'", f"'{NEXT}'"))
    (tree / "sql/tables/from_next_version.sql").write_text(NEW_TABLE)
    (tree / "sql/updates").mkdir(exist_ok=True)
    (tree / f"sql/updates/{NOW}--{NEXT}.sql").write_text(NEW_TABLE)
    for module in (tree / "plpython").glob("*.py"):
        module.write_text(module.read_text().replace("does not exist", "is in no table"))


@pytest.fixture(scope="module", autouse=True)
def next_version(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Install NEXT's scripts beside this version's, which stays the default one.

    They stay: other processes of the same test run may install and use them at this moment.
    """
    tree = tmp_path_factory.mktemp("next") / "tree"
    for part in ("sql", "plpython"):
        shutil.copytree(TOP / part, tree / part)
    shutil.copy(TOP / "pgagent_py.control", tree)
    make_next_version(tree)
    render = [sys.executable, str(tree / "sql/render.py")]
    subprocess.run(render, check=True)
    subprocess.run([*render, "--update", NOW], check=True)
    directory = pg_config("--sharedir") / "extension"
    scripts = list(tree.glob("pgagent_py--*.sql"))
    assert len(scripts) == 2
    for script in scripts:
        partial = shutil.copy(script, directory / f"{script.name}.{os.getpid()}")
        Path(partial).replace(directory / script.name)


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


def dump_of_members(cluster: Cluster, dbname: str) -> str:
    """Return the definitions of all objects, those of the extension too, without what no two databases share."""
    dump = cluster.run("pg_dump", "--schema-only", "--binary-upgrade", dbname).stdout
    # A dump's random guard, and the object and transaction ids that pg_upgrade would preserve
    dump = re.sub(
        r"(?m)^(\\(un)?restrict|SELECT pg_catalog\.binary_upgrade_set_|-- For binary).*\n", "", dump
    )
    dump = re.sub(r"'\{?\d+(,\d+)*\}?'", "'number'", dump)
    # The extensions that this one requires stand in the order in which pg_depend happens to give them
    return re.sub(r"ARRAY\['plpython3u','pgagent'\]", "ARRAY['pgagent','plpython3u']", dump)


def test_updated_database_equals_a_fresh_one(cluster: Cluster, database: str, bare_database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(f"ALTER EXTENSION pgagent_py UPDATE TO '{NEXT}'")
    with psycopg.connect(bare_database) as connection:
        connection.execute(f"CREATE EXTENSION pgagent_py VERSION '{NEXT}' CASCADE")
    dumps = []
    for conninfo in (database, bare_database):
        dumps.append(dump_of_members(cluster, str(psycopg.conninfo.conninfo_to_dict(conninfo)["dbname"])))
    updated, fresh = dumps
    assert "CREATE TABLE pgagent_py.from_next_version" in fresh
    assert "is in no table" in fresh
    assert list(difflib.unified_diff(fresh.splitlines(), updated.splitlines(), lineterm="")) == []
