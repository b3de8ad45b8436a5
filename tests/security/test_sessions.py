"""A step that takes no cancel request: its session ends before the log says so, or the log says that it may go on."""

from pathlib import Path

import pytest

from tests.conftest import StartLauncher
from tests.helpers import (
    Cluster,
    Db,
    add_job,
    call,
    output,
    run_now,
    serving,
    stop,
    value,
    wait_for,
    wait_for_end,
)

# It catches cancel requests, and does not let the server look whether its client is still there.
STUBBORN = """
SET client_connection_check_interval = 0;
DO $$ BEGIN LOOP
    BEGIN
        BEGIN PERFORM pg_sleep(600), 'stubborn'; EXCEPTION WHEN query_canceled THEN PERFORM pg_sleep(0.02); END;
    EXCEPTION WHEN query_canceled THEN NULL; END;
END LOOP; END $$"""
# It calls nothing of the server.
DEAF = """
SET client_connection_check_interval = 0;
DO LANGUAGE plpython3u $$ # stubborn
import os, time
while not os.path.exists('{gate}'): time.sleep(0.05)
$$"""
SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%stubborn%' AND pid <> pg_backend_pid()"
# What the log held when the session was still there
WITNESS = """
CREATE TABLE public.witness (sessions bigint);
CREATE FUNCTION public.witness() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN
    INSERT INTO public.witness SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%stubborn%' AND pid <> pg_backend_pid();
    RETURN NULL; END $f$;
CREATE TRIGGER witness AFTER UPDATE ON pgagent.pga_jobsteplog FOR EACH ROW
    WHEN (OLD.jslstatus = 'r' AND NEW.jslstatus IN ('d', 'f')) EXECUTE FUNCTION public.witness()"""


@pytest.mark.parametrize("owner", ["alice", "nobody", "remote"])
@pytest.mark.parametrize("how", ["cancel", "timeout"])
def test_the_session_has_ended_when_the_log_says_so(
    server: Cluster, admin: Db, alice: Db, launcher: StartLauncher, owner: str, how: str
) -> None:
    admin.execute(WITNESS)
    agent = serving(launcher("-l", "2", server.conninfo("jobs")))
    db = alice if owner == "alice" else admin
    job = add_job(
        db,
        "stubborn",
        {"sql": STUBBORN} | ({"connstr": server.conninfo("jobs")} if owner == "remote" else {}),
    )
    step = value(admin, "SELECT jstid FROM pgagent.pga_jobstep WHERE jstjobid = %s", job)
    if how == "timeout":
        call(db, "alter_step", step, timeout="2 s")
    run_now(db, job)
    wait_for(lambda: value(admin, SESSIONS) == 1, what="the session")
    if how == "cancel":
        call(db, "cancel_run", value(admin, "SELECT max(jlgid) FROM pgagent.pga_joblog"))
    wait_for_end(admin, job)
    assert admin.execute("SELECT * FROM public.witness").fetchall() == [(0,)], output(admin, job)
    assert "did not react to cancel requests" in output(admin, job)
    assert "may go on" not in output(admin, job)
    stop(agent)
    admin.execute("DROP TABLE public.witness; DROP FUNCTION public.witness CASCADE")


def test_a_session_that_nothing_ends_is_said_to_go_on(
    server: Cluster, admin: Db, launcher: StartLauncher, tmp_path: Path
) -> None:
    gate = tmp_path / "go"
    agent = serving(launcher("-l", "2", server.conninfo("jobs")))
    job = add_job(admin, "deaf", {"sql": DEAF.replace("{gate}", str(gate))})
    run_now(admin, job)
    wait_for(lambda: value(admin, SESSIONS) == 1, what="the session")
    call(admin, "cancel_run", value(admin, "SELECT max(jlgid) FROM pgagent.pga_joblog"))
    wait_for_end(admin, job)
    assert value(admin, SESSIONS) == 1
    assert "The session may go on at the server: it does not react to that either." in output(admin, job)
    gate.touch()
    wait_for(lambda: value(admin, SESSIONS) == 0, what="the end of the session")
    stop(agent)


def test_a_role_without_a_free_connection_is_told_so(
    server: Cluster, admin: Db, alice: Db, launcher: StartLauncher
) -> None:
    """The second connection is the role's, too; what the server says stands in the log."""
    agent = serving(launcher("-l", "2", server.conninfo("jobs")))
    job = add_job(alice, "stubborn", {"sql": STUBBORN})
    run_now(alice, job)
    wait_for(lambda: value(admin, SESSIONS) == 1, what="the session")
    admin.execute("ALTER ROLE alice CONNECTION LIMIT 0")
    try:
        call(alice, "cancel_run", value(admin, "SELECT max(jlgid) FROM pgagent.pga_joblog"))
        wait_for_end(admin, job)
        assert "may go on at the server: " in output(admin, job)
        assert "too many connections for role" in output(admin, job)
    finally:
        admin.execute("ALTER ROLE alice CONNECTION LIMIT -1")
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%stubborn%' AND usename = 'alice'"
        )
    stop(agent)
