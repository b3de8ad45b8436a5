"""The guard: a small process that outlives a killed launcher and ends what its batch steps have running.

Started as ``python -I -S guard_process.py DIRECTORY SESSIONS`` with a pipe from the launcher as stdin; SESSIONS is a
descriptor of a table with the session ids of the running steps. When the pipe ends, it kills the processes of these
steps, removes the launcher's private directory, and exits. It imports as little as it can, to stay small.
"""

# pathlib and contextlib would double what is imported.
# ruff: noqa: PTH106, PTH108, PTH110, PTH118, PTH123, PTH208, SIM105

import fcntl
import mmap
import os
import signal
import sys
import time
from collections.abc import Iterable

MARKER = b"PGAGENT_STEP_SCRIPT="  # in the environment of every batch step: the path of its script
PLACES = 16384  # of the table of sessions, four bytes each; 0 in free ones
PREFIX = "pgagent-py-"  # of private directories

ROUNDS_QUIET = 3  # looks that must find nothing: a process on its way into exec can't be recognised yet
PAUSE = 0.03  # seconds between looks
LONGEST = 30.0  # seconds after which what can't be killed is left


def map_sessions(descriptor: int) -> memoryview:
    """Map the table of sessions: one id per running step, which leads a session of its own."""
    return memoryview(mmap.mmap(descriptor, 4 * PLACES)).cast("i")


def processes_of(session: int) -> list[int]:
    """Return the ids of the live processes of a session."""
    return [pid for pid, its_session in _processes() if its_session == session]


def signal_session(session: int, number: int) -> None:
    """Send a signal to all processes of a session, whatever process group they made for themselves."""
    try:
        os.killpg(session, number)
    except (ProcessLookupError, PermissionError):
        pass
    for pid in processes_of(session):
        if number == signal.SIGKILL or _group(pid) != session:
            _kill(pid, number)


def kill_steps(directory: str, sessions: Iterable[int]) -> None:
    """Kill the processes of running batch steps, found by session or by the marker in their environment."""
    known = {session for session in sessions if session > 0}
    for session in known:
        try:
            os.killpg(session, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
    quiet = 0
    deadline = time.monotonic() + LONGEST
    while quiet < ROUNDS_QUIET and time.monotonic() < deadline:
        victims = [pid for pid, session in _processes() if session in known or _is_marked(pid, directory)]
        quiet = 0 if victims else quiet + 1
        for pid in victims:
            _kill(pid, signal.SIGKILL)
        time.sleep(PAUSE)


def remove_directory(directory: str) -> None:
    """Remove a private directory; it has no directories in it."""
    try:
        for name in os.listdir(directory):
            try:
                os.unlink(os.path.join(directory, name))
            except FileNotFoundError:
                pass
        os.rmdir(directory)
    except FileNotFoundError:
        pass


def sweep(parent: str) -> None:
    """Kill and remove what launchers of this user left in *parent* if they died together with their guards."""
    for entry in os.scandir(parent):
        if not entry.name.startswith(PREFIX):
            continue
        try:
            lock = os.open(entry.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            if os.fstat(lock).st_uid != os.geteuid():
                continue
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its launcher lives
            kill_steps(entry.path, ())  # the ids of sessions may be others' by now
            remove_directory(entry.path)
        except OSError:
            continue
        finally:
            os.close(lock)


def _processes() -> Iterable[tuple[int, int]]:
    """Give process id and session id of every live process."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            fields = _stat(int(name))
            if fields and fields[0] not in (b"Z", b"X"):
                yield int(name), int(fields[3])


def _group(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[2]) if fields else 0


def _stat(pid: int) -> list[bytes]:
    """Return the fields after the command's name: state, parent, group, session, ..."""
    try:
        with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return []


def _is_marked(pid: int, directory: str) -> bool:
    """Whether a process comes from a step of *directory* that is running: its script is still there."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            environment = b"\0" + file.read()
    except OSError:
        return False
    script = environment.partition(b"\0" + MARKER + os.fsencode(directory) + b"/")[2].partition(b"\0")[0]
    return bool(script) and os.path.exists(os.path.join(os.fsencode(directory), script))


def _kill(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


def main(directory: str, descriptor: str) -> None:
    """Wait for the launcher's end, then clean up after it; a byte from it says that no step is running."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a launcher that is told to stop still needs its guard
    sessions = map_sessions(int(descriptor))
    if not os.read(0, 1):
        kill_steps(directory, sessions)
    remove_directory(directory)


if __name__ == "__main__":
    main(*sys.argv[1:])
