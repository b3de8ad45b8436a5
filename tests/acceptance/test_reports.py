"""Reports by mail: rows that a step keeps, and send_email(), received by aiosmtpd, read by Python's csv and email."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from aiosmtpd.controller import Controller

from tests.conftest import StartLauncher
from tests.helpers import (
    Db,
    add_job,
    alter_step,
    call,
    first_step,
    rows,
    run_due,
    run_now,
    run_to_end,
    value,
    wait_for,
)
from tests.helpers.mail import Letters, Mailbox, smtp
from tests.helpers.slurm import free_port

ODD = """
    SELECT * FROM (VALUES (1, 'it''s "odd", she said', NULL), (-2, E'two\\nlines', '=1+1'), (3, '<b>', '@SUM(A1)'),
                          (4, 'üñ', '-1+cmd'), (5, E'a\\r\\nb\\rc\\r\\n.\\r\\n', '.'), (6, repeat('€', 3000), E'\\t=1'),
                          (7, '', '+4.5e3')) v (n, "a, b", c) ORDER BY abs(n)"""
CELLS = [
    ["n", "a, b", "c"],
    ["1", 'it\'s "odd", she said', ""],
    ["-2", "two\nlines", "'=1+1"],
    ["3", "<b>", "'@SUM(A1)"],
    ["4", "üñ", "'-1+cmd"],
    ["5", "a\r\nb\rc\r\n.\r\n", "."],
    ["6", "€" * 3000, "'\t=1"],
    ["7", "", "+4.5e3"],
]


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """Return what aiosmtpd gets."""
    box = Mailbox(free_port())
    controller: Any = Controller(Letters(box), hostname="127.0.0.1", port=box.port)
    controller.start()
    yield box
    controller.stop()


def parts(mail: Any) -> dict[str, Any]:
    """Return the attachments of a mail by their names, and its forms by their types."""
    found = {part.get_filename(): part.get_content() for part in mail.iter_attachments()}
    for form in ("plain", "html"):
        if body := mail.get_body((form,)):
            found[form] = body.get_content()
    return found


def cells(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def test_a_daily_report_is_one_job_and_one_message(
    database: str, db: Db, launcher: StartLauncher, mailbox: Mailbox
) -> None:
    job = add_job(db, "report", "SELECT 'not this'; " + ODD, "SELECT 1 WHERE false")
    alter_step(db, first_step(db, job), keep_rows=3)
    alter_step(db, first_step(db, job) + 1, keep_rows=10)
    call(
        db, "add_message", job, "email", "a@example.org", "success", html="<h1>{{ job.name }} & co</h1>{{ table(steps[0]) }}",
        text="{{ steps[0].columns|join('/') }} {{ steps[0].rows|length }} {{ steps[0].rows[0][2] is none }}",
        attach="csv", cc="b@example.org", bcc="hidden@example.org",
    )  # fmt: skip
    launcher(database, env=smtp(mailbox))
    run_to_end(db, job)
    wait_for(lambda: mailbox.mails, what="a mail")
    mail = mailbox.mails[0]
    assert (mail["To"], mail["Cc"], mail["Bcc"]) == ("a@example.org", "b@example.org", None)
    assert mailbox.receivers == [["a@example.org", "b@example.org", "hidden@example.org"]]
    assert "hidden" not in mail.as_string()
    found = parts(mail)
    assert found["plain"].strip() == "n/a, b/c 3 True"
    assert "<h1>report & co</h1>" in found["html"]
    assert "<td>&lt;b&gt;</td>" in found["html"]
    assert cells(found["1.csv"]) == CELLS[:4]
    assert found["2.csv"].split() == ["?column?"]
    log = value(db, "SELECT jsloutput FROM pgagent.pga_jobsteplog ORDER BY jslid LIMIT 1")
    assert "(the first 3 rows of 7)\nSELECT 7" in log
    assert '1  | it\'s "odd", she said |' in log
    # In a session, too
    db.execute("DELETE FROM pgagent_py.step_rows")
    db.execute("DELETE FROM pgagent.pga_jobsteplog")
    db.execute("SELECT pgagent_py.upkeep()")
    assert (
        value(
            db,
            "SELECT count(*) FROM pgagent_py.job_message WHERE msgattach = 'csv' AND msgcc = 'b@example.org'",
        )
        == 1
    )


def test_a_session_keeps_rows_too(db: Db) -> None:
    job = add_job(db, "here", "SELECT 1 AS a, true AS b, NULL AS c")
    alter_step(db, first_step(db, job), keep_rows=5)
    run_now(db, job)
    assert run_due(db) == ["here"]
    assert rows(db, "SELECT slrcolumns, slrrows FROM pgagent_py.step_rows") == [
        (["a", "b", "c"], [["1", "t", None]])
    ]
    assert value(db, "SELECT jsloutput FROM pgagent.pga_jobsteplog") == "a | b | c\n1 | t | \nSELECT 1"
    db.execute("TRUNCATE pgagent.pga_joblog CASCADE; SELECT pgagent_py.upkeep()")
    assert rows(db, "SELECT FROM pgagent_py.step_rows") == []


def test_a_message_that_shows_rows_lets_the_steps_keep_them(db: Db) -> None:
    kept = "SELECT keep_rows FROM pgagent_py.step_options WHERE job = %s"
    for number, arguments in enumerate(
        ({"attach": "csv"}, {"text": "{{ steps[0].rows }}"}, {"html": "{{ table(steps[0]) }}"})
    ):
        job = add_job(db, f"report {number}", "SELECT 1")
        call(db, "add_message", job, "email", "a@example.org", "success")
        assert rows(db, kept, job) == []
        call(db, "add_message", job, "email", "a@example.org", "success", **arguments)
        assert rows(db, kept, job) == [(500,)]
        alter_step(db, first_step(db, job), keep_rows=7)
        call(db, "add_message", job, "email", "a@example.org", "success", **arguments)
        assert rows(db, kept, job) == [(7,)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"kind": "webhook", "target": "https://x", "attach": "csv"}, "attach is given for a webhook"),
        ({"attach": "pdf"}, 'attach "pdf" is unknown'),
        ({"cc": "nobody"}, "cc is not an e-mail address"),
    ],
)
def test_wrong_arguments_of_a_message_are_named(db: Db, arguments: dict[str, str], words: str) -> None:
    job = add_job(db, "x")
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=words):
        call(db, "add_message", **{"job": job, "kind": "email", "target": "a@b.c", **arguments})


def test_any_sql_sends_mail(database: str, db: Db, launcher: StartLauncher, mailbox: Mailbox) -> None:
    db.execute("CREATE SCHEMA hers; CREATE TABLE hers.t AS SELECT 7 AS seven; SET search_path = hers, public")
    with db.transaction(force_rollback=True):
        call(db, "send_email", "a@example.org", "undone", query="TABLE t")
    assert call(db, "send_email", "a@example.org", "empty", query="SELECT FROM t WHERE false") is None
    to = "a@example.org"
    long = "€" * 3000
    call(db, "send_email", to, f"0 {long[:200]}{{{{ x }}}}", f"text {{{{ x }}}}\r\n.\r..\n{long}", query=ODD,
         filename="ödd €.csv", bcc="c@example.org")  # fmt: skip
    call(db, "send_email", to, "1", html=f"<p>rows {long}</p>", query=ODD, format="html")
    call(db, "send_email", to, "2", "first", query="TABLE t", format="text", cc="d@example.org")
    call(
        db,
        "send_email",
        to,
        "3",
        query="SELECT n, n AS n FROM generate_series(1, 100000) n",
        max_rows=100_000,
    )
    call(db, "send_email", to, "4", query="SELECT FROM t WHERE false", if_empty="send")
    call(
        db,
        "send_email",
        to,
        "5",
        query="SELECT n FROM generate_series(1, 9) n",
        max_rows=2,
        format="html",
        filename="x.html",
    )
    launcher(database, env=smtp(mailbox))
    wait_for(lambda: len(mailbox.mails) == 6, what="six mails")
    mails = {str(mail["Subject"])[0]: mail for mail in mailbox.mails}
    assert mails["0"]["Subject"] == f"0 {long[:200]}{{{{ x }}}}"
    assert parts(mails["0"])["plain"].splitlines() == ["text {{ x }}", ".", "..", long]
    assert cells(parts(mails["0"])["ödd €.csv"]) == CELLS
    assert ["a@example.org", "c@example.org"] in mailbox.receivers
    assert f"<p>rows {long}</p>" in parts(mails["1"])["html"]
    assert "<td>'=1+1</td>" in parts(mails["1"])["html"]
    assert parts(mails["2"])["plain"].split() == ["first", "seven", "-----", "7"]
    large = cells(parts(mails["3"])["report.csv"])
    assert (len(large), large[0], large[-1]) == (100_001, ["n", "n"], ["100000", "100000"])
    assert parts(mails["4"])["plain"].strip() == ""
    assert "first 2 rows" in parts(mails["5"])["plain"]
    assert parts(mails["5"])["x.html"].count("<tr>") == 3


def most_memory(pid: int) -> int:
    """Return the most bytes of memory that a process has ever had."""
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmHWM" in line]
    return int(line.split()[1]) * 1024


def test_memory_does_not_grow_with_the_rows(
    database: str, db: Db, launcher: StartLauncher, mailbox: Mailbox
) -> None:
    """Neither with those of a step, of which the launcher keeps some, nor with those of a mail that is too large."""
    process = launcher(database, env=smtp(mailbox))
    most = []
    for count in (2_000, 100_000):
        job = add_job(db, f"{count} rows", f"SELECT repeat('x', 400) FROM generate_series(1, {count})")
        alter_step(db, first_step(db, job), keep_rows=100)
        run_to_end(db, job)
        most.append(most_memory(process.pid))
    assert most[1] - most[0] < 100_000 * 400 / 4
    most = []
    for count in (20_000, 1_000_000):
        with psycopg.connect(database, autocommit=True) as session:
            rows_ = f"SELECT repeat('x', 1000) FROM generate_series(1, {count})"
            with pytest.raises(psycopg.errors.ProgramLimitExceeded, match=r"the e-mail has 50[0-9]{5} bytes"):
                call(session, "send_email", "a@example.org", query=rows_, max_rows=1_000_000)
            most.append(most_memory(session.info.backend_pid))
    assert most[1] - most[0] < 1_000_000 * 1000 / 20


def test_who_sends_what_to_whom_is_bounded(db: Db) -> None:
    db.execute("CREATE ROLE mailer; CREATE TABLE secret (a int)")
    try:
        send = "SELECT pgagent_py.send_email(%s, 'x', %s, query => %s)"
        db.execute("SET ROLE mailer")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="role mailer may not send e-mail"):
            db.execute(send, ["a@example.org", "", None])
        db.execute("RESET ROLE; GRANT pgagent_py_email TO mailer")
        call(db, "set_email_domains", ["example.org"])
        call(db, "set_bound", "emails", 2, "mailer")
        call(db, "set_bound", "email_bytes", 100)
        db.execute("SET ROLE mailer")
        for arguments, error, words in (
            (["a@example.com", "", None], psycopg.errors.InsufficientPrivilege, "domain example.com"),
            (["a@example.org", "", "TABLE secret"], psycopg.errors.InsufficientPrivilege, "secret"),
            (["a@example.org", "x" * 101, None], psycopg.errors.ProgramLimitExceeded, "may send 100"),
            (["nobody", "", None], psycopg.errors.InvalidParameterValue, "to is not an e-mail address"),
        ):
            with pytest.raises(error, match=words):
                db.execute(send, arguments)
        for _ in range(2):
            db.execute(send, ["a@example.org", "", None])
        with pytest.raises(psycopg.errors.ProgramLimitExceeded, match="more than 2 e-mails an hour"):
            db.execute(send, ["a@example.org", "", None])
        assert value(db, "SELECT count(*) FROM pgagent_py.unsent_message") == 2
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"if_empty": "maybe"}, 'if_empty "maybe" is unknown'),
            ({"max_rows": 0}, "max_rows must be 1 to 1000000: 0"),
            ({"format": "pdf"}, 'format "pdf" is unknown'),
            ({"filename": "a/b"}, "filename is no name"),
        ]
        for given, words in wrong:
            with pytest.raises(psycopg.errors.InvalidParameterValue, match=words):
                call(db, "send_email", "a@example.org", **given)
    finally:
        db.execute("RESET ROLE")
        db.execute("DROP OWNED BY mailer; DROP ROLE mailer")
