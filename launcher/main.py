"""The command pgagent-py: options, logging, exit status."""

from __future__ import annotations

import asyncio
import logging
import os
import sys

from .handshake import CannotServeError
from .loop import Launcher
from .options import LEVELS, parser, read_options

logger = logging.getLogger("pgagent_py")


def main() -> int:
    """Run the launcher; return its exit status: 0 when told to stop, 1 when it can't serve, 2 for a wrong option."""
    options, given = read_options(sys.argv[1:])
    try:
        logging.basicConfig(
            filename=given.s, level=LEVELS[given.l], format="%(asctime)s %(levelname)s %(name)s %(message)s"
        )
    except OSError as error:
        parser().error(f"-s: {error}")
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    try:
        asyncio.run(Launcher(options).run())
    except CannotServeError as error:
        logger.error("action=exit %s", error)
        return 1
    finally:
        _end_log()
    return 0


def _end_log() -> None:
    """Let a log that nobody reads any more not change the exit status, as Python would have it."""
    try:
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


if __name__ == "__main__":
    sys.exit(main())
