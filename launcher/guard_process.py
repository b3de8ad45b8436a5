"""The guard: a small process that outlives a killed launcher and ends its batch steps.

It is started as ``python -I -S guard_process.py DIRECTORY TABLE`` with a pipe from the launcher as stdin. TABLE is the
descriptor of a table with the running steps. When the pipe ends, the guard kills the processes of these steps, removes
the launcher's private directory, and exits. It imports as little as it can, to stay small.

The processes of a step are known by three things that they inherit. A script may leave its session or clear its
environment. It keeps its tag: a resource limit, RLIMIT_RTTIME, that is so high that it limits nothing, and differs from
step to step. A limit goes through fork and exec, and others can read it.
"""

# pathlib and contextlib would double what is imported.
# ruff: noqa: PTH106, PTH108, PTH110, PTH118, PTH123, PTH208, SIM105

import fcntl
import mmap
import os
import resource
import signal
import sys
import time
from collections.abc import Iterable

MARKER = b"PGAGENT_STEP_SCRIPT="  # in the environment of every batch step: the path of its script
PLACES = 16384  # of the table: session and tag of a step, eight bytes each, 0 in free ones
TABLE_BYTES = 16 * PLACES
TAG_LIMIT = resource.RLIMIT_RTTIME
DIRECTORY_PREFIX = "pgagent-py-"

QUIET_LOOKS = 3  # that must find nothing in a row: a process on its way into exec can't be recognised yet
LOOK_PAUSE_SECONDS = 0.03
GIVE_UP_SECONDS = 30.0  # after which processes that can't be killed are left


def map_table(descriptor: int) -> memoryview:
    """Map the table of running steps: for each the id of its session, which its process leads, and its tag."""
    return memoryview(mmap.mmap(descriptor, TABLE_BYTES)).cast("q")


def processes_of(session: int, tag: int) -> list[int]:
    """Return the ids of the live processes of a step."""
    return [pid for pid, its_session in _processes() if its_session == session or (tag and _tag(pid) == tag)]


def signal_step(session: int, tag: int, number: int) -> None:
    """Send a signal to all processes of a step, also to those in process groups and sessions of their own."""
    try:
        os.killpg(session, number)
    except (ProcessLookupError, PermissionError):
        pass
    for pid in processes_of(session, tag):
        if number == signal.SIGKILL or _group(pid) != session:
            _kill(pid, number)


def kill_steps(directory: str, sessions: Iterable[int], tags: Iterable[int]) -> None:
    """Kill the processes of running batch steps, found by session, by tag or by the marker in their environment."""
    known = {session for session in sessions if session > 0}
    tagged = {tag for tag in tags if tag > 0}
    for session in known:
        try:
            os.killpg(session, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
    quiet = 0
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while quiet < QUIET_LOOKS and time.monotonic() < deadline:
        victims = [
            pid
            for pid, session in _processes()
            if session in known or _tag(pid) in tagged or _is_marked(pid, directory)
        ]
        quiet = 0 if victims else quiet + 1
        for pid in victims:
            _kill(pid, signal.SIGKILL)
        time.sleep(LOOK_PAUSE_SECONDS)


def remove_directory(directory: str) -> None:
    """Remove a private directory; it holds files only."""
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
    """End the steps, and remove the directories in *parent*, of this user's launchers that died with their guards."""
    for entry in os.scandir(parent):
        if not entry.name.startswith(DIRECTORY_PREFIX):
            continue
        try:
            lock = os.open(entry.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            if os.fstat(lock).st_uid != os.geteuid():
                continue
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its launcher lives
            # by now, the ids of sessions may be those of other processes
            kill_steps(entry.path, (), map(tag_of_script, os.listdir(entry.path)))
            remove_directory(entry.path)
        except OSError:
            continue
        finally:
            os.close(lock)


def _processes() -> Iterable[tuple[int, int]]:
    """Yield process id and session id of every live process."""
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


def _tag(pid: int) -> int:
    """Return the tag of a process, or what else its limit is; 0 if it may not be read: another user's."""
    try:
        return resource.prlimit(pid, TAG_LIMIT)[0]
    except OSError:
        return 0


def tag_of_script(name: str) -> int:
    """Return the tag with which the name of a step's script begins; launchers of 1.0.0 had none, that is 0."""
    tag, dash, _ = name.partition("-")
    return int(tag, 16) if dash else 0


def _is_marked(pid: int, directory: str) -> bool:
    """Return whether a process comes from a running step of *directory*: one whose script is still there."""
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
    """Wait for the launcher's end, then clean up after it. A byte from the launcher says that no step is running."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # a launcher that is told to stop still needs its guard
    table = map_table(int(descriptor))
    if not os.read(0, 1):
        kill_steps(directory, table[::2], table[1::2])
    remove_directory(directory)


if __name__ == "__main__":
    main(*sys.argv[1:])
