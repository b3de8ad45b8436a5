"""Each page shows a role what that role may see, does what it may do, and makes hostile content harmless."""

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from psycopg import sql

from tests.helpers import Db, forms, rows, value

from .conftest import PASSWORD, Page, Visitor, token

Form = dict[str, str | float | bool]
HOSTILE = "<script>alert(1)</script>'\"&%s{{7*7}}\x1b[31mred\x1b[0m"


@pytest.fixture
def jobs(admin: Db) -> Iterator[dict[str, int]]:
    """Return one job each of alice and bob, with a run that failed, and one that belongs to nobody."""
    ids = {}
    for role in ("alice", "bob"):
        admin.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
        job = value(
            admin,
            "SELECT pgagent_py.add_job(%s, cron => '0 3 * * *', sql => %s, description => %s)",
            f"job of {role} {HOSTILE}",
            f"SELECT 'code of {role} {HOSTILE.replace(chr(39), '')}'",
            HOSTILE,
        )
        admin.execute("RESET ROLE")
        ids[role] = job
    ids["nobody"] = value(admin, "SELECT pgagent_py.add_job('job of nobody', sql => 'SELECT 1')")
    for owner, job in list(ids.items()):
        run = add_run(admin, job, datetime.now(UTC) - timedelta(hours=1), f"output of {owner} {HOSTILE}")
        ids[f"{owner}'s run"] = run
    yield ids
    for owner in ("alice", "bob", "nobody"):
        admin.execute("DELETE FROM pgagent.pga_job WHERE jobid = %s", [ids[owner]])


def add_run(db: Db, job: int, start: datetime, output: str, status: str = "f") -> int:
    """Put a run into the log, and return its id."""
    run = value(
        db,
        "INSERT INTO pgagent.pga_joblog (jlgjobid, jlgstatus, jlgstart, jlgduration)"
        " VALUES (%s, %s, %s, '1 min') RETURNING jlgid",
        job,
        status,
        start,
    )
    db.execute(
        "INSERT INTO pgagent.pga_jobsteplog (jsljlgid, jsljstid, jslstatus, jslresult, jslstart, jslduration, jsloutput)"
        " SELECT %s, jstid, %s, -1, %s, '1 min', %s FROM pgagent.pga_jobstep WHERE jstjobid = %s",
        [run, status, start, output, job],
    )
    return int(run)


def run_of(ids: dict[str, int], owner: str) -> int:
    """Return the run of an owner's job."""
    return ids[f"{owner}'s run"]


def pages(ids: dict[str, int], owner: str) -> list[str]:
    """Return the addresses of all that shows something of a job."""
    job, run = ids[owner], run_of(ids, owner)
    return [
        "/",
        "/jobs",
        "/timeline",
        "/calendar",
        "/graph",
        "/search?q=output",
        f"/jobs/{job}",
        f"/runs/{run}",
        f"/timeline?job={job}",
    ]


def test_an_owner_sees_its_own_jobs_only(visitor: Visitor, jobs: dict[str, int]) -> None:
    alice = visitor("alice")
    shown = "".join(alice.get(path).text() for path in pages(jobs, "alice"))
    assert "job of alice" in shown
    assert "output of alice" in shown
    for path in [*pages(jobs, "alice"), *pages(jobs, "bob"), *pages(jobs, "nobody")]:
        text = alice.get(path).text()
        assert "of bob" not in text, path
        assert "of nobody" not in text, path
    for path in (f"/jobs/{jobs['bob']}", f"/runs/{run_of(jobs, 'bob')}"):
        assert alice.get(path).status == 404


def test_a_monitor_sees_all_and_does_nothing(visitor: Visitor, jobs: dict[str, int], admin: Db) -> None:
    monitor = visitor("monitor")
    for owner in ("alice", "bob", "nobody"):
        for path in pages(jobs, owner):
            assert monitor.get(path).status == 200, path
        form: Form = {"csrf_token": token(monitor, "/")}
        assert monitor.post(f"/jobs/{jobs[owner]}/run", form=form, max_redirects=0).status == 403
        assert f"output of {owner}" in monitor.get(f"/runs/{run_of(jobs, owner)}").text()
    assert value(admin, "SELECT count(*) FROM pgagent.pga_job WHERE jobnextrun <= now()") == 0


def test_an_operator_runs_any_job_and_an_owner_its_own(
    visitor: Visitor, jobs: dict[str, int], admin: Db
) -> None:
    due = "SELECT jobid FROM pgagent.pga_job WHERE jobnextrun <= now() ORDER BY jobid"
    alice = visitor("alice")
    form: Form = {"csrf_token": token(alice, "/"), "parameters": '{"day": "x"}'}
    assert alice.post(f"/jobs/{jobs['bob']}/run", form=form, max_redirects=0).status in (403, 404)
    assert rows(admin, due) == []
    assert alice.post(f"/jobs/{jobs['alice']}/run", form=form, max_redirects=0).status == 303
    operator = visitor("operator")
    form = {"csrf_token": token(operator, "/")}
    assert operator.post(f"/jobs/{jobs['bob']}/run", form=form, max_redirects=0).status == 303
    assert rows(admin, due) == [(jobs["alice"],), (jobs["bob"],)]


@pytest.mark.parametrize(
    "fields",
    [
        {"parameters": "[1]"},
        {"parameters": "{"},
        {"from_step": "x"},
        {"from_step": "999999"},
        {"only_step": "-1"},
    ],
)
def test_a_wrong_field_is_named_and_nothing_runs(
    visitor: Visitor, jobs: dict[str, int], admin: Db, fields: dict[str, str]
) -> None:
    alice = visitor("alice")
    form: Form = {"csrf_token": token(alice, "/"), **fields}
    answer = alice.post(f"/jobs/{jobs['alice']}/run", form=form, max_redirects=0)
    assert 400 <= answer.status < 500
    assert next(iter(fields)) in answer.text() or "step" in answer.text()
    assert value(admin, "SELECT count(*) FROM pgagent.pga_job WHERE jobnextrun <= now()") == 0


def test_hostile_names_codes_and_outputs_are_text(visitor: Visitor, jobs: dict[str, int]) -> None:
    alice = visitor("alice")
    for path in pages(jobs, "alice"):
        text = alice.get(path).text()
        assert "<script>alert" not in text, path
        assert "49" not in text.split("job of alice")[-1][:80], path
    output = alice.get(f"/runs/{run_of(jobs, 'alice')}").text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in output
    assert '<span class="ink1">red</span>' in output


@pytest.mark.parametrize(
    "path",
    [
        "/timeline?span=year", "/timeline?since=x&until=y", "/timeline?since=2030-01-01", "/timeline?job=x",
        "/timeline?since=2030-01-02T00:00:00Z&until=2030-01-01T00:00:00Z", "/?zone=Mars/Olympus", "/?zone=../../etc/passwd",
        "/jobs/2147483647", "/runs/2147483647", "/runs/1/output/999999", "/jobs/99999999999999999999",
    ],
)  # fmt: skip
def test_a_wrong_address_is_told_in_a_sentence(visitor: Visitor, path: str) -> None:
    answer = visitor("alice").get(path)
    assert 400 <= answer.status < 500, answer.text()
    assert "Traceback" not in answer.text()


@pytest.mark.parametrize(
    "path",
    [
        "/search?q=%00",
        "/search?q=%25_%5C",
        "/jobs?name=%00&id=x",
        "/jobs?after=%27&id=99999999999",
        "/runs/0",
    ],
)
def test_odd_parameters_do_no_harm(visitor: Visitor, path: str) -> None:
    assert visitor("alice").get(path).status < 500


def test_times_are_shown_in_the_chosen_zone(visitor: Visitor, jobs: dict[str, int]) -> None:
    alice = visitor("alice")
    assert "+09:00" in alice.get(f"/jobs/{jobs['alice']}?zone=Asia/Tokyo").text()
    alice.post("/zone", form={"zone": "UTC", "next": "/"})
    assert "<small>UTC</small>" in alice.get("/").text()


def test_a_long_output_comes_in_pages(visitor: Visitor, jobs: dict[str, int], admin: Db) -> None:
    lines = "\n".join(f"line {n}" for n in range(60_000))
    run = add_run(admin, jobs["alice"], datetime.now(UTC), lines)
    alice = visitor("alice")
    first = alice.get(f"/runs/{run}")
    assert len(first.body()) < 40_000
    step = value(admin, "SELECT jslid FROM pgagent.pga_jobsteplog WHERE jsljlgid = %s", run)
    got = "".join(
        alice.get(f"/runs/{run}/output/{step}?page={page}")
        .text()
        .split('tabindex="0">')[1]
        .split("</pre>")[0]
        for page in range(1, 5)
    )
    assert got == lines


@forms(50, 500)
def test_a_timeline_of_many_runs_stays_light(visitor: Visitor, admin: Db, size: int) -> None:
    """40 runs each of 500 jobs: what a browser loads is less than 150 KiB."""
    admin.execute(
        "WITH job AS (INSERT INTO pgagent.pga_job (jobjclid, jobname, jobenabled)"
        " SELECT 1, 'many ' || g, false FROM generate_series(1, %s) g RETURNING jobid)"
        " INSERT INTO pgagent.pga_joblog (jlgjobid, jlgstatus, jlgstart, jlgduration)"
        " SELECT jobid, CASE n %% 4 WHEN 0 THEN 'f' ELSE 's' END,"
        "        now() - interval '18 h' + n * interval '27 min' + jobid * interval '1 s', '5 min'"
        "   FROM job CROSS JOIN generate_series(1, 40) n ORDER BY n, jobid",
        [size],
    )
    try:
        monitor = visitor("monitor")
        body = monitor.get("/timeline").body()
        assert f"{40 * size} runs".encode() in body
        files = [
            monitor.get(path).body() for path in ("/static/page.css", "/static/page.js", "/static/icon.svg")
        ]
        assert sum(len(gzip.compress(content)) for content in [body, *files]) < 150 * 1024
    finally:
        admin.execute("DELETE FROM pgagent.pga_job WHERE jobname LIKE 'many %'")


def test_many_visitors_share_few_connections(visitor: Visitor, admin: Db) -> None:
    someone = [visitor("alice") for _ in range(10)]
    assert {requests.get("/").status for requests in someone} == {200}
    count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgagentctl web'"
    assert value(admin, count) <= 8
    for requests in someone:
        requests.post("/logout", form={"csrf_token": token(requests, "/jobs")})
    assert value(admin, count) <= 8


def test_a_secret_is_in_no_page_and_no_log(page: Page, visitor: Visitor, jobs: dict[str, int]) -> None:
    alice = visitor("alice")
    assert PASSWORD not in "".join(alice.get(path).text() for path in pages(jobs, "alice"))
    assert PASSWORD not in page.logfile.read_text()


@pytest.mark.parametrize(
    ("field", "executed"), [("only_step", ["a"]), ("from_step", ["a", "b"]), ("", ["0", "a", "b"])]
)
def test_a_run_begins_where_the_form_says(
    visitor: Visitor, admin: Db, field: str, executed: list[str]
) -> None:
    job = value(admin, "SELECT pgagent_py.add_job('steps')")
    steps = {
        name: value(admin, "SELECT pgagent_py.add_step(%s, %s, sql => 'SELECT 1')", job, name)
        for name in "0ab"
    }
    try:
        operator = visitor("operator")
        form: Form = {"csrf_token": token(operator, "/")} | ({field: steps["a"]} if field else {})
        assert operator.post(f"/jobs/{job}/run", form=form, max_redirects=0).status == 303
        admin.execute("SELECT pgagent_py.run_due()")
        history = "SELECT jstname FROM pgagent_py.run_history WHERE jobid = %s ORDER BY jslid"
        assert [name for (name,) in rows(admin, history, job)] == executed
    finally:
        admin.execute("DELETE FROM pgagent.pga_job WHERE jobid = %s", [job])


def test_next_runs_say_where_the_clocks_change(visitor: Visitor, admin: Db) -> None:
    job = value(
        admin,
        "SELECT pgagent_py.add_job('clocks', cron => '0 12 1 * *', timezone => 'Europe/Paris', sql => 'SELECT 1')",
    )
    try:
        text = visitor("monitor").get(f"/jobs/{job}?zone=Europe/Paris").text()
        assert 1 <= text.count("clocks have changed") <= 2  # ten months
        assert visitor("monitor").get(f"/jobs/{job}?zone=UTC").text().count("clocks have changed") == 0
    finally:
        admin.execute("DELETE FROM pgagent.pga_job WHERE jobid = %s", [job])
