"""Agents that die, are cut off, or are told to stop: no record is lost, no step runs twice, nothing is left behind."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import psutil
import psycopg
import pytest

from tests.conftest import TEMPLATE, StartLauncher
from tests.helpers import (
    PASSWORD,
    PATIENCE,
    Cluster,
    Db,
    add_yearly_job,
    agents,
    alive_at_closing,
    check_sound,
    is_gone,
    make_due,
    output,
    process_of,
    serving,
    statuses,
    stop,
    value,
    wait_for,
    wait_for_end,
    wait_for_row,
    wait_for_start,
    watch_processes,
)

SLEEPERS = """
    SELECT pid FROM pg_stat_activity
     WHERE datname = current_database() AND query = 'SELECT pg_sleep(600)' AND state = 'active'"""
CONTROL = "SELECT pg_terminate_backend(jagpid) FROM pgagent_py.agent WHERE agent = %s"


@pytest.mark.parametrize("heir", ["another", "itself, restarted"])
def test_killed(database: str, db: Db, launcher: StartLauncher, tmp_path: Path, heir: str) -> None:
    """SIGKILL in the middle of steps: they die with the launcher, and then their runs are closed."""
    victim = serving(launcher("-l", "2", database))
    batch = add_yearly_job(
        db, "batch", {"batch": f"echo started; echo $$ > {tmp_path}/pid; sleep 600 & sleep 600"}
    )
    sql = add_yearly_job(db, "sql", {"sql": "SELECT pg_sleep(600)"})
    make_due(db, batch, sql)
    wait_for_start(db, batch, sql)
    script = process_of(tmp_path / "pid")
    wait_for(lambda: len(script.children()) == 2, what="two children")
    children = script.children()
    (backend,) = wait_for_row(db, SLEEPERS)
    if heir == "another":
        serving(launcher("-l", "2", database))
    wait_for(lambda: output(db, batch) == "started\n", what="the output so far")
    watch_processes(db, script, *children, psutil.Process(backend))
    victim.kill()
    if heir != "another":
        serving(launcher("-l", "2", database))
    wait_for_end(db, batch, sql)
    assert all(map(is_gone, [script, *children]))
    assert db.execute(SLEEPERS).fetchall() == []
    assert alive_at_closing(db) == [False, False], "closed while a step was still running"
    assert statuses(db, batch) == statuses(db, sql) == [("d", "d")]
    assert output(db, batch) == "started\nThe agent that executed this step is gone."
    assert output(db, sql) == "The agent that executed this step is gone."
    assert agents(db) == 1
    check_sound(db)


def test_killed_together_with_its_guard(
    database: str, db: Db, launcher: StartLauncher, tmp_path: Path
) -> None:
    """What keeps its batch steps from outliving a launcher dies with it: another one on this host ends them."""
    victim = serving(launcher("-l", "2", database))
    job = add_yearly_job(db, "a", {"batch": f"echo $$ > {tmp_path}/pid; setsid sleep 600 & sleep 600"})
    make_due(db, job)
    script = process_of(tmp_path / "pid")
    wait_for(lambda: len(script.children()) == 2, what="two children")
    family = [script, *script.children()]
    serving(launcher("-l", "2", database))
    guards = [process for process in psutil.Process(victim.pid).children() if process != script]
    assert len(guards) == 1
    watch_processes(db, *family)
    guards[0].kill()
    victim.kill()
    wait_for_end(db, job)
    assert all(map(is_gone, family))
    assert alive_at_closing(db) == [False], "closed while the step was still running"
    assert statuses(db, job) == [("d", "d")]
    check_sound(db)


def test_live_launcher_is_never_reaped(
    database: str, db: Db, launcher: StartLauncher, tmp_path: Path
) -> None:
    """It loses its control connection again and again for longer than others wait, and books its steps as they end."""
    cut_off = serving(launcher("-l", "2", "--workers", "2", database))
    (agent,) = wait_for_row(db, "SELECT agent FROM pgagent_py.agent")
    db.execute("SELECT pg_advisory_lock(1)")
    gate = tmp_path / "gate"
    code = f"echo x >> {tmp_path}/effect; while [ ! -e {gate} ]; do sleep 0.1; done; echo done"
    batch = add_yearly_job(db, "batch", {"batch": code})
    sql = add_yearly_job(
        db,
        "sql",
        {"sql": "CREATE TABLE effect (); SELECT pg_advisory_lock_shared(1)"},
        {"batch": "echo next"},
    )
    make_due(db, batch, sql)
    wait_for_start(db, batch, sql)
    other = serving(launcher("-l", "2", database))
    begin, cuts = time.monotonic(), 0
    while cuts < 10 or time.monotonic() < begin + 8:
        wait_for(lambda: cut_off.log_text().count("action=serve") > cuts, what="its return")  # noqa: B023
        db.execute(CONTROL, [agent])
        cuts += 1
    gate.touch()
    db.execute("SELECT pg_advisory_unlock(1)")
    wait_for_end(db, batch, sql)
    assert statuses(db, sql) == [("s", "ss")]
    assert statuses(db, batch) == [("s", "s")]
    assert output(db, batch) == "done\n"
    assert (tmp_path / "effect").read_text() == "x\n"
    assert "action=start_step" not in other.log_text()
    stop(other)
    stop(cut_off)
    assert agents(db) == 0
    check_sound(db)


def test_a_locked_job_does_not_cost_the_identity(
    database: str, db: Db, launcher: StartLauncher, tmp_path: Path
) -> None:
    """The launcher comes back while a session has one of its jobs locked: that job moves later."""
    serving(launcher("-l", "2", database))
    gate = {"batch": f"while [ ! -e {tmp_path}/gate ]; do sleep 0.1; done"}
    locked, other = (add_yearly_job(db, name, gate, {"sql": "SELECT 1"}) for name in ("a", "b"))
    make_due(db, locked, other)
    wait_for_start(db, locked, other)
    serving(launcher("-l", "2", database))
    with psycopg.connect(database) as session:
        session.execute("SELECT FROM pgagent.pga_job WHERE jobid = %s FOR UPDATE", [locked])
        db.execute("SELECT pg_terminate_backend(jobagentid) FROM pgagent.pga_job WHERE jobid = %s", [locked])
        (tmp_path / "gate").touch()
        wait_for_end(db, other)
        assert statuses(db, other) == [("s", "ss")]
        # Longer than the others wait for an agent that is gone: until they have struck off one that went after it
        with psycopg.connect(database, autocommit=True) as gone:
            gone.execute("SELECT pgagent_py.start_agent(gen_random_uuid(), 'gone')")
        wait_for(
            lambda: value(db, "SELECT count(*) FROM pgagent.pga_jobagent WHERE jagstation = 'gone'") == 0
        )
        assert statuses(db, locked) == [("r", "r")]
    wait_for_end(db, locked)
    assert statuses(db, locked) == [("s", "ss")]
    wait_for(lambda: agents(db) == 2)
    check_sound(db)


def test_result_that_comes_twice_counts_once(database: str, db: Db) -> None:
    """The answer to the booking call was lost: the launcher sends the result again, and the run goes on once."""
    job = add_yearly_job(db, "a", {"sql": "SELECT 1"}, {"sql": "SELECT 2"}, {"sql": "SELECT 3"})
    make_due(db, job)
    book = (
        "SELECT jslid FROM pgagent_py.run_due(9, ARRAY[(%s, %s, 's', 0, NULL, '')::pgagent_py.step_result])"
    )
    with psycopg.connect(database, autocommit=True) as agent:
        (first,) = agent.execute("SELECT jlgid, jslid FROM pgagent_py.run_due(9)").fetchall()
        second = agent.execute(book, first).fetchall()
        assert len(second) == 1
        assert agent.execute(book, first).fetchall() == []
        assert statuses(db, job) == [("r", "sr")]
        (third,) = agent.execute(book, [first[0], second[0][0]]).fetchall()
        assert agent.execute(book, first).fetchall() == []
        assert agent.execute(book, [first[0], third[0]]).fetchall() == []
    assert statuses(db, job) == [("s", "sss")]
    check_sound(db)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_server_restarted(
    own_cluster: Cluster, launcher: StartLauncher, tmp_path: Path, mode: Literal["fast", "immediate"]
) -> None:
    """Batch steps end with their true result, also while the server is down; SQL steps with the server's words."""
    agent = serving(launcher("-l", "2", own_cluster.conninfo(TEMPLATE)))
    gate = f"while [ ! -e {tmp_path}/gate ]; do sleep 0.1; done"
    with own_cluster.connect(TEMPLATE) as db:
        batch = add_yearly_job(
            db,
            "batch",
            {"batch": f"echo x >> {tmp_path}/effect; {gate}; touch {tmp_path}/end; echo output; exit 3"},
        )
        sql = add_yearly_job(
            db, "sql", {"sql": "SELECT pg_sleep(600)", "on_error": "ignore"}, {"sql": "SELECT 1"}
        )
        failing = add_yearly_job(db, "failing", {"sql": "SELECT pg_sleep(600)"}, {"sql": "SELECT 1"})
        make_due(db, batch, sql, failing)
        wait_for_start(db, batch, sql, failing)
        wait_for(lambda: len(db.execute(SLEEPERS).fetchall()) == 2)
    own_cluster.stop(mode)
    (tmp_path / "gate").touch()
    wait_for((tmp_path / "end").exists)
    own_cluster.start()
    with own_cluster.connect(TEMPLATE) as db:
        wait_for_end(db, batch, sql, failing)
        assert statuses(db, batch) == [("f", "f")]
        assert output(db, batch) == "output\n"
        assert value(db, "SELECT jslresult FROM pgagent.pga_jobsteplog WHERE jsloutput = 'output\n'") == 3
        assert (tmp_path / "effect").read_text() == "x\n"
        assert statuses(db, sql) == [("s", "is")]
        assert statuses(db, failing) == [("f", "f")]
        words = (
            "terminating connection due to administrator command"
            if mode == "fast"
            else "server closed the connection"
        )
        assert words in output(db, sql)
        assert agents(db) == 1
        check_sound(db)
    stop(agent)


def test_much_output_while_the_server_is_down(
    own_cluster: Cluster, launcher: StartLauncher, tmp_path: Path
) -> None:
    """It is booked bit by bit: the server takes no more than 1 GB at once, and the launcher would try for ever."""
    agent = serving(launcher("-l", "2", own_cluster.conninfo(TEMPLATE)))
    code = f"while [ ! -e {tmp_path}/go ]; do sleep 0.2; done; head -c 1000000 /dev/zero | tr '\\0' x"
    with own_cluster.connect(TEMPLATE) as db:
        db.execute("CREATE TABLE booked (turn xid8 DEFAULT pg_current_xact_id(), size integer)")
        db.execute(
            "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN"
            " INSERT INTO public.booked (size) VALUES (length(NEW.jsloutput)); RETURN NULL; END$$"
        )
        db.execute(
            "CREATE TRIGGER note AFTER UPDATE ON pgagent.pga_jobsteplog FOR EACH ROW EXECUTE FUNCTION note()"
        )
        jobs = [add_yearly_job(db, f"job {n}", {"batch": code}, {"sql": "SELECT 1"}) for n in range(30)]
        make_due(db, *jobs)
        wait_for_start(db, *jobs)
    own_cluster.stop()
    (tmp_path / "go").touch()
    wait_for(lambda: agent.log_text().count("action=finish_step") == 30, what="the end of the steps")
    own_cluster.start()
    with own_cluster.connect(TEMPLATE) as db:
        wait_for_end(db, *jobs)
        assert all(statuses(db, job) == [("s", "ss")] for job in jobs)
        assert value(db, "SELECT count(*) FROM booked WHERE size = 1000000") == 30
        assert value(db, "SELECT max(sum) FROM (SELECT sum(size) FROM booked GROUP BY turn) t") <= 16_000_000
        check_sound(db)
    stop(agent)


def test_server_not_there_at_start(own_cluster: Cluster, launcher: StartLauncher) -> None:
    """It waits for the server however long, can be told to stop meanwhile, and serves when the server is there."""
    own_cluster.stop()
    waiting, stopped = (launcher("-l", "2", "-r", "1", own_cluster.conninfo(TEMPLATE)) for _ in range(2))
    for agent in (waiting, stopped):
        agent.wait_for_log("trying again in 0.4 s")
    stop(stopped)
    own_cluster.start()
    with own_cluster.connect(TEMPLATE) as db:
        job = add_yearly_job(db, "a", {"sql": "SELECT 1"})
        make_due(db, job)
        wait_for_end(db, job)
        assert statuses(db, job) == [("s", "s")]
    stop(waiting)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop(
    database: str, db: Db, launcher: StartLauncher, tmp_path: Path, number: signal.Signals
) -> None:
    """Nothing new is claimed; what ends in the grace time is as ever; the rest is stopped and logged d with its output."""
    agent = serving(launcher("-l", "2", "--grace", "5", database))
    gate = f"while [ ! -e {tmp_path}/gate ]; do sleep 0.02; done"
    quick = add_yearly_job(db, "quick", {"batch": gate})
    two = add_yearly_job(db, "two", {"batch": f"{gate}; echo first"}, {"batch": "echo never"})
    sql = add_yearly_job(db, "sql", {"sql": "DO $$BEGIN RAISE NOTICE 'so far'; END$$; SELECT pg_sleep(600)"})
    batch = add_yearly_job(db, "batch", {"batch": "echo so far; exec sleep 600"})
    deaf = add_yearly_job(
        db,
        "deaf",
        {"batch": f"trap '' TERM; echo $$ > {tmp_path}/pid; echo so far; while :; do sleep 1; done"},
    )
    late = add_yearly_job(db, "late", {"sql": "SELECT 1"})
    make_due(db, quick, two, sql, batch, deaf)
    wait_for_start(db, quick, two, sql, batch, deaf)
    script = process_of(tmp_path / "pid")
    agent.signal(number)
    agent.wait_for_log("action=stop")
    (tmp_path / "gate").touch()
    make_due(db, late)
    assert agent.wait() == 0
    assert is_gone(script)
    assert statuses(db, quick) == [("s", "s")]
    assert statuses(db, two) == [("d", "s")]
    assert statuses(db, late) == []
    for job in (sql, batch, deaf):
        assert statuses(db, job) == [("d", "d")]
        assert "so far" in output(db, job)
        assert "The launcher was told to stop." in output(db, job)
    assert agents(db) == 0
    db.execute("UPDATE pgagent.pga_job SET jobnextrun = NULL WHERE jobid = %s", [late])
    check_sound(db)


def test_second_signal(database: str, db: Db, launcher: StartLauncher) -> None:
    """It ends what runs at once, without the grace time."""
    agent = serving(launcher("-l", "2", "--grace", "600", database))
    deaf = add_yearly_job(db, "deaf", {"batch": "trap '' TERM; echo so far; while :; do sleep 1; done"})
    sql = add_yearly_job(db, "sql", {"sql": "SELECT pg_sleep(600)"})
    make_due(db, deaf, sql)
    wait_for_row(db, "SELECT 1 FROM pgagent.pga_jobsteplog WHERE jsloutput LIKE 'so far%%'")
    agent.signal(signal.SIGTERM)
    agent.wait_for_log("action=stop")
    agent.signal(signal.SIGTERM)
    assert agent.wait() == 0
    assert statuses(db, deaf) == statuses(db, sql) == [("d", "d")]
    assert "The launcher was told twice to stop." in output(db, deaf)
    assert agents(db) == 0
    check_sound(db)


@pytest.mark.parametrize("table", ["pga_job", "pga_jobagent"])
def test_second_signal_while_the_server_does_not_answer(
    database: str, db: Db, launcher: StartLauncher, table: str
) -> None:
    """A session has a whole table locked, and the launcher waits for it, serving or registering: it ends all the same."""
    lock = f"LOCK TABLE pgagent.{table} IN ACCESS EXCLUSIVE MODE".encode()
    waiting = (
        "SELECT 1 FROM pg_stat_activity WHERE application_name = 'pgagent-py' AND wait_event_type = 'Lock'"
    )
    with psycopg.connect(database) as session:
        if table == "pga_job":
            agent = serving(launcher("-l", "2", "-t", "0.5", database))
            job = add_yearly_job(db, "a", {"batch": "sleep 600"})
            make_due(db, job)
            wait_for_start(db, job)
            session.execute(lock)
        else:
            session.execute(lock)
            agent = launcher("-l", "2", database)
        wait_for_row(db, waiting)
        agent.signal(signal.SIGTERM)
        agent.wait_for_log("action=stop")
        agent.signal(signal.SIGTERM)
        assert agent.wait() == 0
        assert "action=stop the server does not answer" in agent.log_text()
    serving(launcher("-l", "2", database))
    wait_for(lambda: agents(db) == 1)
    if table == "pga_job":
        assert statuses(db, job) == [("d", "d")]
    check_sound(db)


def test_log_that_nobody_reads(database: str, db: Db) -> None:
    """What reads the launcher's stderr is gone: it goes on, and ends with status 0."""
    program = shutil.which("pgagent-py", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert program
    reader, writer = os.pipe()
    agent = subprocess.Popen([program, "-l", "2", database], stdin=subprocess.DEVNULL, stderr=writer)
    try:
        os.close(writer)
        os.close(reader)
        job = add_yearly_job(db, "a", {"sql": "SELECT 1"})
        make_due(db, job)
        wait_for_end(db, job)
        assert statuses(db, job) == [("s", "s")]
        agent.terminate()
        assert agent.wait(PATIENCE) == 0
    finally:
        agent.kill()
        agent.wait()


class CuttingProxy:
    """Passes on TCP connections to a port of 127.0.0.1, but cuts the first in which an answer holds certain bytes."""

    def __init__(self, port: int, bytes_: bytes) -> None:
        self.bytes: bytes | None = bytes_
        self._upstream = port
        self._sockets = [socket.create_server(("127.0.0.1", 0))]
        self.port: int = self._sockets[0].getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        self._threads.append(threading.Thread(target=target, args=arguments, daemon=True))
        self._threads[-1].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._sockets[0].accept()
                server = socket.create_connection(("127.0.0.1", self._upstream))
                self._sockets += client, server
                self._start(self._pass_on, client, server, False)
                self._start(self._pass_on, server, client, True)

    def _pass_on(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 20):
                if answers and self.bytes and self.bytes in data:
                    self.bytes = None
                    break
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End all connections, and take no more."""
        for end in self._sockets:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
        for end in self._sockets:
            end.close()


def test_step_lost_on_the_way_to_the_launcher(
    cluster: Cluster, database: str, db: Db, launcher: StartLauncher, tmp_path: Path
) -> None:
    """The connection is cut after the server has handed out a step, before the launcher has got it: it runs, once."""
    proxy = CuttingProxy(cluster.port, b"job of the lost step")
    try:
        address = psycopg.conninfo.make_conninfo(database, host="127.0.0.1", port=proxy.port)
        agent = serving(launcher("-l", "2", address, env={"PGPASSWORD": PASSWORD}))
        effect = f"echo $PGAGENT_STEP_NAME >> {tmp_path}/effect"
        job = add_yearly_job(db, "job of the lost step", {"batch": effect}, {"batch": effect})
        make_due(db, job)
        wait_for_end(db, job)
        assert proxy.bytes is None, "nothing was cut"
        assert statuses(db, job) == [("s", "ss")]
        assert (tmp_path / "effect").read_text() == "1\n2\n"
        assert agents(db) == 1
        stop(agent)
        check_sound(db)
    finally:
        proxy.close()


def test_settings_of_the_role(own_cluster: Cluster, launcher: StartLauncher) -> None:
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


def test_output_that_the_database_cannot_store(cluster: Cluster, launcher: StartLauncher) -> None:
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


class CutOffCluster(Cluster):
    """A server in a network namespace of its own, in which a user may do what else needs root."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.shell = subprocess.Popen(
            ["unshare", "--user", "--map-current-user", "--keep-caps", "--net", "sh"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            self.network("up")
        except (AssertionError, BrokenPipeError):
            # Containers and chroots forbid it, and no packet can be lost without: the rest of the tests goes on.
            pytest.skip("no network namespace is to be had by this user here")

    def network(self, state: str) -> None:
        """Turn the loopback interface up or down."""
        assert self.shell.stdin
        assert self.shell.stdout
        self.shell.stdin.write(f'PATH="$PATH:/usr/sbin:/sbin" ip link set lo {state}; echo $?\n')
        self.shell.stdin.flush()
        assert self.shell.stdout.readline() == "0\n", "this user can't make network namespaces"

    def inside(self) -> list[str]:
        """Return the beginning of a command that is to run in the namespace."""
        return ["nsenter", "--user", "--net", "--preserve-credentials", f"--target={self.shell.pid}"]

    def _quietly(self, program: str, *arguments: object) -> None:
        command = [*self.inside(), str(self.bin_dir / program), *map(str, arguments)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


@pytest.fixture
def cut_off_cluster(scratch: Path, pristine_cluster: Cluster) -> Iterator[CutOffCluster]:
    """Return a running server whose TCP network can be cut; its Unix socket is reached all the same."""
    cluster = CutOffCluster(scratch / "cutoff")
    cluster.copy_from(pristine_cluster)
    cluster.start()
    yield cluster
    cluster.stop("immediate")
    cluster.shell.kill()
    cluster.shell.communicate()


def test_network_cut(cut_off_cluster: CutOffCluster, launcher: StartLauncher, tmp_path: Path) -> None:
    """Packets get lost without a word: the launcher notices, comes back before it is missed, and books true results."""
    other = serving(launcher("-l", "2", cut_off_cluster.conninfo(TEMPLATE)))
    program = shutil.which("pgagent-py", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert program
    address = cut_off_cluster.conninfo(TEMPLATE, host="127.0.0.1")
    with (tmp_path / "log").open("w") as log, cut_off_cluster.connect(TEMPLATE) as db:
        agent = subprocess.Popen(
            [*cut_off_cluster.inside(), program, "-l", "2", address],
            stdin=subprocess.DEVNULL,
            stderr=log,
            env=os.environ | {"PGPASSWORD": PASSWORD},
        )
        try:
            wait_for(lambda: agents(db) == 2)
            stop(other)  # so that the next job is the other's
            code = f"while [ ! -e {tmp_path}/gate ]; do sleep 0.1; done; echo done"
            job = add_yearly_job(db, "a", {"batch": code}, {"sql": "SELECT 1"})
            make_due(db, job)
            wait_for_start(db, job)
            other = serving(launcher("-l", "2", cut_off_cluster.conninfo(TEMPLATE)))
            cut_off_cluster.network("down")
            wait_for(lambda: "trying again" in (tmp_path / "log").read_text(), what="the launcher to notice")
            assert statuses(db, job) == [("r", "r")]
            (tmp_path / "gate").touch()
            cut_off_cluster.network("up")
            wait_for_end(db, job)
            assert statuses(db, job) == [("s", "ss")]
            assert output(db, job) == "done\n"
            assert "start_step" not in other.log_text()
            agent.terminate()
            assert agent.wait(PATIENCE) == 0
            assert PASSWORD not in (tmp_path / "log").read_text()
        finally:
            agent.kill()
            agent.wait()
