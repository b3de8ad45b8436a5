"""The engine ssh: batch steps on other hosts, over connections that the steps of a host share. They end with the launcher.

Keys, the agent, known hosts and ~/.ssh/config are those of OpenSSH.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ..output import Output
from ..threads import in_thread
from .interface import ENDED, RUNNING, EngineError, NotYetError, State, Task, after, killed_by

OUTLIVES_LAUNCHER = False
LOOK_SECONDS = 0.1

CONNECT_SECONDS = 30.0
IDLE_SECONDS = 60.0  # after which a connection without steps is closed
# Steps over one connection. OpenSSH's server allows 10 sessions (MaxSessions), and to end a step takes one, too.
SESSIONS = 6
MARK = "pgagent_py "  # what a user's shell writes at its start comes before it
LOST = "The connection to {} was lost, so how the script ended is not known. It may go on there."

# The script comes by stdin, into a private file. Of one that was cut off nothing is executed. The shell is the leader of a
# session: its id is that of all processes.
REMOTE = """umask 077; f=$(mktemp) || exit 126; cat > "$f"; chmod 700 "$f"; trap : TERM; echo {mark}$$
[ $(wc -c < "$f") -eq {size} ] || {{ rm -f "$f"; exit 126; }}
{exports}
{command} "$f" < /dev/null; c=$?; rm -f "$f"; exit $c"""

Key = tuple[str, str, int]  # host, user, port


@dataclass(slots=True)
class Shared:
    """A connection. *full*: the server refuses another session."""

    opening: asyncio.Future[Any]
    sessions: int = 0
    full: bool = False

    @property
    def is_lost(self) -> bool:
        """Whether it could not be made, or is closed."""
        done = self.opening
        return done.done() and (done.cancelled() or done.exception() is not None or done.result().is_closed())

    @property
    def has_room(self) -> bool:
        """Whether it may take another step."""
        return not (self.full or self.is_lost) and self.sessions < SESSIONS


@dataclass(slots=True)
class Remote:
    """A script on another host."""

    key: Key
    shared: Shared
    process: Any
    group: str = ""
    end: State | None = None
    reading: list[asyncio.Task[None]] = field(default_factory=list)


_connections: dict[Key, list[Shared]] = {}


async def submit(task: Task) -> str:
    """Start the script on the host."""
    host = str(task.options.get("host", ""))
    if not host:
        raise EngineError('ssh needs the engine option "host"')
    key = host, str(task.options.get("user", "")), _port(task)
    data = task.script.encode("utf-8", "surrogateescape")
    command = REMOTE.format(
        mark=MARK,
        size=len(data),
        exports="\n".join(f"export {name}={shlex.quote(value)}" for name, value in task.variables.items()),
        command=" ".join(map(shlex.quote, task.command)),
    )
    shared, process = await _session(key, f"exec sh -c {shlex.quote(command)}")
    if task.cancelled or not task.may_begin():  # any more: it may have taken long
        process.close()
        _give_back(key, shared)
        raise NotYetError(after(0.0))
    remote = task.kept = Remote(key, shared, process)
    process.stdin.write(data)
    process.stdin.write_eof()
    remote.reading = [asyncio.create_task(_watch(task, remote))]
    return f"{host} {task.name}"


def _port(task: Task) -> int:
    """Return the port that the step asks for, 0 if it does not."""
    port = str(task.options.get("port", "")) or "0"
    if not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise EngineError('the engine option "port" has to be a number below 65536')
    return int(port)


async def look(tasks: Sequence[Task]) -> Mapping[str, State]:
    """Return which scripts have ended."""
    return {task.name: _state(task) for task in tasks}


def _state(task: Task) -> State:
    if task.kept is None:
        return State(ENDED, "" if task.cancelled else "The launcher that had the connection is gone.")
    return task.kept.end or State(RUNNING)


async def cancel(task: Task, kill: bool) -> None:
    """End all processes of the script."""
    remote = task.kept
    if remote is None or not remote.group.isdigit():
        return
    command = f"kill -{'KILL' if kill else 'TERM'} -- -{remote.group}"
    with contextlib.suppress(Exception):  # if the connection is lost `look` says so
        try:
            await remote.shared.opening.result().run(command, check=False)
        except _errors("ChannelOpenError"):
            async with await _open(*remote.key) as another:
                await another.run(command, check=False)


async def output(task: Task) -> str:
    """Return what it has written until now."""
    return task.text()


async def _session(key: Key, command: str) -> tuple[Shared, Any]:
    """Begin a command over a connection that others share. It reads what is to be executed, so it may be begun again."""
    lost = 0
    while True:
        shared = await _connect(key)
        try:
            return shared, await shared.opening.result().create_process(command, encoding=None)
        except _errors("ChannelOpenError") as error:
            _give_back(key, shared)
            shared.full, words = shared.sessions > 0, error
            if shared.full:
                continue
        except Exception as error:
            _give_back(key, shared)
            shared.full, words, lost = True, error, lost + 1
            if lost == 1:  # the server may have closed it while nobody used it
                continue
        raise EngineError(f"the script can't be started on {key[0]}: {words or type(words).__name__}")


async def _connect(key: Key) -> Shared:
    """Return a connection to the host with a place for another session, which is taken."""
    known = _connections[key] = [shared for shared in _connections.get(key, ()) if not shared.is_lost]
    shared = next((shared for shared in known if shared.has_room), None)
    if shared is None:
        shared = Shared(asyncio.ensure_future(_open(*key)))
        known.append(shared)
    shared.sessions += 1
    try:
        await asyncio.shield(shared.opening)
    except EngineError:
        raise
    except Exception as error:
        raise EngineError(f"there is no connection to {key[0]}: {error or type(error).__name__}") from None
    return shared


def _give_back(key: Key, shared: Shared) -> None:
    """Give back the place of a session; a connection that nobody uses is closed after a while."""
    shared.sessions -= 1
    shared.full = False

    def close() -> None:
        if not shared.sessions and not shared.is_lost:
            shared.opening.result().close()
            if shared in _connections.get(key, ()):
                _connections[key].remove(shared)

    if not shared.sessions:
        asyncio.get_running_loop().call_later(IDLE_SECONDS, close)


def _errors(name: str) -> Any:
    """Return a class of asyncssh's errors: it is there, or there would be no connection."""
    import asyncssh

    return getattr(asyncssh, name)


async def _open(host: str, user: str, port: int) -> Any:
    try:
        import asyncssh
    except ImportError:
        raise EngineError(
            "asyncssh is not installed: pip install 'pgagent_py[ssh]' for the launcher"
        ) from None
    given: dict[str, Any] = {"host": host, "keepalive_interval": 15}
    if user:
        given["username"] = user
    if port:
        given["port"] = port
    async with asyncio.timeout(CONNECT_SECONDS):
        options = await in_thread(partial(asyncssh.SSHClientConnectionOptions, **given))
        return await asyncssh.connect(**given, known_hosts=options.known_hosts or _known_hosts())


def _known_hosts() -> list[str]:
    """Return OpenSSH's own files of known hosts, where ~/.ssh/config names none.

    asyncssh takes "none" there as leave to trust every host, and does not read the second file by itself.
    """
    files = Path.home() / ".ssh/known_hosts", Path("/etc/ssh/ssh_known_hosts")
    return [str(file) for file in files if os.access(file, os.R_OK)]


async def _watch(task: Task, remote: Remote) -> None:
    """Read what the script writes, until it ends. Its first line is the id of its session."""
    try:
        while line := await remote.process.stdout.readline():
            if line.startswith(MARK.encode()):
                remote.group = line.decode("ascii", "replace").removeprefix(MARK).strip()
                break
            task.stdout.write(line)
        await asyncio.gather(
            _read(remote.process.stdout, task.stdout), _read(remote.process.stderr, task.stderr)
        )
        await remote.process.wait_closed()
        code, signalled = remote.process.exit_status, remote.process.exit_signal
    except Exception:
        code, signalled = None, None
    _give_back(remote.key, remote.shared)
    host = remote.key[0]
    if signalled:
        remote.end = State(ENDED, f"The shell on {host} was killed by signal {signalled[0]}.", 137)
    elif code is None or code < 0:
        remote.end = State(ENDED, LOST.format(host))
    else:
        remote.end = State(ENDED, killed_by(code), code)


async def _read(stream: Any, output: Output) -> None:
    while data := await stream.read(65536):
        output.write(data)
