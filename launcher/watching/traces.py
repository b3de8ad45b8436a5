"""Traces: a span for each run and for each step, sent by OpenTelemetry. Only this file knows its packages."""

from __future__ import annotations

import asyncio
import os
import threading
from dataclasses import dataclass, field, replace

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, Status, StatusCode, Tracer, set_span_in_context

from ..control import Control
from ..handshake import launcher_version
from ..side_task import SideTask
from ..step import SUCCEEDED, WORDS, RunName, StepResult, StepRun, Try
from ..vitals import Vitals

STOP_SECONDS = 3.0  # that the last spans have to be sent when the launcher ends
PAUSE_SECONDS = 0.5  # between two looks for runs that have ended

# Which of some runs have ended. How, a role sees that may see the job.
ENDED = """
SELECT w.jlgid, v.run_status, (extract(epoch FROM v.jlgstart + v.jlgduration) * 1000000000)::int8
  FROM unnest(%s::int4[]) w (jlgid)
  LEFT JOIN LATERAL (SELECT * FROM pgagent_py.visible_run v WHERE v.jlgid = w.jlgid OFFSET 0) v ON true
 WHERE NOT EXISTS (SELECT FROM pgagent_py.own_run o WHERE o.jlgid = w.jlgid)"""


class Traces:
    """What makes spans and sends them. Where to, OpenTelemetry reads from the environment: OTEL_EXPORTER_OTLP_ENDPOINT."""

    def __init__(self, host: str) -> None:
        """*host* is what a job's host agent is compared with."""
        name = os.environ.get("OTEL_SERVICE_NAME", "pgagent-py")
        resource = Resource.create({"service.name": name, "host.name": host})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("pgagent_py", launcher_version())

    def of(self, vitals: Vitals) -> RunTraces:
        """Return the traces of the service of one database."""
        return RunTraces(self._tracer, vitals)

    def stop(self) -> None:
        """Send what is left, but do not wait for long: nobody may be there to take it."""
        thread = threading.Thread(target=self._provider.shutdown, daemon=True)
        thread.start()
        thread.join(STOP_SECONDS)


@dataclass(slots=True)
class _Run:
    """A run with steps here. *status*: that of the last of them that has ended."""

    span: Span
    steps: dict[Try, Span] = field(default_factory=dict)
    status: str = ""


class RunTraces(SideTask):
    """The spans of one database. A run that goes on at another launcher has a span there, too."""

    name = "traces"

    def __init__(self, tracer: Tracer, vitals: Vitals) -> None:
        """*vitals* has the name of the database."""
        self._tracer = tracer
        self._vitals = vitals
        self._runs: dict[RunName, _Run] = {}
        self._next = 0.0

    def begin(self, run: StepRun) -> StepRun:
        """Begin the span of a step, and that of its run; return the step with its place in the trace."""
        known = self._runs.get(run.run_name)
        if known is None:
            span = self._tracer.start_span(
                f"run {run.jobname}", Context(), start_time=run.claimed * 1000, attributes=self._names(run)
            )
            known = self._runs[run.run_name] = _Run(span)
        names = self._names(run) | {
            "pgagent.step.id": run.jstid,
            "pgagent.step.name": run.jstname,
            "pgagent.step.log_id": run.jslid,
            "pgagent.step.try": run.number,
        }
        span = self._tracer.start_span(
            f"step {run.jstname}", set_span_in_context(known.span, Context()), attributes=names
        )
        known.steps[run.id] = span
        own = span.get_span_context()
        traceparent = f"00-{own.trace_id:032x}-{own.span_id:016x}-{int(own.trace_flags.sampled):02x}"
        return replace(run, traceparent=traceparent)

    def end(self, run: StepRun, result: StepResult | None) -> None:
        """End the span of a step. None: it goes on without this launcher."""
        known = self._runs.get(run.run_name)
        if known is None:  # the launcher has ended them all
            return
        span = known.steps.pop(run.id)
        status = known.status = "left" if result is None else WORDS[result.jslstatus]
        if result is not None and result.jslresult is not None:
            span.set_attribute("pgagent.step.result", result.jslresult)
        _end(span, status, result.error if result is not None else "")

    def seconds(self) -> float:
        """Return after how long the next turn has something to do."""
        if all(known.steps for known in self._runs.values()):
            return float("inf")
        return max(self._next - asyncio.get_running_loop().time(), 0.0)

    async def turn(self, control: Control, *, idle: bool, stopping: bool) -> None:  # noqa: ARG002
        """End the spans of runs that have ended, or that are another launcher's by now."""
        now = asyncio.get_running_loop().time()
        waiting = {name[0]: name for name, known in self._runs.items() if not known.steps}
        if not waiting or (now < self._next and not stopping):
            return
        self._next = now + PAUSE_SECONDS
        for jlgid, status, end in await control.fetch(ENDED, [list(waiting)]):
            known = self._runs.pop(waiting[jlgid])
            _end(known.span, status or known.status, "", end)

    async def close(self) -> None:
        """End what is left: the launcher ends."""
        for known in self._runs.values():
            for span in known.steps.values():
                _end(span, "aborted", "")
            _end(known.span, known.status or "aborted", "")
        self._runs = {}

    def _names(self, run: StepRun) -> dict[str, str | int]:
        return {
            "db.system": "postgresql",
            "db.name": self._vitals.database,
            "pgagent.job.id": run.jobid,
            "pgagent.job.name": run.jobname,
            "pgagent.run.id": run.jlgid,
        }


def _end(span: Span, status: str, error: str, at: int | None = None) -> None:
    """End a span with the status of a run or step."""
    span.set_attribute("pgagent.status", status)
    if status in (WORDS[SUCCEEDED], "no steps", "ignored"):
        span.set_status(Status(StatusCode.OK))
    elif status != "left":
        span.set_status(Status(StatusCode.ERROR, error or status))
    span.end(at)
