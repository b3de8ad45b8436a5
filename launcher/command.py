"""The command pgagent-py: log, signals while it serves, exit status."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING

from .agent import Agent
from .handshake import CannotServeError, launcher_version
from .log import Event, open_log, reopen_log
from .main import DRAIN_SIGNAL, SIGNALS, STOP_SIGNALS
from .options import Options, parser, read_options
from .threads import reserve_threads
from .vitals import Heart

if TYPE_CHECKING:
    from .many.fleet import Fleet
    from .watching.monitors import Monitors
    from .watching.traces import Traces

logger = logging.getLogger("pgagent_py")


def run() -> int:
    """Run the launcher; return its exit status."""
    options = read_options(sys.argv[1:])
    try:
        open_log(options.log_file, options.log_level, options.log_format)
    except OSError as error:
        parser().error(f"-s: {error}")
    monitors, traces = _monitors(options), _traces(options)
    logger.info(Event("start", version=launcher_version(), pid=os.getpid()))
    try:
        asyncio.run(_serve(options, monitors, traces))
    except CannotServeError as error:
        logger.error(Event("exit", error))
        return 1
    finally:
        if traces is not None:
            traces.stop()
        _end_log()
    return 0


def _monitors(options: Options) -> Monitors | None:
    """Return what the options ask for, if anything: most launchers need none of it."""
    if options.metrics is None and not options.ping:
        return None
    from .watching.monitors import Monitors

    try:
        return Monitors(options.metrics, options.ping, options.metrics_jobs)
    except ImportError:
        parser().error("--metrics needs the package prometheus-client: pip install 'pgagent_py[metrics]'")
    except OSError as error:
        parser().error(f"--metrics: {error.strerror}")


def _traces(options: Options) -> Traces | None:
    """Return what sends spans, if the environment says where to."""
    if not options.traces:
        return None
    try:
        from .watching.traces import Traces
    except ImportError:
        parser().error("OTEL_EXPORTER_OTLP_ENDPOINT needs OpenTelemetry: pip install 'pgagent_py[otel]'")
    return Traces(options.host)


def _agent(options: Options, traces: Traces | None) -> Agent | Fleet:
    if options.databases is None:
        return Agent(options, traces=traces)
    from .many.fleet import Fleet

    return Fleet(options, traces)


async def _serve(options: Options, monitors: Monitors | None, traces: Traces | None) -> None:
    """Serve until SIGTERM or SIGINT. Then they change nothing any more: the loop would put their default action back."""
    reserve_threads()
    agent = _agent(options, traces)
    heart = Heart()
    heart.beat()
    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, agent.stop)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reopen_log)
    if monitors is not None:
        monitors.start(agent.served, heart)
    asyncio.get_running_loop().add_signal_handler(DRAIN_SIGNAL, agent.drain)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [DRAIN_SIGNAL])
    try:
        await agent.run()
    finally:
        if monitors is not None:
            monitors.stop()
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def _end_log() -> None:
    """Flush the log. Python would end with another exit status if nobody reads it any more."""
    try:
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
