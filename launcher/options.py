"""The options: what the command line and the environment say."""

from __future__ import annotations

import argparse
import logging
import os
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from psycopg.conninfo import make_conninfo

from .conninfo import SECRET_KEYWORDS, ConninfoError, join_words, parse_conninfo
from .handover import PING_VARIABLE, secrets_in_environment, start_again, take_secrets
from .handshake import launcher_version
from .log import JSON, TEXT
from .output import DEFAULT_LIMIT
from .smtp import Smtp, read_smtp

DEFAULT_LEVEL = logging.INFO
LOG_LEVELS = {0: logging.ERROR, 1: logging.WARNING, 2: logging.DEBUG}
SHORTEST_SLEEP_SECONDS = 0.1
TRACE_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the user wants; times in seconds, output_limit in bytes."""

    conninfo: str
    host: str
    longest_sleep: float
    longest_pause: float
    workers: int
    grace: float
    output_limit: int
    pass_env: Sequence[str]
    labels: Sequence[str]
    exit_when_drained: bool
    engine_dir: Path
    log_file: str | None
    log_level: int
    log_format: str
    smtp: Smtp
    metrics: tuple[str, int] | None
    metrics_jobs: int
    ping: str
    traces: bool
    databases: Sequence[str] | None  # None: that of the connection string; empty: all


# What is handed on as it was given.
AS_GIVEN = (
    *("host", "workers", "grace", "output_limit", "pass_env", "exit_when_drained", "engine_dir"),
    *("log_format", "metrics", "metrics_jobs"),
)


def parser() -> argparse.ArgumentParser:
    """Return the command line: pgAgent's options and a few more."""
    result = argparse.ArgumentParser(
        prog="pgagent-py",
        description="Run the pgAgent jobs of a database that has the extension pgagent_py.",
        epilog="Passwords belong into ~/.pgpass, a service file or the environment.",
        allow_abbrev=False,  # what is a secret is found by its whole name
    )
    _add_pgagent_options(result)
    _add_step_options(result)
    _add_monitor_options(result)
    _add_machine_options(result)
    result.add_argument(
        "conninfo",
        nargs="+",
        metavar="CONNECTION-STRING",
        help="libpq connection string (in one or more words) or URI",
    )
    return result


def _add_pgagent_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
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
        default=1.0,
        metavar="SECONDS",
        help="longest pause between attempts to connect (default 1)",
    )
    add("-s", metavar="LOGFILE", help="log to this file (default: stderr)")
    add(
        "-l",
        type=int,
        choices=LOG_LEVELS,
        help="log errors (0), warnings too (1), everything (2); without -l warnings, starts, stops and reconnections",
    )
    add(
        "--log-format",
        choices=(TEXT, JSON),
        default=TEXT,
        help="text (default), or json: an object a line",
    )
    version = f"pgagent-py {launcher_version()}"
    add("-v", action="version", version=version, help="show the version and exit")


def _add_step_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
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
        "--pass-env",
        action="append",
        default=[],
        metavar="NAME",
        help="hand this variable on to batch steps, though it is the launcher's secret: PGPASSWORD (repeatable)",
    )


def _add_monitor_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--metrics",
        type=_address,
        metavar="ADDRESS:PORT",
        help="answer /metrics, /health/live and /health/ready there; :PORT is loopback",
    )
    add(
        "--metrics-jobs",
        type=_count,
        default=0,
        metavar="N",
        help="tell of the first N jobs one by one, too (default: none)",
    )
    add(
        "--databases",
        type=_databases,
        metavar="all|NAME,...",
        help="serve these databases of the server, or all that have the extension, instead of one",
    )
    ping = parser.add_mutually_exclusive_group()
    ping.add_argument("--ping", metavar="URL", help="call this address every minute while serving")
    ping.add_argument(
        "--ping-file", metavar="FILE", help=f"the same, read from a file (or from {PING_VARIABLE})"
    )


def _databases(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise argparse.ArgumentTypeError("a name is missing: give all, or names with commas between")
    return [] if names == ["all"] else names


def _address(text: str) -> tuple[str, int]:
    found = re.fullmatch(r"(\[[^\[\]]+\]|[^:]*):(\d{1,5})", text, re.ASCII)
    if found is None or int(found[2]) > 65535:
        raise argparse.ArgumentTypeError(f"{text} is not ADDRESS:PORT")
    return found[1].strip("[]") or "127.0.0.1", int(found[2])


def _add_machine_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--label",
        action="append",
        type=_label,
        default=[],
        metavar="NAME",
        help="run also jobs that need this label (repeatable), for example gpu or dc=paris",
    )
    add(
        "--engine-dir",
        type=Path,
        default=Path.home() / ".pgagent-py" / "engines",
        metavar="DIR",
        help="for what steps on engines leave; shared with the nodes (default ~/.pgagent-py/engines)",
    )
    add(
        "--exit-when-drained",
        action="store_true",
        help="end, with status 0, when drained (SIGUSR1 or drain())",
    )


def _label(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise argparse.ArgumentTypeError("a label is a text of printable characters")
    return text


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


def read_options(arguments: Sequence[str]) -> Options:
    """Return what the command line says; exits with status 2 and a message when it can't be understood."""
    command = parser()
    given = command.parse_intermixed_args(arguments)  # options may stand among the words, as pgAgent has them
    try:
        settings = parse_conninfo(join_words(given.conninfo))
    except ConninfoError as error:
        command.error(f"CONNECTION-STRING: {error}")
    if given.ping is not None:
        if not given.ping.strip():
            command.error("--ping: the address is missing")
        os.environ[PING_VARIABLE] = given.ping
    secrets = {keyword: value for keyword, value in settings.items() if keyword in SECRET_KEYWORDS}
    variables = secrets_in_environment()
    if secrets or variables:
        shown = make_conninfo("", **{k: v for k, v in settings.items() if k not in secrets})
        others = [word for word in arguments if word not in given.conninfo]
        start_again([*_without_ping(others), shown], secrets, variables)
    try:
        settings |= take_secrets()
        smtp = read_smtp(os.environ)
        ping = _read_ping(given.ping_file)
    except ValueError as error:
        command.error(f"environment: {error}")
    return Options(
        conninfo=make_conninfo("", **settings),
        longest_sleep=max(given.t, SHORTEST_SLEEP_SECONDS),
        longest_pause=given.r,
        labels=given.label,
        log_file=given.s,
        log_level=DEFAULT_LEVEL if given.l is None else LOG_LEVELS[given.l],
        smtp=smtp,
        ping=ping,
        traces=_wants_traces(),
        **{name: getattr(given, name) for name in AS_GIVEN},
        databases=given.databases,
    )


def _wants_traces() -> bool:
    """Return whether the environment says where spans are to be sent, as OpenTelemetry has it."""
    off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return not off and any(os.environ.get(name) for name in TRACE_ENDPOINTS)


def _without_ping(words: Sequence[str]) -> list[str]:
    """Leave out the address to ping, which goes through the environment from now on."""
    return [
        word
        for before, word in zip(["", *words], words, strict=False)
        if "--ping" not in (word, before) and not word.startswith("--ping=")
    ]


def _read_ping(file: str | None) -> str:
    """Return the address to ping, or ''. Raises `ValueError`."""
    url = os.environ.pop(PING_VARIABLE, "")
    if file is not None:
        try:
            url = Path(file).read_text(encoding="utf-8")
        except OSError as error:
            raise ValueError(f"{file} can't be read: {error.strerror}") from None
        if not url.strip():
            raise ValueError(f"{file} has no address to ping")
    if not url:
        return ""
    from .watching.ping import check_url

    return check_url(url)
