"""What send_email() and messages say stays within its field: no header, no receiver and no attachment beyond what was checked."""

import json
from collections.abc import Iterator
from email import message_from_bytes
from typing import Any

import pytest

from launcher.mail import Rendered, build, receivers
from tests.acceptance.conftest import mailbox
from tests.conftest import StartLauncher
from tests.helpers import Db, call, first_step, rows, value, wait_for
from tests.helpers.mail import Mailbox, smtp
from tests.helpers.protocol import Agent
from tests.helpers.roles import login, refusal

__all__ = ["mailbox"]

# The package email decodes these in a header
ENCODED = "=?utf-8?q?a=0D=0ABcc:=20victim=40evil.example=0D=0A=0D=0Aforged?="
MORE_THAN_AN_ADDRESS = [
    "=?utf-8?q?victim=40evil.example=2C?=x@example.org", "x(@example.org", '"victim@evil.example,"@example.org',
    "group:victim;@example.org", "x;y@example.org", "x\\@example.org", "x\x01@example.org", "[x]@example.org",
    "x@example.org)", "x@=?utf-8?q?evil.example?=", "x@", "@example.org", "x@a@example.org", "x y@example.org",
]  # fmt: skip
HARMLESS = [
    "a.b+c=d!#$%&'*/?^_`{|}~-@example.org",
    "grün@beispiel.example",
    "x@[127.0.0.1]",
    "root@localhost",
]
# Rows that a program which reads them can't take, or does not expect.
UNREADABLE = [
    f"[[{'9' * 5000}]]",
    "[" * 3000 + "]" * 3000,
    "[1]",
    "[[{}]]",
    "{}",
    "null",
    '"x"',
    "[[1.5]]",
    "x",
]
ASK = "SELECT pgagent_py._ask('queue_email', %s)"


@pytest.fixture
def mailer(address: str, admin: Db) -> Iterator[Db]:
    """Return a session of a role that may send mail to example.org."""
    admin.execute("CREATE ROLE mailer LOGIN IN ROLE pgagent_py_email")
    call(admin, "set_email_domains", ["example.org"])
    with login(address, "mailer") as connection:
        yield connection
    call(admin, "set_email_domains", [])
    admin.execute("DELETE FROM pgagent_py.queued_message; DROP ROLE mailer")


def message(**fields: Any) -> dict[str, Any]:
    data = {"columns": ["a"], "rows": [["1"]], "format": "csv", "filename": "f.csv", "remark": None}
    return {
        "id": 1, "kind": "mail", "target": "x@example.org", "cc": None, "bcc": None, "attach": None,
        "data": data | fields.pop("data", {}), **fields,
    }  # fmt: skip


@pytest.mark.parametrize(
    "text", [ENCODED, "a\r\nBcc: victim@evil.example", "a\x00\x0b\x85\u2028b", "= " + ENCODED]
)
def test_a_subject_or_the_name_of_a_file_makes_no_header(text: str) -> None:
    mail = build("me@example.org", message(data={"filename": text}), Rendered(" ".join(text.split()), "text"))
    sent: Any = message_from_bytes(mail.as_bytes())
    assert set(sent.keys()) == {
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "Auto-Submitted",
        "Content-Type",
        "MIME-Version",
    }
    attached = sent.get_payload()[1]
    assert set(attached.keys()) == {
        "Content-Type",
        "Content-Transfer-Encoding",
        "Content-Disposition",
        "MIME-Version",
    }


def test_what_could_be_more_than_an_address_is_none(alice: Db, mailer: Db) -> None:
    job = call(alice, "add_job", "job")
    for more in MORE_THAN_AN_ADDRESS:
        for field in ("target", "cc", "bcc"):
            with pytest.raises(ValueError, match="receiver"):
                receivers(message(**{field: f"y@example.org, {more}"}))
        for session, query in (
            (mailer, "SELECT pgagent_py.send_email(%s, bcc => 'x@example.org')"),
            (mailer, "SELECT pgagent_py.send_email('x@example.org', cc => %s)"),
            (alice, f"SELECT pgagent_py.add_message({job}, 'email', %s)"),
        ):
            assert refusal(session, query, [more])[0] == "22023", more


def test_the_receivers_are_those_that_were_checked(alice: Db) -> None:
    job = call(alice, "add_job", "job")
    for one in HARMLESS:
        call(alice, "add_message", job, "email", one)
        given = message(target=f" {one} ,y@example.org")
        assert receivers(given) == {"To": [one, "y@example.org"]}
        mail = build("me@example.org", given, Rendered("s", "text"))
        assert [found.addr_spec for found in mail["To"].addresses] == [one, "y@example.org"]


def test_nothing_is_put_beside_the_rows_and_all_counts(admin: Db, mailer: Db) -> None:
    """The gate may be used without the function."""
    plain = dict.fromkeys(
        ("to", "subject", "text", "html", "cc", "bcc", "columns", "rows", "format", "filename", "remark")
    )
    plain |= {"to": "x@example.org", "format": "csv", "columns": ["a"]}
    more = '[["1"]], "filename": "x\\r\\ny", "format": "exe"'
    for rows_ in (more, *UNREADABLE):
        assert refusal(mailer, ASK, [json.dumps(plain | {"rows": rows_})])[0] == "22023"
    call(admin, "set_bound", "email_bytes", 1000, "mailer")
    for large in ({"columns": ["x" * 2000]}, {"remark": "x" * 2000}, {"to": "x" * 2000 + "@example.org"}):
        assert refusal(mailer, ASK, [json.dumps(plain | large)])[0] == "54000"
    call(admin, "set_bound", "email_bytes", None, "mailer")
    for name in ("a/b", "a\r\nb", "a\x1b", '"', " "):
        assert refusal(mailer, ASK, [json.dumps(plain | {"filename": name})])[0] == "22023"
    mailer.execute(ASK, [json.dumps(plain | {"rows": '[["1"]]'})])
    assert value(admin, "SELECT qmsdata -> 'rows' FROM pgagent_py.queued_message") == [["1"]]


def test_a_role_that_may_send_no_mail_any_more_sends_none(address: str, admin: Db, mailer: Db) -> None:
    mailer.execute("SELECT pgagent_py.send_email('x@example.org')")
    with login(address, "editor") as editor:
        call(editor, "send_email", "editors@example.org")
    admin.execute("REVOKE pgagent_py_email FROM mailer")
    agent = Agent(address)
    taken = call(agent.db, "take_messages", 9, ["mail"]) + call(agent.db, "take_messages", 9, ["mail"])
    assert [found["target"] for found in taken] == ["editors@example.org"]
    agent.close()
    given_up = "SELECT qmserror FROM pgagent_py.unsent_message WHERE given_up"
    assert rows(admin, given_up) == [("Not sent: its role is not a member of pgagent_py_email.",)]


def test_a_mail_that_can_not_be_read_holds_up_no_other(address: str, admin: Db, mailer: Db) -> None:
    mailer.execute("SELECT pgagent_py.send_email('x@example.org')")
    admin.execute(f"UPDATE pgagent_py.queued_message SET qmsdata = '{{\"a\": {'9' * 5000}}}'".encode())
    call(admin, "send_email", "admins@example.org")
    agent = Agent(address)
    taken = [found["target"] for _ in range(3) for found in call(agent.db, "take_messages", 9, ["mail"])]
    assert taken == ["admins@example.org"]
    agent.close()
    assert rows(
        admin, "SELECT given_up FROM pgagent_py.unsent_message WHERE qmserror LIKE '%%be read%%'"
    ) == [(True,)]


def test_a_launcher_takes_a_few_large_mails_at_a_time(address: str, admin: Db, mailer: Db) -> None:
    mailer.execute("SELECT pgagent_py.send_email('x@example.org', n::text) FROM generate_series(1, 5) n")
    admin.execute(
        "UPDATE pgagent_py.queued_message SET qmsdata = jsonb_build_object('a', repeat('x', 4000000))"
    )
    agent = Agent(address)
    sizes = []
    for _ in range(3):
        found = call(agent.db, "take_messages", 9, ["mail"])
        ids = [row["id"] for row in found]
        call(agent.db, "finish_messages", ids, [None] * len(ids), [False] * len(ids))
        sizes.append(len(found))
    assert sizes == [2, 2, 1]
    mailer.execute("SELECT pgagent_py.send_email('x@example.org')")
    admin.execute(
        "UPDATE pgagent_py.queued_message SET qmsdata = jsonb_build_object('a', repeat('x', 12000000))"
    )
    assert len(call(agent.db, "take_messages", 9, ["mail"])) == 1
    agent.close()


def test_a_session_keeps_no_rows_that_can_not_be_read(admin: Db, alice: Db) -> None:
    """A step of run_due() may call what launchers call for it."""
    job = call(alice, "add_job", "job", sql="SELECT 1")
    for rows_ in UNREADABLE:
        code = f"""SELECT pgagent_py.keep_rows(
            (SELECT max(jslid) FROM pgagent_py.run_history WHERE step_status = 'running'), '{{a}}', '{rows_}'::jsonb)"""
        call(alice, "alter_step", first_step(admin, job), sql=code)
        call(alice, "run_now", job)
        assert [status for (status,) in rows(alice, "SELECT jslstatus FROM pgagent_py.run_due()")] == ["f"]
    assert rows(admin, "SELECT FROM pgagent_py.step_rows") == []


def test_the_query_has_the_callers_rights(admin: Db, mailer: Db) -> None:
    assert (
        refusal(mailer, "SELECT pgagent_py.send_email('x@example.org', query => 'TABLE pgagent.pga_job')")[0]
        == "42501"
    )
    mailer.execute("SELECT pgagent_py.send_email('x@example.org', query => 'SELECT current_user')")
    assert value(admin, "SELECT qmsdata -> 'rows' FROM pgagent_py.queued_message") == [["mailer"]]


def test_a_comments_secrets_are_in_no_message(
    alice: Db, launcher: StartLauncher, address: str, mailbox: Mailbox
) -> None:
    """The receivers of a message are not those who may edit the job."""
    comment = 'words\n@parameters {"token": "s3cret"}\n@email s3cret@example.org'
    job = call(alice, "add_job", "job", sql="SELECT 1", description=comment)
    call(alice, "add_message", job, "email", "x@example.org", "finish", "{{ job.description }}")
    call(alice, "run_now", job)
    launcher(address, env=smtp(mailbox))
    wait_for(lambda: mailbox.mails, what="the mail")
    text = str(mailbox.mails[0].get_payload())
    assert "words" in text
    assert "s3cret" not in text
