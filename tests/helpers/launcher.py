"""A launcher process."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

from .waiting import PATIENCE, wait_for


class Launcher:
    """A running `pgagent-py` process with a home directory and a log file of its own.

    Its directory for temporary files is the test's: a launcher that starts tidies up after all dead ones that it finds there.
    """

    def __init__(
        self,
        directory: Path,
        arguments: tuple[str, ...],
        environment: Mapping[str, str],
        program: tuple[str, ...] = (),
    ) -> None:
        """Start it; `environment` adds to an otherwise nearly empty one. `program`: another than the installed one."""
        if not program:
            found = shutil.which("pgagent-py", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
            assert found, "pgagent-py is not installed: run the tests by make, or pip install . first"
            program = (found,)
        self.arguments = arguments
        self.home = directory
        self.logfile = directory / "launcher.log"
        self.temporary = str(directory.parent)
        base = {
            "HOME": str(directory),
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "TMPDIR": self.temporary,
        }
        with self.logfile.open("ab") as log:
            self.process = subprocess.Popen(
                [*program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=base | dict(environment),
                cwd=directory,
                start_new_session=True,
            )
        self.pid = self.process.pid

    def log_text(self) -> str:
        """Return all that it has written so far."""
        return self.logfile.read_text(errors="replace")

    def wait_for_log(self, text: str, timeout: float = PATIENCE) -> None:
        """Wait until it has written `text`."""
        try:
            wait_for(lambda: text in self.log_text(), timeout, f"{text!r} in the launcher's log")
        except AssertionError as error:
            error.add_note(self.log_text()[-4000:])
            raise

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait_until_signalled(self) -> None:
        """Wait until a signal that was sent is pending no more."""

        def delivered() -> bool:
            status = Path(f"/proc/{self.pid}/status").read_text()
            pending = [
                line.split()[1] for line in status.splitlines() if line.startswith(("SigPnd", "ShdPnd"))
            ]
            return all(int(mask, 16) == 0 for mask in pending)

        wait_for(delivered, what="the signal to arrive")

    def wait(self, timeout: float = PATIENCE) -> int:
        """Return its exit status (minus the signal that killed it) once it has ended."""
        return self.process.wait(timeout)

    def terminate(self, timeout: float = PATIENCE) -> int:
        """Send SIGTERM and return the exit status."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def kill(self) -> None:
        """Kill it with SIGKILL, it alone, and wait until it is gone."""
        self.process.kill()
        self.process.wait()

    def clean_up(self) -> None:
        """Kill it with all that it has started and left running."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGSTOP)  # so that it starts nothing more
        while family := self._family():
            for process in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            self.process.poll()
        self.process.wait()

    def _family(self) -> list[psutil.Process]:
        """Return the live processes of the test's launchers and their steps, known by their directory for temporary files."""
        family = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("TMPDIR") == self.temporary:
                    family.append(process)
        return family
