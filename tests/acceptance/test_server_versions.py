"""What each version of PostgreSQL gives, as docs/platforms.md says: it is used where it is there, and missed nowhere."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.conftest import StartLauncher
from tests.helpers import Cluster, Db, add_job, alter_job, output, run_to_end, value

TOP = Path(__file__).resolve().parents[2]


@pytest.fixture
def alice(cluster: Cluster, db: Db, launcher: StartLauncher) -> Iterator[Db]:
    """Return a connection of a role that may have jobs; a launcher runs them."""
    db.execute("CREATE ROLE alice LOGIN; CREATE ROLE team LOGIN; GRANT pgagent_py_user TO alice, team")
    launcher("-l", "1", cluster.conninfo(db.info.dbname))
    with psycopg.connect(cluster.conninfo(db.info.dbname, user="alice"), autocommit=True) as connection:
        yield connection
    db.execute("DROP OWNED BY alice, team; DROP ROLE alice, team")


def has(db: Db, version: int, command: str) -> bool:
    """Execute what a server has from *version* on; return whether this one has it. Another one must refuse it."""
    if db.info.server_version >= version * 10_000:
        db.execute(command.encode())
        return True
    with pytest.raises((psycopg.errors.SyntaxError, psycopg.errors.UndefinedObject)):
        db.execute(command.encode())
    return False


def output_of(db: Db, job: int) -> str:
    """Run a job; return its output."""
    run_to_end(db, job)
    return output(db, job)


def test_an_owners_steps_have_their_roles_limits_and_rights(db: Db, alice: Db) -> None:
    db.execute("CREATE TABLE others (a int)")
    job = add_job(alice, "vacuum", "VACUUM others")
    assert "skipping" in output_of(db, job)
    if has(db, 17, "GRANT MAINTAIN ON others TO alice"):
        assert "skipping" not in output_of(db, job)
    if has(db, 17, "ALTER ROLE team SET transaction_timeout = '2s'"):
        slow = add_job(db, "slow", "SELECT pg_sleep(3600)")
        alter_job(db, slow, owner="team")
        assert run_to_end(db, slow).status == "f"
        assert "transaction timeout" in output(db, slow)


def test_a_membership_counts_as_the_server_has_it(db: Db, alice: Db) -> None:
    job = add_job(alice, "job", "DO $$ BEGIN RAISE NOTICE 'I am %', current_user; END $$")

    def run_as_team() -> str:
        alter_job(alice, job, run_as="team")
        return output_of(db, job)

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        run_as_team()
    db.execute("GRANT team TO alice")
    assert "I am team" in run_as_team()
    if has(db, 16, "GRANT team TO alice WITH SET FALSE"):
        assert value(db, "SELECT pg_has_role('alice', 'team', 'MEMBER')")
        assert run_to_end(db, job).status == "f"
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            run_as_team()


def test_the_extension_may_be_in_a_directory_of_ones_own(bare_database: str, tmp_path: Path) -> None:
    """For which `make install` needs no root."""
    with psycopg.connect(bare_database, autocommit=True) as db:
        if not has(db, 18, "SET extension_control_path = '$system'"):
            return
        subprocess.run(["make", "--silent", "install", f"prefix={tmp_path}"], cwd=TOP, check=True)
        (control,) = tmp_path.rglob("pgagent_py.control")
        control.write_text(control.read_text().replace("comment = '", "comment = 'of our own: "))
        db.execute(f"SET extension_control_path = '{control.parent.parent}:$system'".encode())
        db.execute("CREATE EXTENSION pgagent_py CASCADE")
        comment = "SELECT obj_description(oid, 'pg_extension') FROM pg_extension WHERE extname = 'pgagent_py'"
        assert value(db, comment).startswith("of our own")
