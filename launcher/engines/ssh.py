"""The engine ssh: batch steps on other hosts, over connections that the steps of a host share. They end with the launcher.

Keys, the agent, known hosts and ~/.ssh/config are those of OpenSSH.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..batch_step import interpreter
from ..output import Output, with_lines
from .interface import ENDED, RUNNING, EngineError, State, Task

OUTLIVES_LAUNCHER = False
LOOK_SECONDS = 0.1

CONNECT_SECONDS = 30.0
LOST = "The connection to {} was lost, so how the script ended is not known. It may go on there."

# The script comes by stdin, into a private file. The shell is the leader of a session: its id is that of all processes.
REMOTE = """umask 077; f=$(mktemp) || exit 126; cat > "$f"; chmod 700 "$f"; trap : TERM; echo $$
{exports}
{command} "$f" < /dev/null; c=$?; rm -f "$f"; exit $c"""


@dataclass(slots=True)
class Remote:
    """A script on another host."""

    host: str
    connection: Any
    process: Any
    stdout: Output
    stderr: Output
    group: str = ""
    end: State | None = None
    reading: list[asyncio.Task[None]] = field(default_factory=list)


_connections: dict[tuple[str, str, int], asyncio.Future[Any]] = {}
_remotes: dict[str, Remote] = {}


async def submit(task: Task) -> str:
    """Start the script on the host."""
    host = str(task.options.get("host", ""))
    if not host:
        raise EngineError('ssh needs the engine option "host"')
    connection = await _connect(host, task)
    code = task.run.jstcode.removeprefix("\ufeff").replace("\r\n", "\n")
    exports = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in task.variables.items())
    command = REMOTE.format(exports=exports, command=" ".join(map(shlex.quote, interpreter(code))))
    try:
        process = await connection.create_process(f"exec sh -c {shlex.quote(command)}", encoding=None)
    except Exception as error:
        raise EngineError(f"the script can't be started on {host}: {error}") from None
    remote = Remote(host, connection, process, Output(task.output_limit), Output(task.output_limit))
    _remotes[task.name] = remote
    process.stdin.write(code.encode("utf-8", "surrogateescape"))
    process.stdin.write_eof()
    remote.reading = [asyncio.create_task(_watch(remote))]
    return f"{host} {task.name}"


async def look(tasks: Sequence[Task]) -> Mapping[str, State]:
    """Return which scripts have ended."""
    found: dict[str, State] = {}
    for task in tasks:
        remote = _remotes.get(task.name)
        if remote is None:
            found[task.name] = State(ENDED, "The launcher that had the connection is gone.")
        else:
            found[task.name] = remote.end or State(RUNNING)
    return found


async def cancel(task: Task, kill: bool) -> None:
    """End all processes of the script."""
    remote = _remotes.get(task.name)
    if remote is None or not remote.group.isdigit():
        return
    number = "KILL" if kill else "TERM"
    try:
        await remote.connection.run(f"kill -{number} -- -{remote.group}", check=False)
    except Exception:  # the connection is lost: `look` says so
        return


async def output(task: Task) -> str:
    """Return what it has written until now."""
    remote = _remotes.get(task.name)
    if remote is None:
        return ""
    if remote.end is not None:
        del _remotes[task.name]
    text = remote.stdout.text()
    if len(remote.stderr):
        text = with_lines(text, "Standard error:") + remote.stderr.text(task.output_limit // 2)
    return text


async def _connect(host: str, task: Task) -> Any:
    """Return a connection to the host: one for all steps."""
    key = host, str(task.options.get("user", "")), int(str(task.options.get("port", 0)) or 0)
    known = _connections.get(key)
    if known is None or (
        known.done() and (known.cancelled() or known.exception() or known.result().is_closed())
    ):
        known = _connections[key] = asyncio.ensure_future(_open(*key))
    try:
        return await asyncio.shield(known)
    except EngineError:
        raise
    except Exception as error:
        raise EngineError(f"there is no connection to {host}: {error or type(error).__name__}") from None


async def _open(host: str, user: str, port: int) -> Any:
    try:
        import asyncssh
    except ImportError:
        raise EngineError(
            "asyncssh is not installed: pip install 'pgagent_py[ssh]' for the launcher"
        ) from None
    given: dict[str, Any] = {}
    if user:
        given["username"] = user
    if port:
        given["port"] = port
    return await asyncio.wait_for(asyncssh.connect(host, keepalive_interval=15, **given), CONNECT_SECONDS)


async def _watch(remote: Remote) -> None:
    """Read what the script writes, until it ends. Its first line is the id of its session."""
    try:
        remote.group = (await remote.process.stdout.readline()).decode("ascii", "replace").strip()
        await asyncio.gather(
            _read(remote.process.stdout, remote.stdout), _read(remote.process.stderr, remote.stderr)
        )
        await remote.process.wait_closed()
        code, signalled = remote.process.exit_status, remote.process.exit_signal
    except Exception:
        code, signalled = None, None
    if signalled:
        remote.end = State(ENDED, f"The shell on {remote.host} was killed by signal {signalled[0]}.", 137)
    elif code is None or code < 0:
        remote.end = State(ENDED, LOST.format(remote.host))
    elif code > 128:
        remote.end = State(ENDED, f"The script was killed by signal {code - 128}.", code)
    else:
        remote.end = State(ENDED, "", code)


async def _read(stream: Any, output: Output) -> None:
    while data := await stream.read(65536):
        output.write(data)
