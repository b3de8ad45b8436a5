"""Owners in job definitions as JSON."""

import psycopg
import pytest

from tests.helpers import Db
from tests.helpers.transfer import export, import_


def test_an_owner_that_was_renamed_is_exported_by_its_name(db: Db) -> None:
    db.execute("CREATE ROLE import_owner LOGIN")
    try:
        db.execute("SELECT pgagent_py.alter_job(pgagent_py.add_job('a'), owner => 'import_owner')")
        db.execute("ALTER ROLE import_owner RENAME TO import_owner_b")
        assert export(db)["jobs"]["a"]["owner"] == "import_owner_b"
    finally:
        db.execute("DROP ROLE IF EXISTS import_owner, import_owner_b")


def test_owner_and_run_as_are_checked_against_the_steps_of_the_document(db: Db) -> None:
    db.execute("CREATE ROLE importer_owner LOGIN IN ROLE pgagent_py_user")
    try:
        db.execute("SELECT pgagent_py.add_job('x', sql => 'SELECT 1')")
        db.execute("SELECT pgagent_py.add_step(1, 'remote', sql => 'SELECT 1', connstr => 'dbname=x')")
        document = export(db)
        document["jobs"]["x"]["owner"] = "importer_owner"
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="can't have a connstr"):
            import_(db, document)
        document["jobs"]["x"]["steps"] = [{"name": "local", "sql": "SELECT 1"}]
        assert import_(db, document)["x"][0] == "change"
        document["jobs"]["x"]["steps"] = [{"name": "script", "batch": "true"}]
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="pgagent_py_batch"):
            import_(db, document)
        del document["jobs"]["x"]["owner"]
        assert import_(db, document)["x"][0] == "change"
    finally:
        db.execute("SELECT pgagent_py.drop_job(jobid) FROM pgagent.pga_job")
        db.execute("DROP ROLE importer_owner")
