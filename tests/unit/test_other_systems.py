"""What only Linux has is in a few files of the launcher: the others load, and their unit tests pass, without it."""

import re
import sys
from pathlib import Path

import pytest

from tests.helpers.other_python import TOP, check_tests_pass

# signals and exit status; the engine local and its processes
OF_LINUX = ("main", "command", "engines.local", "processes", "guard", "guard_process", "script_directory")

# Python's own modules and pytest come first: on another system they do without.
ELSEWHERE = f"""
import asyncio, os, signal, subprocess, sys
from pathlib import Path
import psutil, psycopg, pytest
gone = {{
    os: "pidfd_open memfd_create posix_spawn fork killpg waitid getuid geteuid nice mkfifo statvfs uname O_NOFOLLOW O_DIRECTORY",
    signal: "SIGKILL SIGHUP SIGUSR1 SIGUSR2 SIGALRM SIGSTOP pthread_sigmask setitimer ITIMER_REAL alarm",
}}
class Elsewhere:
    def pytest_collection(self):
        for name in ("fcntl", "resource", "termios", "pwd", "grp", "tty", "pty", "syslog"):
            sys.modules[name] = None
        for module, names in gone.items():
            for name in names.split():
                delattr(module, name)
        subprocess._USE_POSIX_SPAWN = False  # as it finds out itself when it is loaded there
        for path in sorted(Path("launcher").rglob("*.py")):
            module = ".".join(path.relative_to("launcher").with_suffix("").parts).removesuffix(".__init__")
            if module not in {OF_LINUX!r}:
                __import__("launcher." + module)
words = "-q --confcutdir=tests/unit -p no:cacheprovider -m".split() + ["not slow and not long"]
sys.exit(pytest.main([*words, *sys.argv[1:]], plugins=[Elsewhere()]))
"""


@pytest.mark.slow
def test_the_launcher_loads_and_its_unit_tests_pass_without_what_only_linux_has(tmp_path: Path) -> None:
    tests = [
        str(path.relative_to(TOP))
        for path in sorted((TOP / "tests/unit").glob("test_*.py"))
        if re.search(r"(?m)^(from launcher|import pgagent_py_launcher)\b", path.read_text())
        and path.name != "test_packaging.py"  # of systemd's units
    ]
    assert len(tests) >= 8
    check_tests_pass([sys.executable, "-B", "-c", ELSEWHERE, f"--basetemp={tmp_path}", *tests])
