"""What the tests of batch steps share."""

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher import batch_step
from launcher.engines import local
from tests.helpers import PATIENCE, wait_for
from tests.helpers.batch_steps import guards, processes, started_launchers


@pytest.fixture(autouse=True)
def directory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the directory for temporary files, this test's own; it must be empty again at the end."""
    with tempfile.TemporaryDirectory() as name:
        monkeypatch.setenv("TMPDIR", name)
        monkeypatch.setattr(tempfile, "tempdir", name)
        yield Path(name)
        for launcher in started_launchers:  # also those of a test that failed
            launcher.kill()
            launcher.wait()
        started_launchers.clear()
        wait_for(lambda: not guards(), what="the guards' end")
        wait_for(lambda: not list(Path(name).iterdir()), what="the end of the temporary files")


_numbers = iter(range(1, 1000))


@pytest.fixture
def long() -> Iterator[str]:
    """Return a number of seconds, as good as for ever, by which a test recognises its processes."""
    number = f"3600.{os.getpid()}{next(_numbers):03}"
    yield number
    for pid in processes(number):
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let steps have as much time to stop as they need: what then ends, has not been killed."""
    monkeypatch.setattr(batch_step, "KILL_SECONDS", 10 * PATIENCE)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let steps be killed soon, and wait for their processes' end as long as that takes."""
    monkeypatch.setattr(batch_step, "KILL_SECONDS", 0.3)
    monkeypatch.setattr(local, "GIVE_UP_SECONDS", PATIENCE)
