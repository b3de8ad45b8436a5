"""The metrics, as Prometheus reads them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from ..confirmation import now
from ..handshake import launcher_version
from ..vitals import Histogram, Vitals
from .facts import Facts
from .http_server import Answer

AT_ONCE = 4  # databases that are asked
# After which a scrape has what is known, also if not all databases have answered. Prometheus waits for 10 seconds.
SCRAPE_SECONDS = 5.0
LONGEST_NAME = 200  # characters of a job's name
Watched = tuple[Vitals, Facts]

# name, what it is, and its value
LAUNCHER_GAUGES: Sequence[tuple[str, str, Callable[[Vitals], float]]] = (
    ("serving", "Whether the database is served (1) or not (0)", lambda v: v.serving),
    ("steps_running", "Steps that the launcher executes now", lambda v: v.running()),
    ("places", "Steps that the launcher executes at the same time, at most", lambda v: v.places),
    (
        "seconds_since_last_turn",
        "Seconds since the launcher last asked for due jobs, or saw that the database is quiet",
        lambda v: now() - v.turned_at,
    ),
)
# name, what it is, and its key in the answer of FACTS
FACT_GAUGES = (
    ("jobs", "Jobs in the database", "jobs"),
    ("jobs_due", "Jobs that are due and have not begun", "due"),
    ("jobs_held", "Jobs whose time has come and that wait for their window to open", "held"),
    ("longest_due_seconds", "For how long the job is due that has waited longest", "overdue"),
    ("runs_running", "Runs in progress", "running"),
    (
        "runs_waiting",
        "Runs in progress of which no step runs: they wait for a place, a lock or the next try",
        "waiting",
    ),
    ("unsent_messages", "Messages that have still to be sent", "unsent"),
    ("given_up_messages", "Messages that could not be sent and are not tried again", "given_up"),
    ("problems", "Rows of the view problems", "problems"),
)
# the same of each job, behind --metrics-jobs
JOB_GAUGES: Sequence[tuple[str, str, Callable[[dict[str, Any]], float | None]]] = (
    (
        "job_last_run_failed",
        "Whether the last run failed or was aborted",
        lambda j: j["last_status"] in ("failure", "aborted"),
    ),
    ("job_last_run_seconds", "How long the last run took", lambda j: j["seconds"]),
    ("job_failures_in_a_row", "Failures since the last success", lambda j: j["failures_in_a_row"]),
    ("job_next_run_timestamp_seconds", "When it runs next", lambda j: j["next_run"]),
)


class Metrics(Collector):
    """Collects what the launcher and its databases say."""

    def __init__(self, served: Sequence[Vitals], facts: Callable[[Vitals], Facts]) -> None:
        """Tell of the databases that are *served*, which may become more or less; *facts* makes what asks one of them."""
        self._served = served
        self._make = facts
        self._facts: dict[Vitals, Facts] = {}
        self._watched: list[Watched] = []

    async def answer(self) -> Answer:
        """Return the metrics of now."""
        self._facts = {v: self._facts.get(v) or self._make(v) for v in list(self._served)}
        self._watched = list(self._facts.items())
        some = asyncio.Semaphore(AT_ONCE)

        async def refresh(vitals: Vitals, facts: Facts) -> None:
            async with some:
                await facts.refresh(vitals)

        oldest = sorted(self._watched, key=lambda watched: watched[1].asked_at)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SCRAPE_SECONDS):
                await asyncio.gather(*(refresh(*watched) for watched in oldest))
        return Answer(200, generate_latest(self), CONTENT_TYPE_LATEST)

    def collect(self) -> Iterator[Metric]:
        """Yield all families."""
        info = GaugeMetricFamily("pgagent_py_launcher_info", "The launcher", labels=["version"])
        info.add_metric([launcher_version()], 1.0)
        yield info
        yield from self._of_launcher()
        yield from self._of_databases()
        yield from self._of_jobs()

    def _of_launcher(self) -> Iterator[Metric]:
        for name, text, value in LAUNCHER_GAUGES:
            yield _gauge(name, text, [([v.database], value(v)) for v, _ in self._watched])
        reconnections = CounterMetricFamily(
            "pgagent_py_reconnections", "Lost connections that were made again", labels=["database"]
        )
        steps = CounterMetricFamily(
            "pgagent_py_steps", "Steps that this launcher has executed", labels=["database", "status"]
        )
        turns = HistogramMetricFamily(
            "pgagent_py_turn_seconds",
            "Time of a turn: booking results and claiming due jobs",
            labels=["database"],
        )
        for vitals, _ in self._watched:
            reconnections.add_metric([vitals.database], vitals.reconnections)
            for status in ("success", "failure", "aborted"):
                steps.add_metric([vitals.database, status], vitals.steps.get(status, 0))
            _add(turns, vitals.database, vitals.turns)
        yield from (reconnections, steps, turns)

    def _of_databases(self) -> Iterator[Metric]:
        yield _gauge(
            "facts_known",
            "Whether the database has answered (1): without an answer its other figures are missing",
            [([v.database], bool(facts.known) and not facts.error) for v, facts in self._watched],
        )
        for name, text, key in FACT_GAUGES:
            yield _gauge(
                name,
                text,
                [([v.database], f.known[key]) for v, f in self._watched if not f.error and f.known],
            )
        runs = CounterMetricFamily(
            "pgagent_py_runs", "Runs that have ended, by whichever launcher", labels=["database", "status"]
        )
        seconds = HistogramMetricFamily(
            "pgagent_py_run_seconds", "How long these runs took", labels=["database"]
        )
        lateness = HistogramMetricFamily(
            "pgagent_py_start_lateness_seconds",
            "How much later than due runs have started",
            labels=["database"],
        )
        for vitals, facts in self._watched:
            for status, count in facts.runs.items():
                runs.add_metric([vitals.database, status], count)
            _add(seconds, vitals.database, facts.seconds)
            _add(lateness, vitals.database, facts.lateness)
        yield from (runs, seconds, lateness)

    def _of_jobs(self) -> Iterator[Metric]:
        jobs = [(v.database, job) for v, facts in self._watched for job in facts.known.get("each") or []]
        for name, text, value in JOB_GAUGES if jobs else ():
            family = GaugeMetricFamily(f"pgagent_py_{name}", text, labels=["database", "job", "name"])
            for database, job in jobs:
                if (number := value(job)) is not None:
                    family.add_metric(
                        [database, str(job["jobid"]), job["jobname"][:LONGEST_NAME]], float(number)
                    )
            yield family


def _gauge(name: str, text: str, values: Iterable[tuple[list[str], float]]) -> Metric:
    family = GaugeMetricFamily(f"pgagent_py_{name}", text, labels=["database"])
    for labels, value in values:
        family.add_metric(labels, float(value))
    return family


def _add(family: HistogramMetricFamily, database: str, histogram: Histogram) -> None:
    bounds = [*map(str, histogram.bounds), "+Inf"]
    buckets = list(zip(bounds, accumulate(histogram.bins), strict=True))
    family.add_metric([database], buckets, histogram.sum)
