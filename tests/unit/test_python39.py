"""plpython/ runs on the server's Python: 3.9 is the oldest that it supports."""

import platform
import shutil

import pytest

from tests.helpers.other_python import check_tests_pass


@pytest.mark.slow
@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "aarch64"), reason="no Python 3.9 is known for this processor"
)
def test_its_unit_tests_pass_there() -> None:
    python = shutil.which("python3.9")
    assert python, "make setup puts a python3.9 among the tools"
    check_tests_pass(
        [
            *(
                python,
                "-B",
                "-m",
                "pytest",
                "-q",
                "--confcutdir=tests/unit/plpython",
                "-p",
                "no:cacheprovider",
            ),
            "--ignore=tests/unit/plpython/test_working_days.py",  # the package holidays needs a newer one
            *("-m", "not slow and not long", "tests/unit/plpython"),
        ]
    )
