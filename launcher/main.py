"""The first moments of the command pgagent-py: it can be told to stop before it has imported the rest."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
DRAIN_SIGNAL = signal.SIGUSR1
SIGNALS = (*STOP_SIGNALS, signal.SIGHUP, DRAIN_SIGNAL)  # all that the launcher reacts to


def main() -> int:
    """Run the launcher; return its exit status: 0 when told to stop, 1 when it can't serve, 2 for a wrong option."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [DRAIN_SIGNAL])  # it waits until the agent can be told
    for number in STOP_SIGNALS:
        signal.signal(number, _end)
    signal.signal(signal.SIGHUP, _go_on)
    signal.pthread_sigmask(
        signal.SIG_UNBLOCK, {*SIGNALS} - {DRAIN_SIGNAL}
    )  # `start_again` blocks them over its exec
    if sys.argv[1:] == ["-v"]:  # the imports take longer than the answer
        from importlib.metadata import version

        print(f"pgagent-py {version('pgagent_py')}")
        return 0
    from .command import run

    return run()


def _end(*_: object) -> NoReturn:
    """End at once: nothing has begun yet. An exception could be caught by what is being imported."""
    os._exit(0)


def _go_on(*_: object) -> None:
    """Do nothing: there is no log yet. An ignored signal would stay ignored in the launcher's steps."""


if __name__ == "__main__":
    sys.exit(main())
