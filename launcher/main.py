"""The command pgagent-py: signals, log, exit status."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys

from .agent import Agent
from .handshake import CannotServeError
from .log import open_log
from .options import Options, parser, read_options
from .threads import reserve_threads

logger = logging.getLogger("pgagent_py")


def main() -> int:
    """Run the launcher; return its exit status: 0 when told to stop, 1 when it can't serve, 2 for a wrong option."""
    options = read_options(sys.argv[1:])
    try:
        open_log(options.log_file, options.log_level)
    except OSError as error:
        parser().error(f"-s: {error}")
    try:
        asyncio.run(_serve(options))
    except CannotServeError as error:
        logger.error("action=exit %s", error)
        return 1
    finally:
        _end_log()
    return 0


async def _serve(options: Options) -> None:
    """Serve until SIGTERM or SIGINT."""
    reserve_threads()
    agent = Agent(options)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, agent.stop)
    await agent.run()


def _end_log() -> None:
    """Flush the log. Python would end with another exit status if nobody reads it any more."""
    try:
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


if __name__ == "__main__":
    sys.exit(main())
