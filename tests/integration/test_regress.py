"""tests/sql by pg_regress, as `make installcheck` runs it, on the tests' own server."""

import os
import subprocess
from pathlib import Path

from tests.helpers import Cluster

TOP = Path(__file__).resolve().parents[2]


def test_installcheck(cluster: Cluster) -> None:
    server = {"PGHOST": str(cluster.directory), "PGPORT": str(cluster.port), "PGUSER": "postgres"}
    done = subprocess.run(
        ["make", "--no-print-directory", "installcheck"],
        cwd=TOP, env=os.environ | server, check=False, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    diffs = TOP / "regression.diffs"
    assert done.returncode == 0, done.stdout + (diffs.read_text() if diffs.exists() else "")
    tests = [path.stem for path in (TOP / "tests/sql").glob("*.sql")]
    assert tests
    assert [test for test in tests if f"test {test} " not in done.stdout] == []
