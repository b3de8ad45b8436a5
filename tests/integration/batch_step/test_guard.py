"""launcher/guard_process.py: no script outlives its launcher, however that ends."""

import os
import re
import signal
import stat
from pathlib import Path

import psutil

from launcher import guard_process
from launcher.processes import Processes
from tests.helpers import wait_for
from tests.helpers.batch_steps import guard_of, guards, processes, start_launcher

# What a daemon does to get away, and its parent goes on.
DAEMON = """#!/usr/bin/env python3
import os
def daemon(*command, env):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for fd in range(3):
                os.close(fd)
            os.execvpe(command[0], command, env)
        os._exit(0)
    os.wait()
"""


def escapes(number: str) -> list[str]:
    """Return scripts that do what they can to have a process that outlives them."""
    return [
        f"sleep {number}",
        f"trap '' TERM HUP INT; sleep {number} & sleep {number}",
        f"timeout {number} sleep {number}",
        f"setsid sleep {number} & sleep {number}",
        f"exec env -i sleep {number}",
        f"env -i sleep {number} & sleep {number}",
        f"(sleep {number} &) ; sleep {number}",
        f"(env -i setsid sleep {number} > /dev/null 2>&1 &) ; sleep {number}",
        f"{DAEMON}daemon('sleep', '{number}', env={{}})\nos.execlp('sleep', 'sleep', '{number}')",
        f"#!/bin/bash\nset -m; sleep {number} & nohup sleep {number}",
    ]


def test_scripts_die_with_a_launcher_that_is_killed(long: str, directory: Path) -> None:
    scripts = escapes(long)
    launcher = start_launcher(*scripts)
    expected = sum(script.count(long) for script in scripts)
    wait_for(lambda: len(processes(long)) >= expected, what="all processes of all scripts")
    its_guard = guard_of(launcher)
    launcher.kill()
    launcher.wait()
    wait_for(lambda: not processes(long), what="the end of the scripts")
    wait_for(lambda: not its_guard.is_running(), what="the end of the guard")
    assert list(directory.iterdir()) == []


def test_scripts_die_at_whatever_instant_the_launcher_is_killed(long: str, directory: Path) -> None:
    """When it has just made its private directory, and when it has started one of 30 scripts, two, three, ..."""
    for attempt in range(25):
        launcher = start_launcher(*[f"sleep {long}"] * 30)
        wait_for(
            lambda: list(directory.glob(f"{guard_process.DIRECTORY_PREFIX}*")), what="the private directory"
        )
        wait_for(lambda: len(list(directory.glob("*/*"))) >= attempt, what="the scripts", every=0)  # noqa: B023
        launcher.kill()
        launcher.wait()
        wait_for(lambda: not guards(), what="the guard's end")
        assert not processes(long), attempt
    Processes()  # removes the directory of a launcher that was killed before it had a guard


def test_a_script_that_had_ended_keeps_what_it_left_running(long: str, directory: Path) -> None:
    other = f"{long}1"
    launcher = start_launcher(f"setsid sleep {long} > /dev/null 2>&1 &", f"sleep {other}")
    wait_for(lambda: processes(long) and processes(other), what="both")
    private = next(directory.iterdir())
    wait_for(lambda: len(list(private.iterdir())) == 1, what="the end of the first script")
    launcher.kill()
    launcher.wait()
    wait_for(lambda: list(directory.iterdir()) == [], what="the guard's end")
    assert processes(long)
    assert not processes(other)


def test_signals_to_the_launchers_process_group_leave_the_guard_at_work(long: str, directory: Path) -> None:
    launcher = start_launcher(f"sleep {long}")
    wait_for(lambda: processes(long), what="the script")
    its_guard = guard_of(launcher)
    assert os.getsid(its_guard.pid) != os.getsid(launcher.pid)
    wait_for(
        lambda: its_guard.num_threads() and "sigign" in _signals(its_guard.pid), what="the guard's start"
    )
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        its_guard.send_signal(number)
    os.killpg(launcher.pid, signal.SIGKILL)
    launcher.wait()
    wait_for(lambda: not processes(long), what="the end of the script")
    wait_for(lambda: list(directory.iterdir()) == [], what="the guard's end")


def _signals(pid: int) -> str:
    """Return "sigign" once a process ignores SIGTERM."""
    text = Path(f"/proc/{pid}/status").read_text()
    mask = int(re.search(r"SigIgn:\s+(\w+)", text)[1], 16)  # type: ignore[index]
    return "sigign" if mask >> (signal.SIGTERM - 1) & 1 else ""


def test_a_guard_that_dies_is_replaced_and_no_step_notices(long: str, directory: Path) -> None:
    launcher = start_launcher(f"sleep {long}")
    wait_for(lambda: processes(long), what="the script")
    first = guard_of(launcher)
    first.kill()

    def second() -> psutil.Process | None:
        children = psutil.Process(launcher.pid).children()
        found = [c for c in children if guard_process.__file__ in _arguments(c) and c.pid != first.pid]
        return found[0] if found else None

    wait_for(second, what="another guard")
    assert processes(long)
    launcher.kill()
    launcher.wait()
    wait_for(lambda: not processes(long), what="the end of the script")
    wait_for(lambda: list(directory.iterdir()) == [], what="the guard's end")


def _arguments(process: psutil.Process) -> list[str]:
    """Return a process's arguments; none if it is gone."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def test_what_outlived_launcher_and_guard_is_ended_by_the_next_launcher(long: str, directory: Path) -> None:
    launcher = start_launcher(
        f"sleep {long}", f"setsid sleep {long} & sleep {long}", f"env -i setsid sleep {long} & sleep {long}"
    )
    wait_for(lambda: len(processes(long)) == 5, what="the scripts")
    bystander = start_launcher(f"sleep {long}1")
    wait_for(lambda: processes(f"{long}1"), what="another launcher's script")
    its_guard = guard_of(launcher)
    os.kill(its_guard.pid, signal.SIGSTOP)  # so that it can't act between the two deaths
    launcher.kill()
    its_guard.kill()
    launcher.wait()
    assert len(processes(long)) == 5
    Processes()
    assert not processes(long)
    assert processes(f"{long}1")  # its launcher lives
    assert len(list(directory.iterdir())) == 1
    bystander.kill()
    bystander.wait()
    wait_for(lambda: list(directory.iterdir()) == [], what="its guard's end")


def test_foreign_directories_are_left_alone(directory: Path) -> None:
    other = directory / f"{guard_process.DIRECTORY_PREFIX}file"
    other.write_text("x")
    link = directory / f"{guard_process.DIRECTORY_PREFIX}link"
    target = directory / "target"
    target.mkdir()
    (target / "file").write_text("x")
    link.symlink_to(target)
    Processes()
    assert other.read_text() == "x"
    assert (target / "file").read_text() == "x"
    assert stat.S_ISLNK(link.lstat().st_mode)
    for path in (other, link, target / "file"):
        path.unlink()
    target.rmdir()


def test_the_guard_is_small(long: str) -> None:
    launcher = start_launcher(f"sleep {long}")
    wait_for(lambda: processes(long), what="the script")
    its_guard = guard_of(launcher)
    wait_for(lambda: _signals(its_guard.pid), what="the guard's start")
    assert its_guard.memory_info().rss < 16_000_000
    launcher.kill()
    launcher.wait()
    wait_for(lambda: not its_guard.is_running(), what="the guard's end")
