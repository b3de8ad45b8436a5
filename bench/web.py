"""How fast the web page is: the first page, and a timeline of 500 jobs with 20,000 runs."""

from __future__ import annotations

import gzip
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from typing import LiteralString

from port_for import get_port

from tests.helpers import wait_for

from .report import Report, Target, percentile
from .servers import Server

RUNS: LiteralString = """
WITH job AS (
    INSERT INTO pgagent.pga_job (jobjclid, jobname, jobenabled)
    SELECT 1, 'job ' || g, false FROM generate_series(1, 500) g RETURNING jobid)
INSERT INTO pgagent.pga_joblog (jlgjobid, jlgstatus, jlgstart, jlgduration)
SELECT jobid, CASE n % 4 WHEN 0 THEN 'f' ELSE 's' END,
       now() - interval '18 h' + n * interval '27 min' + jobid * interval '1 s', '5 min'
  FROM job CROSS JOIN generate_series(1, 40) n ORDER BY n, jobid"""

Get = Callable[[str], bytes]


def measure(report: Report, server: Server, quick: bool) -> None:
    """One visitor on loopback."""
    report.heading("The web page, on loopback")
    with server.database("web", "pgagent_py") as db:
        db.execute(RUNS)
        db.execute("ANALYZE")
        password = secrets.token_hex(16)
        db.execute(f"CREATE ROLE visitor LOGIN PASSWORD '{password}' IN ROLE pgagent_py_monitor".encode())
        try:
            with _visitor(server, password) as get:
                for path, title, limit in (
                    ("", "first page", 200),
                    ("timeline", "timeline, 500 jobs, 20,000 runs", 1000),
                ):
                    get(path)
                    times = [_milliseconds(get, path) for _ in range(3 if quick else 10)]
                    report.add(f"{title}: median", percentile(times, 0.5), "ms", Target(limit))
                    weight = len(gzip.compress(get(path))) + sum(
                        len(gzip.compress(get(f"static/{name}")))
                        for name in ("page.css", "page.js", "icon.svg")
                    )
                    report.add("  what the browser loads", weight / 1024, "KiB", Target(150))
        finally:
            db.execute("DROP ROLE visitor")


def _milliseconds(get: Get, path: str) -> float:
    begun = time.perf_counter()
    get(path)
    return 1000 * (time.perf_counter() - begun)


@contextmanager
def _visitor(server: Server, password: str) -> Iterator[Get]:
    """Serve the page, log in, and yield what gets a page."""
    port = int(get_port(None) or 0)
    program = shutil.which("pgagentctl") or str(Path(sys.executable).with_name("pgagentctl"))
    conninfo = f"host=127.0.0.1 port={server.cluster.port} dbname=web"
    process = subprocess.Popen(
        [program, "-d", conninfo, "web", "--listen", f"127.0.0.1:{port}"], stderr=subprocess.DEVNULL
    )
    base = f"http://127.0.0.1:{port}/"
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def get(path: str) -> bytes:
        with opener.open(base + path, timeout=60) as answer:
            return bytes(answer.read())

    try:
        wait_for(lambda: _answers(port), what="the page")
        token = get("login").decode().split('name="csrf_token" value="', 1)[1].split('"', 1)[0]
        form = urllib.parse.urlencode({"user": "visitor", "password": password, "csrf_token": token})
        opener.open(base + "login", form.encode(), timeout=60).close()
        yield get
    finally:
        process.terminate()
        process.wait(60)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
