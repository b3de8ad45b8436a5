"""Servers that messages go to, and engines: a Slurm cluster and an SSH server."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import StartLauncher
from tests.helpers import Launcher, serving
from tests.helpers.mail import Hook, HookHandler, Mailbox, Server, SmtpHandler, WebServer, serve
from tests.helpers.slurm import Slurm, free_port
from tests.helpers.sshd import Sshd


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """Return what a mail server without TLS gets."""
    box = Mailbox()
    handler = type("Handler", (SmtpHandler,), {"box": box})
    server = Server(("127.0.0.1", 0), handler)
    box.port = server.server_address[1]
    yield from (box for _ in serve(server))
    box.ended.set()


@pytest.fixture
def hook() -> Iterator[Hook]:
    """Return what a web server gets."""
    result = Hook()
    server = WebServer(("127.0.0.1", 0), type("Handler", (HookHandler,), {"hook": result}))
    result.port = server.server_address[1]
    yield from (result for _ in serve(server))


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """Return a cluster of three nodes."""
    assert shutil.which("sbatch"), "the Debian package slurm-wlm is missing: make setup installs it"
    cluster = Slurm(tmp_path_factory.mktemp("slurm"))
    yield cluster
    cluster.stop()


@pytest.fixture
def engine_dir(tmp_path: Path) -> Path:
    """Return a directory that nodes and launchers share."""
    return tmp_path / "engines"


@pytest.fixture
def start(database: str, slurm: Slurm, engine_dir: Path, launcher: StartLauncher) -> StartLauncher:
    """Return the function that starts a launcher that knows the cluster."""

    def start_one(*arguments: str, env: dict[str, str] | None = None) -> Launcher:
        """Without a connection string among the arguments it is of `database`."""
        where = () if any("dbname=" in argument for argument in arguments) else (database,)
        given = (f"--engine-dir={engine_dir}", *arguments, *where)
        return serving(launcher("-l2", *given, env=slurm.environment | (env or {})))

    return start_one


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """Return a running SSH server."""
    server = Sshd(tmp_path_factory.mktemp("sshd"), free_port())
    yield server
    server.kill()
