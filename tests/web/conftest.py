"""A server that asks its roles for passwords in several ways, `pgagentctl web` on it, and a browser.

page        the page's base address, served by a process of its own
visitor     visitor(role) returns requests of someone who has logged in as the role
browser     a headless Chromium
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from playwright.sync_api import APIRequestContext, Browser, Playwright, sync_playwright
from port_for import get_port

from tests.conftest import TEMPLATE
from tests.helpers import Cluster, Db, wait_for

PASSWORD = "it's \"a\\ = password"
ROLES = ["alice", "bob", "monitor", "operator", "trusted", "clear", "old", "locked"]
HBA = """
local all postgres trust
local all clear password
local all trusted trust
host all trusted all trust
host all clear all password
host all old all md5
host all locked all reject
host all all all scram-sha-256
"""
CHROMIUM = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@pytest.fixture(scope="session")
def web_cluster(scratch: Path, pristine_cluster: Cluster) -> Iterator[Cluster]:
    """Return a server whose roles log in by password, most of them."""
    cluster = Cluster(Path(tempfile.mkdtemp(prefix="web", dir=scratch)))
    cluster.copy_from(pristine_cluster)
    (cluster.pgdata / "pg_hba.conf").write_text(HBA)
    cluster.start()
    with cluster.connect() as connection:
        for role in ROLES:
            encryption = "md5" if role == "old" else "scram-sha-256"
            connection.execute(f"SET password_encryption = '{encryption}'".encode())
            connection.execute(
                psycopg.sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                    psycopg.sql.Identifier(role), PASSWORD
                )
            )
        connection.execute("GRANT pgagent_py_user TO alice, bob, old")
        connection.execute("GRANT pgagent_py_monitor TO monitor")
        connection.execute("GRANT pgagent_py_operator TO operator")
        connection.execute(f"CREATE DATABASE web TEMPLATE {TEMPLATE}".encode())
    yield cluster
    cluster.stop("immediate")


@pytest.fixture(scope="session")
def admin(web_cluster: Cluster) -> Iterator[Db]:
    """Return a connection of the superuser to the page's database."""
    with web_cluster.connect("web") as connection:
        yield connection


class Page:
    """A `pgagentctl web` process."""

    def __init__(self, directory: Path, conninfo: str, *arguments: str, **environment: str) -> None:
        """Start it on a free port of 127.0.0.1."""
        self.port = int(get_port(None) or 0)
        self.url = f"{'https' if '--tls-cert' in arguments else 'http'}://127.0.0.1:{self.port}"
        program = shutil.which("pgagentctl", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        assert program, "pgagentctl is not installed: run the tests by make"
        self.logfile = directory / f"web{self.port}.log"
        with self.logfile.open("wb") as log:
            self.process = subprocess.Popen(
                [program, "-d", conninfo, "web", "--listen", f"127.0.0.1:{self.port}", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": os.environ["PATH"], "HOME": str(directory), "LANG": "C.UTF-8"} | environment,
            )

    def is_up(self) -> bool:
        """Return whether it answers."""
        assert self.process.poll() is None, self.logfile.read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> int:
        """Tell it to stop, and return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@pytest.fixture(scope="session")
def page(web_cluster: Cluster, scratch: Path) -> Iterator[Page]:
    """Return the page, at work."""
    process = Page(scratch, f"host=127.0.0.1 port={web_cluster.port} dbname=web")
    wait_for(process.is_up, what="the page")
    yield process
    assert process.stop() == 0, process.logfile.read_text()


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """Return what drives browsers and sends requests."""
    with sync_playwright() as found:
        yield found


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Return a headless browser."""
    program = shutil.which("chromium") or "/usr/bin/chromium"
    started = playwright.chromium.launch(executable_path=program, args=list(CHROMIUM))
    yield started
    started.close()


Visitor = Callable[..., APIRequestContext]


@pytest.fixture
def anyone(playwright: Playwright, page: Page) -> Iterator[Callable[[], APIRequestContext]]:
    """Return a function that gives requests of someone who has not logged in."""
    contexts: list[APIRequestContext] = []

    def new() -> APIRequestContext:
        contexts.append(playwright.request.new_context(base_url=page.url))
        return contexts[-1]

    yield new
    for context in contexts:
        context.dispose()


@pytest.fixture
def visitor(anyone: Callable[[], APIRequestContext]) -> Visitor:
    """Return a function that gives requests of a role that has logged in."""

    def log_in(role: str) -> APIRequestContext:
        requests = anyone()
        answer = send_login(requests, role, PASSWORD)
        assert answer.status == 303, answer.text()
        return requests

    return log_in


def token(requests: APIRequestContext, path: str = "/login") -> str:
    """Return the token that the forms of a page hold."""
    text = requests.get(path).text()
    return text.split('name="csrf_token" value="', 1)[1].split('"', 1)[0]


def send_login(requests: APIRequestContext, user: str, password: str, **fields: str) -> Any:
    """Send the form of the login, and return the answer to it."""
    form: dict[str, Any] = {"user": user, "password": password, "csrf_token": token(requests)} | fields
    return requests.post("/login", form=form, max_redirects=0)
