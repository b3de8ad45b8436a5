"""By TLS, behind a prefix and a proxy, and to servers that ask for passwords in clear."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import APIRequestContext, Playwright

from tests.helpers import Cluster, Db, value, wait_for

from .conftest import PASSWORD, Page, token


@contextmanager
def serving(playwright: Playwright, process: Page) -> Iterator[APIRequestContext]:
    """Wait until it serves, give requests to it, and stop it."""
    try:
        wait_for(process.is_up, what="the page")
        requests = playwright.request.new_context(base_url=process.url, ignore_https_errors=True)
        yield requests
        requests.dispose()
    finally:
        assert process.stop() == 0


@pytest.fixture
def conninfo(web_cluster: Cluster) -> str:
    """Return where the database is, for people with a password."""
    return f"host=127.0.0.1 port={web_cluster.port} dbname=web"


def test_by_tls_cookies_stay_with_tls(playwright: Playwright, conninfo: str, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    process = Page(tmp_path, conninfo, "--tls-cert", str(certificate), "--tls-key", str(key))
    with serving(playwright, process) as requests:
        form: dict[str, str | float | bool] = {
            "user": "alice",
            "password": PASSWORD,
            "csrf_token": token(requests),
        }
        answer = requests.post("/login", form=form, max_redirects=0)
        assert answer.status == 303
        cookies = [
            header["value"] for header in answer.headers_array if header["name"].lower() == "set-cookie"
        ]
        assert any("Secure" in cookie for cookie in cookies if cookie.startswith("pgagent_py_session="))
        assert "strict-transport-security" in answer.headers
        assert requests.get("/").status == 200


def test_behind_a_prefix_all_addresses_have_it(playwright: Playwright, conninfo: str, tmp_path: Path) -> None:
    process = Page(tmp_path, conninfo, "--prefix", "shop/jobs", "--trusted-proxy", "127.0.0.1")
    with serving(playwright, process) as requests:
        assert requests.get("/login").status == 404
        assert requests.get("/shop/jobs/health").json() == {"status": "ok"}
        form: dict[str, str | float | bool] = {
            "user": "alice",
            "password": PASSWORD,
            "csrf_token": token(requests, "/shop/jobs/login"),
        }
        answer = requests.post(
            "/shop/jobs/login", form=form, headers={"X-Forwarded-Proto": "https"}, max_redirects=0
        )
        assert answer.status == 303
        assert answer.headers["location"] == "/shop/jobs/"
        session = next(
            h["value"] for h in answer.headers_array if h["value"].startswith("pgagent_py_session=")
        )
        assert "Path=/shop/jobs/" in session
        assert "Secure" in session
        cookie = session.split(";", 1)[0]
        text = requests.get("/shop/jobs/", headers={"Cookie": cookie}).text()
        links = [part.split('"', 1)[0] for part in text.split('href="')[1:]]
        assert all(link.startswith(("/shop/jobs/", "#")) for link in links), links


@pytest.mark.parametrize(
    ("way", "allowed", "status"), [("socket", True, 303), ("socket", False, 403), ("tcp", True, 403)]
)
def test_a_password_goes_in_clear_only_where_that_is_allowed_and_safe(
    playwright: Playwright,
    web_cluster: Cluster,
    conninfo: str,
    tmp_path: Path,
    way: str,
    allowed: bool,
    status: int,
) -> None:
    where = conninfo if way == "tcp" else f"host={web_cluster.directory} port={web_cluster.port} dbname=web"
    process = Page(tmp_path, where, *(["--allow-cleartext"] if allowed else []))
    with serving(playwright, process) as requests:
        for role, expected in (("clear", status), ("trusted", 403)):
            form: dict[str, str | float | bool] = {
                "user": role,
                "password": PASSWORD,
                "csrf_token": token(requests),
            }
            assert requests.post("/login", form=form, max_redirects=0).status == expected, role


def test_health_needs_no_login_and_no_database(playwright: Playwright, tmp_path: Path) -> None:
    process = Page(tmp_path, "host=127.0.0.1 port=1 dbname=web")
    with serving(playwright, process) as requests:
        assert requests.get("/health").status == 200
        form: dict[str, str | float | bool] = {
            "user": "alice",
            "password": PASSWORD,
            "csrf_token": token(requests),
        }
        answer = requests.post("/login", form=form, max_redirects=0)
        assert answer.status == 503
        assert PASSWORD not in answer.text()


def test_a_session_ends_with_its_password(
    playwright: Playwright, conninfo: str, tmp_path: Path, admin: Db
) -> None:
    """Whose password is changed comes in no more once the connection is gone."""
    process = Page(tmp_path, conninfo)
    with serving(playwright, process) as requests:
        form: dict[str, str | float | bool] = {
            "user": "bob",
            "password": PASSWORD,
            "csrf_token": token(requests),
        }
        assert requests.post("/login", form=form, max_redirects=0).status == 303
        assert requests.get("/").status == 200
        admin.execute("ALTER ROLE bob PASSWORD 'another'")
        try:
            value(
                admin,
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'pgagentctl web'",
            )
            # The first request may still meet the connection that is gone.
            wait_for(lambda: requests.get("/", max_redirects=0).status == 303, what="the end of the session")
        finally:
            admin.execute(f"ALTER ROLE bob PASSWORD {psycopg_literal(PASSWORD)}".encode())


def psycopg_literal(text: str) -> str:
    """Return a text as a literal of SQL."""
    from psycopg import sql

    return sql.Literal(text).as_string(None)
