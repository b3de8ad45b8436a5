"""Unit tests that pass in another process: by another Python, or on a machine that lacks something."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]


def check_tests_pass(command: Sequence[str]) -> None:
    """Run pytest by this command in the checkout, and show what it says if a test fails."""
    done = subprocess.run(
        command, cwd=TOP, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
