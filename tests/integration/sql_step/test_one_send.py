"""launcher/one_send.py: a step whose ids, text and reset are sent at once does what it does statement by statement."""

import os
import socket
import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import strategies as st

from launcher import step_connection
from launcher.one_send import Answers, Phase, messages
from launcher.output import Output
from launcher.sql_pool import SqlPool
from launcher.sql_step import SqlStep
from launcher.sql_text import SET_IDS, with_ids
from launcher.step import StepResult
from launcher.step_connection import StepConnection
from tests.forms import for_all, forms
from tests.helpers import PASSWORD, Cluster, Db
from tests.helpers.proxy import Proxy
from tests.helpers.sql_steps import execute, step_run, with_pool
from tests.helpers.waiting import wait_for

WROTE = "INSERT INTO effect SELECT current_setting('pgagent_py.run_id', true)"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the texts that go in one send from now on."""
    texts: list[str] = []
    send_step = StepConnection.send_step

    def note(connection: StepConnection, ids: bytes, text: str, *rest: Any) -> None:
        texts.append(text)
        send_step(connection, ids, text, *rest)

    monkeypatch.setattr(StepConnection, "send_step", note)
    return texts


@pytest.fixture
def effect(db: Db) -> Db:
    """Return the database with the table that WROTE needs."""
    db.execute("CREATE TABLE effect (run_id text)")
    return db


def effects(db: Db) -> list[str]:
    return [row[0] for row in db.execute("SELECT run_id FROM effect")]


def both_ways(conninfo: str, code: str) -> list[tuple[str, int | None, str]]:
    """Return status, rows and output of a step that is sent at once, and of one that is not."""
    results = []
    for columns in ({}, {"jobparameters": "{}"}):
        [result] = execute(conninfo, code, **columns)
        # libpq's last word on a connection that it has closed already
        text = result.jsloutput.removesuffix("invalid socket\n")
        results.append((result.jslstatus, result.jslresult, text))
    return results


@pytest.mark.parametrize(
    "code",
    [
        "",
        "SELECT 1; ; CREATE TEMP TABLE t (i int); INSERT INTO t VALUES (1), (2); TABLE t",
        "DO $$BEGIN RAISE NOTICE 'a' USING DETAIL = 'b', HINT = 'c'; PERFORM 1/0; END$$",
        "DO $$BEGIN EXECUTE 'SELECT 1 FORM x'; END$$",
        "BEGIN; SELECT 1",
        "BEGIN; SELECT 1/0",
        "SELECT 'é', nothing\t\r\n FROM pg_class",
        f"SELECT '{'x' * 100}', nothing, '{'y' * 100}'",
        f"SELECT nothing, '{'y' * 100}'",
        f"SELECT '{'漢' * 40}', nothing",
        "VACUUM pg_database",
        "BEGIN ISOLATION LEVEL SERIALIZABLE; SET TRANSACTION READ ONLY; COMMIT",
        "SET search_path = nowhere; SHOW search_path; SELECT repeat('x', 300000)",
        "SET client_encoding = 'LATIN1'; SELECT 1/0",
        "SELECT pg_terminate_backend(pg_backend_pid())",
        "SELECT pg_cancel_backend(pg_backend_pid()); SELECT pg_sleep(60)",
        "LISTEN a; NOTIFY a; SELECT 1",
        "DISCARD ALL",
    ],
)
def test_it_ends_as_statement_by_statement(shared: str, sent: list[str], code: str) -> None:
    at_once, one_by_one = both_ways(shared, code)
    assert at_once == one_by_one
    assert sent == [code]


LINE = st.text(st.sampled_from("a é漢\t\u0301'"), max_size=50).map(lambda text: f"/*{text}*/")


@forms(20, 2000)
def test_errors_are_shown_as_by_libpq(cluster: Cluster, size: int) -> None:
    with psycopg.connect(cluster.conninfo(), autocommit=True) as conn:

        def check(before: list[str], gaps: list[str], after: str) -> None:
            text = "".join(line + gap for line, gap in zip(before, gaps, strict=False)) + f" nowhere {after}"
            expected = conn.pgconn.exec_(text.encode()).error_message
            output = Output()
            answers = Answers(text, output)
            answers.take(exchange(cluster, with_ids(SET_IDS, step_run(text)), text))
            assert output.text().encode() == expected

        gaps = st.lists(st.sampled_from(["\n", "\r", "\r\n", " ", ""]), min_size=4, max_size=4)
        for_all(size, check, st.lists(LINE, max_size=4), gaps, LINE)


def exchange(cluster: Cluster, ids: bytes, text: str) -> bytes:
    """Return all that a server answers to a step in one send."""
    with psycopg.connect(cluster.conninfo(client_encoding="utf8")) as conn:
        end = socket.socket(fileno=os.dup(conn.pgconn.socket))
        with end:
            end.setblocking(True)
            end.sendall(messages(ids, text.encode()))
            answers, data = Answers(text, Output()), b""
            while not answers.over:
                piece = end.recv(65536)
                answers.take(piece)
                data += piece
    return data


def test_answers_may_come_in_pieces_of_any_size(cluster: Cluster) -> None:
    text = "DO $$BEGIN RAISE NOTICE 'n'; END$$; SELECT repeat('x', 40), 1; SELECT 1/0"
    data = exchange(cluster, b"SET pgagent_py.job_id = 1", text)

    def read(*pieces: bytes) -> tuple[Any, ...]:
        output = Output()
        answers = Answers(text, output)
        for piece in pieces:
            answers.take(piece)
        return output.text(), answers.phase, answers.rows, answers.error, answers.status, answers.broken

    whole = read(data)
    assert whole[1:] == (Phase.OVER, 1, True, b"I", False)
    assert read(*(data[at : at + 1] for at in range(len(data)))) == whole
    for cut in range(len(data)):
        assert read(data[:cut], data[cut:]) == whole


def test_the_text_is_not_executed_when_its_ids_are_cancelled(database: str, effect: Db) -> None:
    """The first of two queries that are sent at once: without more, the server executes the second."""
    output = Output()
    with psycopg.connect(database, autocommit=True) as conn:
        end = socket.socket(fileno=os.dup(conn.pgconn.socket))
        with end:
            end.setblocking(True)
            end.sendall(messages(b"SELECT pg_sleep(600)", WROTE.encode()))
            pid = conn.info.backend_pid
            asleep = "SELECT FROM pg_stat_activity WHERE pid = %s AND wait_event = 'PgSleep'"
            wait_for(lambda: effect.execute(asleep, [pid]).fetchone() is not None)
            effect.execute("SELECT pg_cancel_backend(%s)", [pid])
            answers = Answers(WROTE, output)
            while not answers.over:
                answers.take(end.recv(65536))
    assert (answers.broken, answers.unbegun, answers.error) == (True, False, True)
    assert "canceling statement" in output.text()
    assert effects(effect) == []


@forms(60, 3000)
def test_cancels_at_any_moment_let_no_step_run_without_its_ids(database: str, effect: Db, size: int) -> None:
    cancel = (
        "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = 'pgagent-py'"
    )
    over = threading.Event()

    def storm() -> None:
        with psycopg.connect(database, autocommit=True) as conn:
            while not over.is_set():
                conn.execute(cancel)

    async def scenario(pool: SqlPool) -> list[StepResult]:
        return [await SqlStep(step_run(WROTE, jlgid=number + 1), pool).execute() for number in range(size)]

    thread = threading.Thread(target=storm)
    thread.start()
    try:
        results = with_pool(database, scenario)
    finally:
        over.set()
        thread.join()
    assert sorted(effects(effect)) == sorted(str(r.jlgid) for r in results if r.jslstatus == "s")


@pytest.fixture
def proxy(own_cluster: Cluster) -> Iterator[Proxy]:
    proxy = Proxy(own_cluster.port)
    yield proxy
    proxy.close()


@forms(40, 1)
def test_a_connection_that_is_cut_at_any_byte_executes_a_step_once_at_most(
    own_cluster: Cluster, proxy: Proxy, sent: list[str], size: int
) -> None:
    """*size*: bytes from one cut to the next."""
    with own_cluster.connect() as db:
        db.execute("CREATE TABLE effect (run_id text)")
        conninfo = own_cluster.conninfo(host="127.0.0.1", port=proxy.port, password=PASSWORD)

        async def scenario(pool: SqlPool) -> int:
            passing = size
            while True:
                await SqlStep(step_run("SELECT 1"), pool).execute()
                sent.clear()
                proxy.budget = passing
                result = await SqlStep(step_run(WROTE, jlgid=passing), pool).execute()
                all_passed = proxy.budget is not None
                proxy.budget = None
                found = effects(db)
                assert (str(passing) in found) >= (result.jslstatus == "s")
                assert len(found) == len(set(found))
                assert sent == [WROTE]
                if all_passed:
                    assert result.jslstatus == "s"
                    return passing
                passing += size

        assert with_pool(conninfo, scenario) > len(messages(b"", WROTE.encode()))


@pytest.mark.parametrize(
    ("code", "columns"),
    [
        ("SELECT 1", {"jobparameters": "{}"}),
        ("SELECT 1", {"separately": True}),
        ("SELECT 1", {"keep_rows": 1}),
        ("SELECT 1", {"traceparent": "00-1-1-01"}),
        ("/* COPY FROM STDIN would take the reset for data */ SELECT 1", {}),
        (f"SELECT '{'x' * step_connection.LARGE}'", {}),
    ],
)
def test_what_does_not_go_in_one_send(
    shared: str, sent: list[str], code: str, columns: dict[str, Any]
) -> None:
    results = execute(shared, code, "SELECT 2", **columns)
    assert [result.jslstatus for result in results] == ["s", "s"]
    assert sent == ([] if columns else ["SELECT 2"])


def test_a_connection_that_was_idle_is_asked_first(
    shared: str, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_connection, "SURE_SECONDS", 0)
    assert [result.jslstatus for result in execute(shared, "SELECT 1", "SELECT 2")] == ["s", "s"]
    assert sent == []


def test_a_connection_of_another_server_is_asked_first(shared: str, sent: list[str]) -> None:
    assert execute("host=127.0.0.1 port=1", "SELECT 1", jstconnstr=shared)[0].jslstatus == "s"
    assert sent == []


def test_a_step_lost_before_it_began_runs_on_another_connection(database: str, effect: Db) -> None:
    """The server ends its session while the ids are on the way; it says so."""

    async def scenario(pool: SqlPool) -> StepResult:
        await SqlStep(step_run("SELECT 1"), pool).execute()
        effect.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = 'pgagent-py'"
            " AND datname = current_database()"
        )
        return await SqlStep(step_run(WROTE), pool).execute()

    assert with_pool(database, scenario).jslstatus == "s"
    assert len(effects(effect)) == 1
