"""The command line and the environment."""

from __future__ import annotations

import argparse
import logging
import os
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import NoReturn

from psycopg.conninfo import make_conninfo

from .conninfo import SECRET_KEYWORDS, ConninfoError, Params, parse_conninfo
from .output import DEFAULT_LIMIT
from .smtp import Smtp, read_smtp

LEVELS = {0: logging.ERROR, 1: logging.WARNING, 2: logging.DEBUG}
# Where passwords given on the command line go, as a connection string, to be gone from the process list.
SECRETS = "PGAGENT_PY_SECRETS"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the command line says; times in seconds, output_limit in bytes."""

    conninfo: str
    station: str
    poll: float
    retry: float
    workers: int
    grace: float
    output_limit: int
    smtp: Smtp


def parser() -> argparse.ArgumentParser:
    """Return the command line: pgAgent's options and a few more."""
    result = argparse.ArgumentParser(
        prog="pgagent-py",
        description="Run the pgAgent jobs of a database that has the extension pgagent_py.",
        epilog="Passwords belong into ~/.pgpass, a service file or the environment.",
    )
    add = result.add_argument
    add("-f", action="store_true", help="stay in the foreground (always so; accepted for pgagent's sake)")
    add(
        "-t",
        type=_seconds,
        default=10.0,
        metavar="SECONDS",
        help="longest sleep between two looks (default 10)",
    )
    add(
        "-r",
        type=_seconds,
        default=30.0,
        metavar="SECONDS",
        help="longest pause between attempts to connect (default 30)",
    )
    add("-s", metavar="LOGFILE", help="log to this file (default: stderr)")
    add(
        "-l",
        type=int,
        choices=LEVELS,
        default=0,
        help="log errors (0, default), warnings too (1), everything (2)",
    )
    add(
        "-v",
        action="version",
        version=f"pgagent-py {version('pgagent_py')}",
        help="show the version and exit",
    )
    add(
        "--workers", type=_count, default=32, metavar="N", help="steps executed at the same time (default 32)"
    )
    add(
        "--host",
        default=socket.gethostname(),
        metavar="NAME",
        help="what a job's host agent is compared with (default: this host's name)",
    )
    add(
        "--grace",
        type=_seconds,
        default=5.0,
        metavar="SECONDS",
        help="time for running steps when told to stop (default 5)",
    )
    add(
        "--output-limit",
        type=_count,
        default=DEFAULT_LIMIT,
        metavar="BYTES",
        help=f"kept of a step's output, half from its beginning and half from its end (default {DEFAULT_LIMIT})",
    )
    add(
        "conninfo",
        nargs="+",
        metavar="CONNECTION-STRING",
        help="libpq connection string (in one or more words) or URI",
    )
    return result


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds")
    return seconds


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return count


def read_options(arguments: Sequence[str]) -> tuple[Options, argparse.Namespace]:
    """Return what the command line says; exits with status 2 and a message when it can't be understood."""
    command = parser()
    given = command.parse_intermixed_args(arguments)  # options may stand among the words, as pgAgent has them
    try:
        settings = parse_conninfo(" ".join(given.conninfo))
    except ConninfoError as error:
        command.error(f"CONNECTION-STRING: {error}")
    if secrets := {keyword: value for keyword, value in settings.items() if keyword in SECRET_KEYWORDS}:
        _hide(secrets, settings, [word for word in arguments if word not in given.conninfo])
    settings |= parse_conninfo(os.environ.pop(SECRETS, ""))
    try:
        smtp = read_smtp(os.environ)
    except ValueError as error:
        command.error(f"environment: {error}")
    options = Options(
        conninfo=make_conninfo("", **settings),
        station=given.host,
        poll=max(given.t, 0.1),
        retry=given.r,
        workers=given.workers,
        grace=given.grace,
        output_limit=given.output_limit,
        smtp=smtp,
    )
    return options, given


def _hide(secrets: Params, settings: Params, others: list[str]) -> NoReturn:
    """Start anew without the secrets in the process list."""
    os.environ[SECRETS] = make_conninfo("", **secrets)
    shown = make_conninfo("", **{k: v for k, v in settings.items() if k not in secrets})
    # -P: not with the modules that somebody has put into the current directory
    command = [sys.executable, "-P", "-m", "pgagent_py_launcher.main", *others, shown]
    os.execv(sys.executable, command)
