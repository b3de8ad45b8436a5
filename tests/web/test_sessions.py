"""Sessions end, searches end, and connections go back, without a browser."""

from datetime import UTC, datetime
from typing import Any

import pytest
from psycopg import Connection
from starlette.datastructures import FormData
from starlette.requests import Request

from console.web import text
from console.web.pages import search
from console.web.sessions import BusyError, Session, Sessions
from console.web.settings import Settings
from console.web.visit import Visit
from tests.helpers import Cluster, Db, value

from .conftest import PASSWORD
from .test_pages import add_run


def settings(cluster: Cluster, **given: Any) -> Settings:
    """Return settings for the page's database."""
    return Settings(f"host=127.0.0.1 port={cluster.port} dbname=web", **given)


@pytest.mark.parametrize("limit", ["idle_seconds", "session_seconds"])
def test_a_session_times_out(web_cluster: Cluster, limit: str) -> None:
    sessions = Sessions(settings(web_cluster, **{limit: -1}))
    token = sessions.begin("alice", PASSWORD)
    session = sessions._sessions[token]
    assert session.connection is not None
    sessions.tidy_up()
    assert sessions.find(token) is None
    assert session.connection is None


def test_a_live_page_keeps_no_session_awake(web_cluster: Cluster) -> None:
    sessions = Sessions(settings(web_cluster))
    session = sessions.find(sessions.begin("alice", PASSWORD))
    assert session is not None
    used = session.used
    [token] = sessions._sessions
    assert sessions.find(token, at_work=False) is session
    assert session.used == used
    assert sessions.find(token) is session
    assert session.used > used
    assert PASSWORD not in repr(session)
    sessions.end_all()
    assert session.connection is None


def test_who_comes_when_all_connections_are_in_use_is_told(
    web_cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.web.sessions.PLACE_SECONDS", 0.01)
    sessions = Sessions(settings(web_cluster, connections=1))
    first = sessions.find(sessions.begin("alice", PASSWORD))
    assert first is not None
    with sessions.connection(first), pytest.raises(BusyError):
        sessions.begin("bob", PASSWORD)
    assert sessions.find(sessions.begin("bob", PASSWORD)), "a connection that nobody uses gives way"
    assert first.connection is None
    with sessions.connection(first) as again:
        assert again.execute("SELECT current_user").fetchone() == ("alice",)
    sessions.end_all()


def visit(connection: Connection[Any]) -> Visit:
    """Return a visit of the superuser's."""
    scope = {"type": "http", "method": "GET", "path": "/search", "query_string": b"", "headers": []}
    return Visit(Request(scope), Settings(), Session("postgres", "", 0, 0), connection, FormData())


def test_a_search_that_is_cut_says_from_when_on_it_has_looked(
    admin: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = value(admin, "SELECT pgagent_py.add_job('searched', sql => 'SELECT 1')")
    try:
        for number in range(3):
            add_run(admin, job, datetime.now(UTC), f"needle {number}")
        monkeypatch.setattr(search, "SLICE", 1)
        found, cut = search._outputs(visit(admin), "NEEDLE")
        assert [row.excerpt for row in found] == ["needle 2", "needle 1", "needle 0"]
        assert cut is None
        times = iter([0.0, 0.0, 99.0])
        monkeypatch.setattr("console.web.pages.search.time.monotonic", lambda: next(times))
        found, cut = search._outputs(visit(admin), "needle")
        assert [row.excerpt for row in found] == ["needle 2"]
        assert cut is not None
    finally:
        admin.execute("DELETE FROM pgagent.pga_job WHERE jobid = %s", [job])


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("plain <b>", "plain &lt;b&gt;"),
        ("\x1b[1;32mok\x1b[0m <i>", '<span class="bold ink2">ok</span> &lt;i&gt;'),
        ("\x1b[38;2;255;0;0mred\x1b[m", '<span class="ink1">red</span>'),
        ("\x1b]8;;javascript:alert(1)\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b[2J\x1b[999;999Hgone", "gone"),
    ],
)
def test_colours_of_a_terminal_become_classes_and_nothing_else(given: str, shown: str) -> None:
    assert str(text.output(given)) == shown
