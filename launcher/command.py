"""The command pgagent-py: log, signals while it serves, exit status."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys

from .agent import Agent
from .handshake import CannotServeError, launcher_version
from .log import Event, open_log, reopen_log
from .main import SIGNALS, STOP_SIGNALS
from .options import Options, parser, read_options
from .threads import reserve_threads

logger = logging.getLogger("pgagent_py")


def run() -> int:
    """Run the launcher; return its exit status."""
    options = read_options(sys.argv[1:])
    try:
        open_log(options.log_file, options.log_level, options.log_format)
    except OSError as error:
        parser().error(f"-s: {error}")
    logger.info(Event("start", version=launcher_version(), pid=os.getpid()))
    try:
        asyncio.run(_serve(options))
    except CannotServeError as error:
        logger.error(Event("exit", error))
        return 1
    finally:
        _end_log()
    return 0


async def _serve(options: Options) -> None:
    """Serve until SIGTERM or SIGINT. Then they change nothing any more: the loop would put their default action back."""
    reserve_threads()
    agent = Agent(options)
    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, agent.stop)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reopen_log)
    try:
        await agent.run()
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def _end_log() -> None:
    """Flush the log. Python would end with another exit status if nobody reads it any more."""
    try:
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
