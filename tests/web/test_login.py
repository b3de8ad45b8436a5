"""A password that the server really asked for, from this person, is the only way in."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import APIRequestContext, Playwright

from console.web.back_off import BackOff
from console.web.serve import address, clean_prefix
from tests.helpers import Cluster, wait_for

from .conftest import PASSWORD, Page, Visitor, send_login, token

Anyone = Callable[[], APIRequestContext]
PAGES = [
    "/",
    "/timeline",
    "/jobs",
    "/jobs/1",
    "/runs/1",
    "/runs/1/output/1",
    "/calendar",
    "/graph",
    "/search?q=x",
]


@pytest.mark.parametrize("role", ["alice", "old"])
def test_the_right_password_opens_the_page(visitor: Visitor, role: str) -> None:
    answer = visitor(role).get("/", max_redirects=0)
    assert answer.status == 200
    assert f'<span class="user">{role}</span>' in answer.text()


@pytest.mark.parametrize("path", PAGES)
def test_without_a_login_no_page_shows(anyone: Anyone, path: str) -> None:
    answer = anyone().get(path, max_redirects=0)
    assert answer.status == 303
    assert answer.headers["location"].startswith("/login")


def test_without_a_login_nothing_is_done_and_nothing_is_live(anyone: Anyone) -> None:
    requests = anyone()
    assert requests.post("/jobs/1/run", max_redirects=0).status == 403
    assert requests.post("/runs/1/cancel", max_redirects=0).status == 403
    assert requests.get("/live/overview").status == 204


@pytest.mark.parametrize(
    ("role", "password"),
    [
        ("alice", "wrong"),
        ("alice", ""),
        ("", PASSWORD),
        ("nobody at all", PASSWORD),
        ("trusted", PASSWORD),
        ("trusted", "anything"),
        ("clear", PASSWORD),
        ("locked", PASSWORD),
        ("alice", PASSWORD + "\0"),
        ("alice\0", PASSWORD),
        ("alice", PASSWORD + "\n"),
        ("alice password=x", PASSWORD),
        ("alice' host='elsewhere", PASSWORD),
        ("trusted", "x' user='postgres' sslcert='"),
        ("postgres", "x require_auth=none"),
    ],
)
def test_nothing_else_does(anyone: Anyone, role: str, password: str) -> None:
    requests = anyone()
    answer = send_login(requests, role, password)
    assert answer.status == 403, answer.text()
    assert 'role="alert"' in answer.text()
    assert PASSWORD not in answer.text()
    assert requests.get("/", max_redirects=0).status == 303


def test_a_password_file_of_the_programs_own_lets_nobody_in(
    web_cluster: Cluster, playwright: Playwright, tmp_path: Path
) -> None:
    """Nor does a password in its environment, or one in a service file."""
    passfile = tmp_path / ".pgpass"
    passfile.write_text("*:*:*:*:" + PASSWORD.replace("\\", "\\\\").replace(":", "\\:") + "\n")
    passfile.chmod(0o600)
    conninfo = f"host=127.0.0.1 port={web_cluster.port} dbname=web"
    own = Page(tmp_path, conninfo, PGPASSFILE=str(passfile), PGPASSWORD=PASSWORD, PGUSER="alice")
    try:
        wait_for(own.is_up, what="the page")
        requests = playwright.request.new_context(base_url=own.url)
        for role, password in [("alice", ""), ("alice", "wrong"), ("", ""), ("trusted", "x")]:
            assert send_login(requests, role, password).status in (403, 429), (role, password)
        requests.dispose()
    finally:
        assert own.stop() == 0
    assert PASSWORD not in own.logfile.read_text()


def test_a_form_of_another_site_logs_nobody_in_and_does_nothing(anyone: Anyone, visitor: Visitor) -> None:
    requests = anyone()
    form: dict[str, str | float | bool] = {
        "user": "alice",
        "password": PASSWORD,
        "csrf_token": token(anyone()),
    }
    assert requests.post("/login", form=form, max_redirects=0).status == 400
    alice, bob = visitor("alice"), visitor("bob")
    for given in ("", "x", token(bob, "/"), token(alice, "/login")):
        assert alice.post("/jobs/1/run", form={"csrf_token": given}, max_redirects=0).status == 400
        assert alice.post("/logout", form={"csrf_token": given}, max_redirects=0).status == 303
    assert bob.get("/", max_redirects=0).status == 200


def test_logging_out_ends_the_session_itself(visitor: Visitor, anyone: Anyone) -> None:
    alice = visitor("alice")
    cookies = alice.storage_state()["cookies"]
    alice.post("/logout", form={"csrf_token": token(alice, "/")}, max_redirects=0)
    stolen = "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in cookies)
    assert anyone().get("/", headers={"Cookie": stolen}, max_redirects=0).status == 303


def test_the_cookie_is_for_this_page_only(anyone: Anyone) -> None:
    requests = anyone()
    answer = send_login(requests, "alice", PASSWORD)
    [cookie] = [text for text in answer.headers_array if text["value"].startswith("pgagent_py_session=")]
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= {part.strip() for part in cookie["value"].split(";")}


@pytest.mark.parametrize(
    ("there", "leads"),
    [
        ("/jobs?name=a", "/jobs?name=a"),
        ("https://elsewhere.example/", "/"),
        ("//elsewhere.example/", "/"),
        ("/\\elsewhere.example", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_a_login_leads_back_to_this_page_only(anyone: Anyone, there: str, leads: str) -> None:
    assert send_login(anyone(), "alice", PASSWORD, next=there).headers["location"] == leads


def test_failed_logins_make_the_next_one_wait(anyone: Anyone) -> None:
    requests = anyone()
    statuses = [send_login(requests, "somebody", "wrong").status for _ in range(8)]
    assert statuses[0] == 403
    assert 429 in statuses
    assert send_login(anyone(), "alice", PASSWORD).status == 303


def test_the_wait_doubles_and_ends() -> None:
    now = 0.0
    back_off = BackOff(5, lambda: now)
    assert back_off.seconds_to_wait("a") == 0
    waits = []
    for _ in range(12):
        back_off.failed("a")
        waits.append(back_off.seconds_to_wait("a"))
    assert waits == [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60]
    assert back_off.seconds_to_wait("b") == 0
    now = 61.0
    assert back_off.seconds_to_wait("a") == 0
    now = 1000.0
    for _ in range(5):
        back_off.failed("a")
    assert back_off.seconds_to_wait("a") == 1
    back_off.succeeded("a")
    assert back_off.seconds_to_wait("a") == 0


def test_a_form_that_is_too_large_is_refused(anyone: Anyone) -> None:
    requests = anyone()
    assert requests.post("/login", form={"user": "x" * 2_000_000}, max_redirects=0).status == 413
    assert requests.get("/login").status == 200


def test_every_answer_forbids_what_it_does_not_need(anyone: Anyone, visitor: Visitor) -> None:
    for answer in (
        anyone().get("/login"),
        visitor("alice").get("/"),
        anyone().get("/nothing"),
        anyone().get("/static/page.css"),
    ):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--listen", "0.0.0.0:0"], "passwords would travel in clear"),
        (["--listen", "here"], "an address and a port"),
        (["--tls-cert", "/dev/null"], "belong together"),
        (["--tls-cert", "/dev/null", "--tls-key", "/dev/null"], "can't be used"),
        (["--prefix", "/a b"], "letters, digits"),
    ],
)
def test_a_wrong_option_is_refused_in_a_sentence(tmp_path: Path, arguments: list[str], words: str) -> None:
    process = Page(tmp_path, "host=127.0.0.1 dbname=web", *arguments)
    assert process.process.wait(60) == 2
    log = process.logfile.read_text()
    assert words in log
    assert "Traceback" not in log


@pytest.mark.parametrize(
    "conninfo", ["host=x password=y", "service=x", "host=x passfile=/x", "host=x sslkey=/x"]
)
def test_a_connection_string_with_an_account_is_refused(tmp_path: Path, conninfo: str) -> None:
    process = Page(tmp_path, conninfo)
    assert process.process.wait(60) == 2
    assert "each person logs in" in process.logfile.read_text()


def test_addresses_and_prefixes() -> None:
    assert address("127.0.0.1:8080") == ("127.0.0.1", 8080)
    assert address("[::1]:80") == ("::1", 80)
    assert [clean_prefix(text) for text in ("", "/", "a", "/a/b/")] == ["", "", "/a", "/a/b"]
