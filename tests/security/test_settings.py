"""What is set for the database or for the launcher's role keeps no launcher from serving. Steps keep what is set for them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import StartLauncher
from tests.helpers import Cluster, Db, add_job, add_yearly_job, call, output, run_to_end, serving, stop, value

SHORT = dict.fromkeys(
    ("statement_timeout", "lock_timeout", "idle_session_timeout", "idle_in_transaction_session_timeout"),
    "1ms",
) | {"client_min_messages": "error"}
ODD = {
    "default_transaction_read_only": "on",
    "default_transaction_isolation": "serializable",
    "default_transaction_deferrable": "on",
    "row_security": "off",
    "client_encoding": "LATIN1",
    "DateStyle": "German, DMY",
    "IntervalStyle": "sql_standard",
    "TimeZone": "Asia/Kathmandu",
    "search_path": "nowhere",
    "standard_conforming_strings": "off",
    "array_nulls": "off",
    "extra_float_digits": "-15",
    "bytea_output": "escape",
    "transform_null_equals": "on",
    "quote_all_identifiers": "on",
    "synchronous_commit": "off",
    "plan_cache_mode": "force_custom_plan",
    "enable_indexscan": "off",
    "enable_seqscan": "off",
    "join_collapse_limit": "1",
}
ALICES = {"statement_timeout": "55s", "lock_timeout": "54s", "DateStyle": "SQL, DMY", "search_path": "hers",
          "default_transaction_isolation": "serializable", "default_transaction_read_only": "on"}  # fmt: skip
SHOW = "DO $$ BEGIN RAISE NOTICE 'it is %', current_setting('{}'); END $$"


@pytest.fixture
def settings(admin: Db) -> Iterator[None]:
    """Set all of them for the database or for the launcher's role, and others for alice."""
    with admin.transaction():
        admin.execute("GRANT mallory TO starter; ALTER ROLE starter SET role TO mallory")
        for name, to in (SHORT | ODD).items():
            admin.execute(
                f"ALTER ROLE starter SET {name} TO {to if name == 'search_path' else repr(to)}".encode()
            )
        for name, to in (ODD | {"idle_session_timeout": "1h"}).items():
            admin.execute(
                f"ALTER DATABASE jobs SET {name} TO {to if name == 'search_path' else repr(to)}".encode()
            )
        for name, to in ALICES.items():
            admin.execute(
                f"ALTER ROLE alice SET {name} TO {to if name == 'search_path' else repr(to)}".encode()
            )
    yield
    admin.execute("SET default_transaction_read_only = off")
    for of in ("ROLE starter", "ROLE alice", "DATABASE jobs"):
        admin.execute(f"ALTER {of} RESET ALL".encode())
    admin.execute("REVOKE mallory FROM starter")


@pytest.mark.usefixtures("settings")
def test_the_launcher_serves_whatever_is_set_and_steps_keep_it(
    server: Cluster, admin: Db, alice: Db, launcher: StartLauncher, tmp_path: Path
) -> None:
    alice.execute(
        "SET default_transaction_read_only = off; SET default_transaction_isolation = 'read committed'"
    )
    agent = serving(launcher("-l", "2", server.conninfo("jobs", user="starter")))
    for name, to in ALICES.items():
        job = add_job(alice, f"hers {name}", {"sql": SHOW.format(name)})
        assert run_to_end(admin, job).status == "s", output(admin, job)
        assert f"it is {to}\n" in output(admin, job)
    batch = add_job(
        admin,
        "batch",
        {"batch": f"echo 'grün \u20ac' | tee {tmp_path}/done"},
        {"batch": "exit 3", "on_error": "ignore"},
    )
    call(admin, "alter_job", batch, parameters='{"a": [null, "\u20ac", "\\\\"]}')
    assert run_to_end(admin, batch).status == "s", output(admin, batch)
    assert output(admin, batch) == "grün \u20ac\n"
    # of no owner: as the launcher's role, with what is set for that
    nobodys = add_yearly_job(admin, "nobody's", {"sql": SHOW.format("IntervalStyle"), "on_error": "ignore"})
    run_to_end(admin, nobodys)
    assert value(admin, "SELECT jobnextrun > now() FROM pgagent.pga_job WHERE jobid = %s", nobodys)
    # It is asleep for longer than any of the timeouts, and does not come again.
    assert agent.log_text().count("action=serve") == 1
    assert "trying again" not in agent.log_text()
    stop(agent)


@pytest.mark.parametrize("how", ["PGOPTIONS", "service", "conninfo"])
def test_what_the_user_gives_as_options_is_kept(
    server: Cluster, admin: Db, launcher: StartLauncher, tmp_path: Path, how: str
) -> None:
    """A service has options of its own, which ours must not replace: then the launcher sets all later."""
    conninfo, env = server.conninfo("jobs"), {}
    if how == "PGOPTIONS":
        env = {"PGOPTIONS": "-c my.word=kept"}
    elif how == "service":
        (tmp_path / "services").write_text("[jobs]\noptions=-c my.word=kept -c statement_timeout=50\n")
        conninfo, env = f"{conninfo} service=jobs", {"PGSERVICEFILE": str(tmp_path / "services")}
    else:
        conninfo += " options='-c my.word=kept'"
    agent = serving(launcher("-l", "2", conninfo, env=env))
    job = add_job(admin, "word", {"sql": SHOW.format("my.word")})
    assert run_to_end(admin, job).status == "s", output(admin, job)
    assert "it is kept" in output(admin, job)
    stop(agent)
