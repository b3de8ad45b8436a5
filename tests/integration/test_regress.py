"""tests/sql by pg_regress, as `make installcheck` runs it, on the tests' own server."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.helpers import Cluster

TOP = Path(__file__).resolve().parents[2]
FILES = sorted(path.stem for path in (TOP / "tests/sql").glob("*.sql"))


@pytest.mark.parametrize("name", FILES)
def test_output_is_as_expected(cluster: Cluster, tmp_path: Path, name: str) -> None:
    server = {"PGHOST": str(cluster.directory), "PGPORT": str(cluster.port), "PGUSER": "postgres"}
    done = subprocess.run(
        ["make", "--no-print-directory", "installcheck", f"REGRESS={name}", f"REGRESS_OUT={tmp_path}"],
        cwd=TOP, env=os.environ | server, check=False, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    diffs = tmp_path / "regression.diffs"
    assert done.returncode == 0, done.stdout + (diffs.read_text() if diffs.exists() else "")
    assert re.search(rf"(?m)^(test {name} |ok \d+ +- {name} )", done.stdout), done.stdout


def test_installcheck_runs_every_file() -> None:
    command = ["make", "--no-print-directory", "--dry-run", "installcheck"]
    done = subprocess.run(command, cwd=TOP, check=True, text=True, capture_output=True)
    assert FILES
    assert [name for name in FILES if name not in done.stdout.split()] == []
