"""The record of a try: what it leaves in the engine directory, which launchers and nodes share.

It is a folder with the script, its output and its exit code. Beside it is a file that says that the script has begun. It is
made once and for ever, by whoever is first: the job when it begins, or a launcher that wants it never to begin.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import shutil
import time
from collections.abc import Collection, Sequence
from pathlib import Path

from ..output import Output, with_lines
from .interface import EngineError, Task, UnreachableError

BOOKED_SECONDS = 3600.0  # how long the record of a booked step is kept: a standby may not know of the booking
LEFT_SECONDS = (
    30 * 86400.0
)  # the same for a step that no launcher has any more, since one was last seen to have it
NEVER = "-"  # in the file of a script that never begins
MISTAKES = {
    errno.EACCES,
    errno.EPERM,
    errno.ENOTDIR,
    errno.EEXIST,
    errno.EROFS,
    errno.ENAMETOOLONG,
    errno.ELOOP,
}

# dash and bash make the file with O_EXCL because of set -C. The trap lets the script be ended, and not its record. The shell
# reads the script while it runs, so the script is never written again, only replaced.
WRAPPER = """#!/bin/sh
umask 077
(set -C; echo "{job}" > {started}) 2>/dev/null || exit 0
trap : TERM INT
cd {folder} || exit 126
{exports}
{command} {script} > {folder}/stdout 2> {folder}/stderr < /dev/null
echo $? > {folder}/exit.new
mv {folder}/exit.new {folder}/exit
"""


class Record:
    """The record of one try. Its methods raise `UnreachableError` while the directory can't be read or written."""

    def __init__(self, task: Task) -> None:
        """Make nothing yet."""
        self._task = task
        self.folder = task.directory / task.name
        self.started = task.directory / f"{task.name}.started"

    def make(self) -> bool:
        """Make the folder; return whether it was not there. Raises `EngineError` if that can't be."""
        try:
            self._task.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                self.folder.mkdir(mode=0o700)
            except FileExistsError:
                return False
        except OSError as error:
            words = f"the engine directory {self._task.directory} can't be used: {error.strerror}"
            raise (EngineError if error.errno in MISTAKES else UnreachableError)(words) from None
        return True

    def write(self, job: str, unset: Sequence[str] = ()) -> Path:
        """Write the script and a wrapper for it; return that. *job* is how a shell names the job and its place.

        *unset*: variables of the engine that are not for the script.
        """
        task = self._task
        variables = {
            "PATH": os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin"),
            "HOME": str(Path.home()),
            "LANG": os.environ.get("LANG", "C.UTF-8"),
            **task.variables,
        }
        wrapper = WRAPPER.format(
            job=job,
            started=shlex.quote(str(self.started)),
            folder=shlex.quote(str(self.folder)),
            exports="\n".join(
                [f"unset {name}" for name in unset]
                + [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
            ),
            command=" ".join(map(shlex.quote, task.command)),
            script=shlex.quote(str(self.folder / "script")),
        )
        self._replace("script", task.script)
        self._replace("wrapper", wrapper)
        return self.folder / "wrapper"

    def begun_as(self) -> str:
        """Return the job and the place as which the script has begun, "" if it has not."""
        text = self._read(self.started)
        if text is None or text.strip() == NEVER:
            return ""
        return text.strip() or "unknown"  # it is just beginning

    def take_start(self) -> bool:
        """Make sure that the script does not begin any more; return False if it has begun."""
        self.make()
        try:
            with os.fdopen(os.open(self.started, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(NEVER)
        except FileExistsError:
            return not self.begun_as()
        except OSError as error:
            raise UnreachableError(f"the engine directory can't be written: {error.strerror}") from None
        return True

    def exit_code(self, *, afresh: bool = False) -> int | None:
        """Return the script's exit code, None if there is none yet. *afresh*: past what a network file system has cached."""
        if afresh:
            with contextlib.suppress(OSError):
                next(self.folder.iterdir(), None)
        text = (self._read(self.folder / "exit") or "").strip()
        return None if not text else int(text) if text.isdigit() else -1

    def output(self) -> str:
        """Return what the script has written until now."""
        limit = self._task.output_limit
        text, errors = _ends_of(self.folder / "stdout", limit), _ends_of(self.folder / "stderr", limit // 2)
        return with_lines(text, "Standard error:") + errors if errors else text

    def _replace(self, name: str, text: str) -> None:
        new = self.folder / f"{name}.{os.getpid()}"
        try:
            new.write_text(text, encoding="utf-8", errors="surrogateescape")
            new.chmod(0o700)
            new.replace(self.folder / name)
        except OSError as error:
            raise UnreachableError(f"the engine directory can't be written: {error.strerror}") from None

    def _read(self, path: Path) -> str | None:
        try:
            return path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UnreachableError(f"the engine directory can't be read: {error.strerror}") from None


def _ends_of(path: Path, limit: int) -> str:
    """Return a file, or its beginning and its end."""
    kept = Output(limit)
    try:
        with path.open("rb") as file:
            left_out = os.fstat(file.fileno()).st_size - 2 * limit
            kept.write(file.read(limit if left_out > 0 else 2 * limit))
            if left_out > 0:
                kept.skip(left_out)
                file.seek(left_out, os.SEEK_CUR)
                kept.write(file.read(limit))
    except OSError:
        return ""
    return kept.text()


def tidy(directory: Path, in_progress: Collection[str], booked: Collection[str]) -> None:
    """Remove the records of steps that are long over. These names are of steps *in_progress* and of those just *booked*.

    Each launcher marks its own, so that another one knows what is still needed. The folder goes first: without it, a job that
    is late can't run the script.
    """
    for name in booked:
        with contextlib.suppress(OSError):
            (directory / name / "booked").touch()
    for name in in_progress:
        with contextlib.suppress(OSError):
            os.utime(directory / name)
    now = time.time()
    for path in directory.glob("pgagent-*"):
        with contextlib.suppress(OSError):
            if path.suffix == ".started":
                if not path.with_suffix("").exists() and now - path.stat().st_mtime > BOOKED_SECONDS:
                    path.unlink()
            elif path.is_dir():
                kept = BOOKED_SECONDS if (path / "booked").exists() else LEFT_SECONDS
                if now - path.stat().st_mtime > kept:
                    shutil.rmtree(path)
