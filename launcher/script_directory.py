"""The private directory in which a launcher puts the scripts of its batch steps."""

# Steps start by the hundred per second; pathlib would show in that.
# ruff: noqa: PTH101, PTH102, PTH108, PTH112, PTH118

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import tempfile

from . import guard_process


class ScriptDirectory:
    """A directory for this launcher alone. It is locked for as long as the launcher lives."""

    def __init__(self) -> None:
        """Make it. Raises `OSError`."""
        self.path, self._lock = _make_directory()

    def write(self, code: str, tag: int) -> str:
        """Write *code* to a new file that only this user can read and execute; return its path. Raises `OSError`.

        Its name tells the *tag* of the step's processes.
        """
        path = os.path.join(self.path, f"{tag:x}-{secrets.token_hex(8)}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        try:
            descriptor = os.open(path, flags, 0o700)
        except (FileNotFoundError, PermissionError):
            with contextlib.suppress(FileExistsError):
                os.mkdir(self.path, 0o700)  # somebody tidied up; nobody else can have made it again
            os.chmod(self.path, 0o700)  # or a step has changed the rights on it
            descriptor = os.open(path, flags, 0o700)
        try:
            rest = memoryview(code.encode())
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        except OSError:
            os.unlink(path)
            raise
        finally:
            os.close(descriptor)
        return path

    def remove(self) -> None:
        """Remove it with its files."""
        guard_process.remove_directory(self.path)
        self.unlock()

    def unlock(self) -> None:
        """Give up the lock: the directory may be removed by others."""
        os.close(self._lock)


def sweep_directories() -> None:
    """Kill and remove what launchers left that died together with their guards."""
    with contextlib.suppress(OSError):
        guard_process.sweep(tempfile.gettempdir())


def _make_directory() -> tuple[str, int]:
    """Make the directory; return its path, and a descriptor that holds its lock."""
    while True:
        path = tempfile.mkdtemp(prefix=guard_process.DIRECTORY_PREFIX)  # mode 0700, unpredictable name
        try:
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except FileNotFoundError:
            continue  # another launcher that started at this moment took it for a dead launcher's
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        if os.path.isdir(path):
            return path, lock
        os.close(lock)
