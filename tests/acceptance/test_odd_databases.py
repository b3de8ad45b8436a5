"""Databases with settings and encodings of their own."""

from tests.conftest import TEMPLATE, StartLauncher
from tests.helpers import (
    Cluster,
    add_yearly_job,
    make_due,
    output,
    serving,
    statuses,
    stop,
    wait_for_end,
)


def test_settings_of_the_database_do_not_disturb_the_launcher(
    own_cluster: Cluster, launcher: StartLauncher
) -> None:
    """What a role or database sets for other sessions does not disturb the control connection."""
    with own_cluster.connect(TEMPLATE) as db:
        for setting in (
            "statement_timeout = 3000", "lock_timeout = 1", "default_transaction_read_only = on",
            "default_transaction_isolation = serializable", "synchronous_commit = off", "idle_session_timeout = 3000",
        ):  # fmt: skip
            db.execute(f"ALTER DATABASE {TEMPLATE} SET {setting}".encode())
        agent = serving(launcher("-l", "2", own_cluster.conninfo(TEMPLATE)))
        job = add_yearly_job(db, "a", {"batch": "sleep 5"}, {"batch": "exit 0"})
        make_due(db, job)
        wait_for_end(db, job)
        assert statuses(db, job) == [("s", "ss")]
        assert "trying again" not in agent.log_text()


def test_characters_that_the_database_cannot_store_are_replaced(
    cluster: Cluster, launcher: StartLauncher
) -> None:
    """In a database that is not UTF-8 the characters that it does not have are replaced; the launcher goes on."""
    with cluster.connect() as server:
        server.execute("CREATE DATABASE latin1 TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    try:
        with cluster.connect("latin1") as db:
            db.execute("CREATE EXTENSION pgagent_py CASCADE")
            agent = serving(launcher("-l", "2", cluster.conninfo("latin1")))
            job = add_yearly_job(db, "caf\u00e9", {"batch": r"printf 'caf\303\251 \342\202\254\n'"})
            make_due(db, job)
            wait_for_end(db, job)
            assert statuses(db, job) == [("s", "s")]
            assert output(db, job) == "caf\u00e9 ?\n"
            stop(agent)
    finally:
        with cluster.connect() as server:
            server.execute("DROP DATABASE latin1 WITH (FORCE)")
