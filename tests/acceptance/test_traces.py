"""Spans: one for each run and step, by OpenTelemetry's own protocol, to a receiver on loopback."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.conftest import StartLauncher
from tests.helpers import (
    Db,
    add_job,
    alter_step,
    first_step,
    run_now,
    run_to_end,
    value,
    wait_for,
    wait_for_end,
)

BATCH = "echo $TRACEPARENT; env | grep -c secret-key; true"
SQL = "SELECT current_setting('pgagent_py.traceparent')"


class Receiver:
    """Takes spans as a collector does."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.keys: set[str | None] = set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = ExportTraceServiceRequest()
                request.ParseFromString(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.keys.add(self.headers["x-key"])
                receiver.spans += [
                    span
                    for resource in request.resource_spans
                    for scope in resource.scope_spans
                    for span in scope.spans
                ]
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def named(self, name: str) -> Any:
        """Wait for the span of a name; return it."""
        return wait_for(lambda: next((span for span in self.spans if span.name == name), None), what=name)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    started = Receiver()
    yield started
    started.server.shutdown()
    started.server.server_close()


def attributes(span: Any) -> dict[str, Any]:
    return {a.key: a.value.int_value or a.value.string_value for a in span.attributes}


def test_runs_and_their_steps_are_spans_of_one_trace_that_goes_on_in_them(
    database: str, db: Db, launcher: StartLauncher, receiver: Receiver
) -> None:
    job = add_job(db, "traced", batch=BATCH)
    db.execute("SELECT pgagent_py.add_step(%s, 'z sql', sql => %s)", [job, SQL])
    alter_step(db, db.execute("SELECT max(jstid) FROM pgagent.pga_jobstep").fetchall()[0][0], keep_rows=1)
    bad = add_job(db, "bad", sql="SELECT 1/0")
    atomic = add_job(db, "atomic", sql=f"DO $$ BEGIN RAISE NOTICE '%', ({SQL}); END $$")
    alter_step(db, first_step(db, atomic), atomic=True)
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_EXPORTER_OTLP_HEADERS": "x-key=secret-key",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    process = launcher("-l", "2", database, env=environment)
    run = run_to_end(db, job)
    run_to_end(db, bad)
    run_to_end(db, atomic)
    whole, batch, sql = (receiver.named(name) for name in ("run traced", "step traced", "step z sql"))
    assert {span.trace_id for span in (batch, sql)} == {whole.trace_id}
    assert {span.parent_span_id for span in (batch, sql)} == {whole.span_id}
    assert whole.parent_span_id == b""
    assert whole.start_time_unix_nano <= batch.start_time_unix_nano + 10**9
    assert attributes(whole) == {
        "db.system": "postgresql", "db.name": db.info.dbname, "pgagent.job.id": job, "pgagent.job.name": "traced",
        "pgagent.run.id": run.id, "pgagent.status": "success",
    }  # fmt: skip
    assert attributes(batch)["pgagent.step.id"] == first_step(db, job)
    written = value(
        db, "SELECT string_agg(jsloutput, '') FROM pgagent.pga_jobsteplog WHERE jsljlgid = %s", run.id
    )
    kept = value(db, "SELECT slrrows->0->>0 FROM pgagent_py.step_rows")
    for span, text in ((batch, written), (sql, kept)):
        assert f"00-{span.trace_id.hex()}-{span.span_id.hex()}-01" in text
    assert re.search(r"(?m)^0$", written)  # the key is not handed on
    failed = receiver.named("step bad")
    assert (failed.status.code, failed.status.message) == (2, "ERROR:  division by zero")
    assert receiver.named("run bad").status.code == 2
    within = receiver.named("step atomic")
    told = value(
        db, "SELECT jsloutput FROM pgagent.pga_jobsteplog WHERE jsljstid = %s", first_step(db, atomic)
    )
    assert within.span_id.hex() in told
    assert receiver.keys == {"secret-key"}
    slow = add_job(db, "slow", batch="sleep 1000")
    run_now(db, slow)
    wait_for(lambda: "name=slow" in process.log_text())
    assert process.terminate() == 0
    wait_for_end(db, slow)
    assert attributes(receiver.named("run slow"))["pgagent.status"] == "aborted"


def test_a_receiver_that_is_away_holds_up_nothing(database: str, db: Db, launcher: StartLauncher) -> None:
    process = launcher(
        database, env={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_BSP_SCHEDULE_DELAY": "50"}
    )
    job = add_job(db, "j", sql="SELECT current_setting('pgagent_py.traceparent')")
    assert run_to_end(db, job)
    assert process.terminate() == 0
