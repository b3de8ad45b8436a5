"""The command pgagentctl, as its users run it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ENVIRONMENT = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TZ": "Europe/Paris"}


class Ctl:
    """Runs pgagentctl with the connection string of a database."""

    def __init__(self, conninfo: str, home: Path) -> None:
        found = shutil.which("pgagentctl", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        assert found, "pgagentctl is not installed: run the tests by make, or pip install . first"
        self.program = found
        self.conninfo = conninfo
        self.environment = ENVIRONMENT | {"HOME": str(home), "TMPDIR": str(home)}

    def run(self, *arguments: str, given: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run(
            [self.program, "-d", self.conninfo, *arguments],
            input=given,
            capture_output=True,
            text=True,
            env=self.environment | environment,
            check=False,
        )

    def __call__(self, *arguments: str, status: int = 0, given: str = "", **environment: str) -> str:
        """Run it; check its exit status; return what it wrote."""
        done = self.run(*arguments, given=given, **environment)
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done.stdout if done.returncode in (0, 1) and not done.stderr else done.stdout + done.stderr

    def json(self, *arguments: str, status: int = 0) -> Any:
        """Run it with --json; return the document."""
        done = self.run("--json", *arguments)
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        return json.loads(done.stdout)


@pytest.fixture
def ctl(database: str, tmp_path: Path) -> Ctl:
    """Return pgagentctl for `database`."""
    return Ctl(database, tmp_path)
