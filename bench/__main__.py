"""The benchmark: `make bench`, or parts of it with `make bench ARGS='drain latency --quick'`."""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
import time
from types import FrameType

from . import cron, drain, idle, latency, released, scale, trigger, turn, wal, web
from .report import Report
from .servers import Server

PARTS = ("drain", "cron", "batch", "latency", "idle", "turn", "trigger", "wal", "scale", "web")


def measure_trigger(report: Report, server: Server, quick: bool) -> None:
    """Measure the cost of next runs: beside pgAgent's, and beside the released version's."""
    trigger.measure(report, server, quick)
    released.measure(report, server, quick)


ON_ONE_SERVER = {
    "latency": latency.measure,
    "idle": idle.measure,
    "turn": turn.measure,
    "trigger": measure_trigger,
    "web": web.measure,
}


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="smaller and fewer rounds: a look, not a figure")
    parser.add_argument("--fsync", action="store_true", help="commits wait for the disk, too")
    parser.add_argument(
        "--size", type=int, help="jobs of the part scale; 20,000 by default, 2,000 with --quick"
    )
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    return given


def measure(report: Report, parts: list[str], quick: bool, fsync: bool, size: int) -> None:
    """Measure *parts*: our figures beside those of others."""
    ours: dict[int, float] = {}
    server = Server(fsync)
    try:
        if "drain" in parts:
            ours = drain.measure_sql(report, server, quick)
        if "batch" in parts:
            drain.measure_batch(report, server, quick)
        for name, part in ON_ONE_SERVER.items():
            if name in parts:
                part(report, server, quick)
        if "scale" in parts:
            scale.measure(report, server, quick, size)
    finally:
        server.close()
    if "wal" in parts:
        wal.measure(report, fsync, quick)
    if "cron" in parts:
        cron.measure(report, fsync, quick, ours)


def _terminated(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)  # every finally is executed


def main() -> None:
    """Print the table. A figure that misses its target is no error."""
    given = arguments()
    signal.signal(signal.SIGTERM, _terminated)
    report = Report()
    started = time.monotonic()
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    report.note(
        f"{os.cpu_count()} processors ({platform.machine()}), load before: {load}; fsync {'on' if given.fsync else 'off'}"
    )
    size = given.size or (2_000 if given.quick else 20_000)
    measure(report, given.parts or list(PARTS), given.quick, given.fsync, size)
    report.end()
    report.note(f"took {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
