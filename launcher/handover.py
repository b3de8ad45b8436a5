"""The handover: a launcher that was given secrets starts itself again, so that no other process can read them.

Others see the process list. A batch step, which runs as the same user, could read ``/proc/PID/environ``: it keeps what
the process was started with, whatever the process does about it later. So the secrets go through a file in memory. What
`take_secrets` puts into the environment is there for libpq and for this process alone; `inherited` leaves it out.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import NoReturn

from .smtp import SETTINGS_PREFIX

HANDOVER = "PGAGENT_PY_SECRETS"  # the descriptor of that file
PING_VARIABLE = "PGAGENT_PY_PING"  # whoever knows the address can call it, too
# OpenTelemetry's have the key of whoever takes the spans.
TRACE_HEADERS = ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS")
SECRET_VARIABLES = ("PGPASSWORD", f"{SETTINGS_PREFIX}PASSWORD", PING_VARIABLE, *TRACE_HEADERS)
# For the launcher alone, from the service manager and from itself.
_NOT_INHERITED = frozenset(
    f"NOTIFY_SOCKET LISTEN_FDS LISTEN_PID LISTEN_FDNAMES WATCHDOG_PID WATCHDOG_USEC {HANDOVER}".split()
)


def secrets_in_environment() -> dict[str, str]:
    """Return the secrets that others could read in this process's environment."""
    if HANDOVER in os.environ:
        return {}
    return {name: os.environ[name] for name in SECRET_VARIABLES if name in os.environ}


def start_again(
    arguments: Sequence[str], conninfo: Mapping[str, object], variables: Collection[str]
) -> NoReturn:
    """Start this program with *arguments*. Hand over *conninfo* and these *variables* where nobody else sees them."""
    from .main import SIGNALS  # some systems have fewer

    document = {"conninfo": dict(conninfo), "variables": {name: os.environ.pop(name) for name in variables}}
    file = os.memfd_create("secrets")
    with os.fdopen(os.dup(file), "w") as writer:
        json.dump(document, writer)
    os.set_inheritable(file, True)
    os.environ[HANDOVER] = str(file)
    # exec takes the handlers off: `main` sets them again, then unblocks
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    # -P: not with modules from the current directory, which somebody may have put there
    os.execv(sys.executable, [sys.executable, "-P", "-m", "pgagent_py_launcher.main", *arguments])


def take_secrets() -> dict[str, str]:
    """Take over what `start_again` has handed over, if anything: return the keywords of the connection string."""
    given = os.environ.pop(HANDOVER, "")
    if not given:
        return {}
    try:
        with os.fdopen(int(given)) as file:
            file.seek(0)
            document = json.load(file)
        os.environ.update(document["variables"])
        return dict(document["conninfo"])
    except (OSError, ValueError, TypeError, KeyError):
        raise ValueError(f"{HANDOVER} is for the launcher itself: unset it") from None


def inherited(passed: Collection[str] = ()) -> dict[str, str]:
    """Return the environment of the processes that the launcher starts: its own without secrets, unless they are *passed*."""
    kept_back = _NOT_INHERITED.union(SECRET_VARIABLES).difference(passed)
    return {name: value for name, value in os.environ.items() if name not in kept_back}
