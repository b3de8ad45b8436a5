"""What monitors are told: metrics, health, the ping."""

import asyncio
import os
import re
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import monotonic
from typing import Any

import psutil
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from psycopg.conninfo import make_conninfo

from launcher.options import _read_ping, _without_ping
from launcher.vitals import STOPPED_SECONDS, Heart, Vitals
from launcher.watching import metrics
from launcher.watching.facts import Facts
from launcher.watching.monitors import Monitors
from tests.conftest import StartLauncher
from tests.helpers import Cluster, Db, Launcher, add_job, run_to_end, serving, stop, wait_for

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def port_of(agent: Launcher) -> int:
    agent.wait_for_log("action=metrics address=")
    found = re.search(r"action=metrics address=127\.0\.0\.1:(\d+)", agent.log_text())
    assert found
    return int(found[1])


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def scrape(port: int) -> Samples:
    status, text = get(port, "/metrics")
    assert status == 200
    return read(text)


def read(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def figure(samples: Samples, name: str, /, **labels: str) -> float | None:
    """Return the value of the one metric of that name with these labels among its own."""
    found = [
        value
        for (n, has), value in samples.items()
        if n == f"pgagent_py_{name}" and labels.items() <= set(has)
    ]
    assert len(found) <= 1
    return found[0] if found else None


@pytest.fixture
def watcher(database: str, db: Db) -> Iterator[str]:
    """Return a connection string of a role that may no more than a launcher needs to tell of all jobs."""
    db.execute("CREATE ROLE watcher LOGIN IN ROLE pgagent_py_launcher, pgagent_py_monitor")
    yield make_conninfo(database, user="watcher")
    db.execute("DROP OWNED BY watcher; DROP ROLE watcher")


def test_metrics_tell_of_launcher_and_jobs(watcher: str, db: Db, launcher: StartLauncher) -> None:
    begun = monotonic()
    agent = serving(launcher("--metrics", ":0", "--metrics-jobs", "1", "--workers", "7", watcher))
    port = port_of(agent)
    first = scrape(port)
    assert figure(first, "runs_total", status="success") == 0
    good, bad = add_job(db, 'good "\\\n', "SELECT 1", {"batch": "true"}), add_job(db, "bad", "SELECT 1/0")
    for job in (good, good, bad):
        run_to_end(db, job)
    db.execute(
        "UPDATE pgagent.pga_job SET jobnextrun = now() - interval '1 h', jobhostagent = 'elsewhere' WHERE jobid = %s",
        [bad],
    )
    db.execute("SELECT pgagent_py.add_window('never', '0 0 30 2 *', duration => '1 h')")
    held = add_job(db, "held", "SELECT 1")
    db.execute("SELECT pgagent_py.alter_job(%s, \"window\" => 'never')", [held])
    db.execute("UPDATE pgagent.pga_job SET jobnextrun = now() - interval '2 h' WHERE jobid = %s", [held])
    now = wait_for(lambda: s if figure(s := scrape(port), "jobs_held") else None)
    taken = monotonic() - begun
    name = db.info.dbname
    assert figure(now, "runs_total", database=name, status="success") == 2
    assert figure(now, "run_seconds_count", database=name) == 3
    assert figure(now, "run_seconds_bucket", le="+Inf") == 3
    assert figure(now, "start_lateness_seconds_count") == 3
    assert 0 <= (figure(now, "start_lateness_seconds_sum") or 0) <= 3 * taken
    assert figure(now, "steps_total", status="success") == 4
    assert figure(now, "steps_total", status="failure") == 1
    assert (figure(now, "places"), figure(now, "steps_running"), figure(now, "serving")) == (7, 0, 1)
    assert (figure(now, "jobs"), figure(now, "jobs_due"), figure(now, "unsent_messages")) == (3, 1, 0)
    # not of the job that its window holds back
    assert 3600 <= (figure(now, "longest_due_seconds") or 0) <= 3600 + taken
    assert (figure(now, "turn_seconds_count") or 0) >= 5
    assert 0 <= (figure(now, "seconds_since_last_turn") or 0) <= taken
    assert figure(now, "reconnections_total") == 0
    assert figure(now, "job_last_run_failed", name='good "\\\n') == 0
    assert figure(now, "job_last_run_failed", job=str(bad)) is None  # there was room for one job
    assert get(port, "/nothing")[0] == 404
    stop(agent)


def test_slow_and_hostile_clients_hold_nothing_up(database: str, db: Db, launcher: StartLauncher) -> None:
    """They neither keep others from asking for long, nor the launcher from its work. A locked table delays a scrape only."""
    agent = serving(launcher("--metrics", "127.0.0.1:0", database))
    port = port_of(agent)
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(50)]
    for connection in silent[:5]:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nX: ")
    for connection in silent[5:10]:
        connection.sendall(b"x" * 100_000)
    job = add_job(db, "x", "SELECT 1")
    assert run_to_end(db, job).status == "s"
    wait_for(lambda: answers(port), what="room for others")
    for connection in silent:
        connection.close()
    db.execute("BEGIN; LOCK TABLE pgagent_py.queued_message IN ACCESS EXCLUSIVE MODE")
    scraped: list[Samples] = []
    thread = threading.Thread(target=lambda: scraped.append(scrape(port)))
    thread.start()
    with psycopg.connect(database, autocommit=True) as other:
        assert run_to_end(other, job).status == "s"
    assert get(port, "/health/live")[0] == 200
    thread.join()
    db.execute("ROLLBACK")
    assert figure(scraped[0], "facts_known") == 0
    assert f"action=metrics database={db.info.dbname} no figures of the jobs" in agent.log_text()
    stop(agent)


class Answers(Facts):
    """Those of a database that answers at once or never."""

    def __init__(self, answer: dict[str, Any] | None) -> None:
        super().__init__("dbname=x", 0)
        self.answer = answer

    async def _ask(self) -> None:
        if self.answer is None:
            await asyncio.Event().wait()
        else:
            self.known = self.answer


def test_a_scrape_waits_for_no_database_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known is told, of however many databases that do not answer."""
    monkeypatch.setattr(metrics, "SCRAPE_SECONDS", 0.1)
    served = [Vitals("dbname=x", 1) for _ in range(metrics.AT_ONCE)]
    for number, vitals in enumerate(served):
        vitals.database = str(number)
    known = {key: 1 for _, _, key in metrics.FACT_GAUGES}
    made = [Answers(None if vitals is not served[0] else known) for vitals in served]
    collector = metrics.Metrics(served, lambda vitals: made[served.index(vitals)])
    now = read(asyncio.run(collector.answer()).body.decode())
    assert [figure(now, "facts_known", database=str(n)) for n in range(metrics.AT_ONCE)] == [1, 0, 0, 0]
    assert figure(now, "jobs") == 1
    served.clear()
    asyncio.run(collector.answer())
    assert collector._facts == {}


def answers(port: int) -> bool:
    try:
        return get(port, "/health/live")[0] == 200
    except OSError:
        return False


def test_ready_while_a_database_is_served(own_cluster: Cluster, launcher: StartLauncher) -> None:
    agent = serving(
        launcher("--metrics", "127.0.0.1:0", "-r", "1", own_cluster.conninfo("pgagent_py_template"))
    )
    port = port_of(agent)
    assert (get(port, "/health/live")[0], get(port, "/health/ready")[0]) == (200, 200)
    own_cluster.stop()
    wait_for(lambda: get(port, "/health/ready")[0] == 503, what="the launcher to notice")
    assert get(port, "/health/live")[0] == 200
    assert figure(scrape(port), "serving") == 0
    own_cluster.start()
    wait_for(lambda: get(port, "/health/ready")[0] == 200, what="the launcher to be back")
    assert figure(scrape(port), "reconnections_total") == 1
    stop(agent)


def test_a_loop_that_does_not_turn_is_not_live() -> None:
    heart, monitors = Heart(), Monitors(("127.0.0.1", 0), "", 0)
    monitors.start([], heart)
    assert monitors._socket is not None
    port = monitors._socket.getsockname()[1]
    assert get(port, "/health/live")[0] == 200
    heart.beaten_at -= STOPPED_SECONDS
    assert get(port, "/health/live")[0] == 503
    monitors.stop()


@pytest.fixture
def monitor() -> Iterator[ThreadingHTTPServer]:
    """Return a server that notes which paths are called, in `paths`."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_response(500 if len(paths) == 1 and "fails" in self.path else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.paths = paths  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("way", ["option", "environment"])
def test_a_monitor_is_called_while_the_launcher_serves_by_an_address_that_stays_secret(
    database: str, db: Db, launcher: StartLauncher, monitor: ThreadingHTTPServer, way: str
) -> None:
    url = f"http://127.0.0.1:{monitor.server_address[1]}/s3cr3t/fails"
    agent = launcher(
        *(["--ping", url] if way == "option" else []),
        database,
        env={"PGAGENT_PY_PING": url} if way == "environment" else None,
    )
    wait_for(lambda: monitor.paths == ["/s3cr3t/fails"], what="the call")  # type: ignore[attr-defined]
    agent.wait_for_log("action=ping failed: HTTP status 500")
    job = add_job(db, "environment", {"batch": "env; cat /proc/$PPID/environ"})
    run_to_end(db, job)
    shown = agent.log_text() + " ".join(psutil.Process(agent.pid).cmdline())
    shown += str(db.execute("SELECT jsloutput FROM pgagent.pga_jobsteplog").fetchall())
    assert "PGAGENT_JOB_ID" in shown
    assert "s3cr3t" not in shown
    assert agent.terminate() == 0


def test_what_can_not_be_is_refused(launcher: StartLauncher, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for arguments, words in (
            (["--metrics", address], "--metrics: Address already in use"),
            (["--metrics", "9187"], "9187 is not ADDRESS:PORT"),
            (["--metrics", "::1:9187"], "is not ADDRESS:PORT"),
            (["--ping", "ftp://s3cr3t"], "the address to ping is no URL"),
            (["--ping", "s3cr3t"], "the address to ping is no URL"),
            (["--ping="], "--ping: the address is missing"),
            (["--ping-file", str(tmp_path / "none")], f"can't be read: {os.strerror(2)}"),
        ):
            process = launcher(*arguments, "dbname=x")
            assert process.wait() == 2
            assert words in process.log_text()
            assert "s3cr3t" not in process.log_text()


def test_the_address_to_ping_is_left_out_of_the_command_line_and_read_from_a_file(tmp_path: Path) -> None:
    words = ["-f", "--ping", "s3cr3t", "-t", "5", "--ping=s3cr3t", "--ping-file", "x"]
    assert _without_ping(words) == ["-f", "-t", "5", "--ping-file", "x"]
    (tmp_path / "address").write_text("https://example.org/x\n")
    assert _read_ping(str(tmp_path / "address")) == "https://example.org/x"
    (tmp_path / "address").write_text("\n")
    with pytest.raises(ValueError, match="has no address to ping"):
        _read_ping(str(tmp_path / "address"))
