"""E-mail and webhooks: a real launcher, a mail server and a web server that behave as told."""

import base64
import contextlib
import json
import re
import signal
import socketserver
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.conftest import StartLauncher
from tests.helpers import PATIENCE, Db, add_job, run_to_end, wait_for, wait_for_row
from tests.helpers.mail import Hook, Mailbox, Server, SmtpHandler, serve, smtp

PASSWORD = "correct-horse-battery"
TOKEN = "T0K3N-of-the-hook"


def all_sent(db: Db) -> Callable[[], bool]:
    return lambda: db.execute("SELECT 1 FROM pgagent_py.queued_message").fetchone() is None


def test_an_email_tells_of_a_failure(
    database: str, db: Db, launcher: StartLauncher, mailbox: Mailbox
) -> None:
    bad, good = add_job(db, "nightly \N{SNOWMAN}", sql="SELECT 1/0"), add_job(db, "good", sql="SELECT 1")
    db.execute("SELECT pgagent_py.add_message(NULL, 'email', 'me@example.org, you@example.org')")
    launcher(database, env=smtp(mailbox))
    run_to_end(db, good)
    jlgid = run_to_end(db, bad).id
    wait_for(lambda: mailbox.mails, what="a mail")
    mail = mailbox.mails[0]
    assert mail["To"] == "me@example.org, you@example.org"
    assert mail["From"] == "jobs@example.org"
    assert mail["Subject"] == "pgAgent job nightly \N{SNOWMAN}: failure"
    assert f"Run {jlgid}, started" in mailbox.text()
    assert "division by zero" in mailbox.text()
    wait_for(all_sent(db))
    assert len(mailbox.mails) == 1
    assert db.execute("SELECT count(*) FROM pgagent_py.unsent_message").fetchone() == (0,)


def test_templates_and_an_email_with_nothing_to_say(
    database: str, db: Db, launcher: StartLauncher, mailbox: Mailbox
) -> None:
    job = add_job(db, "report", sql="SELECT 'a' UNION SELECT 'b'")
    text = "{% for step in steps %}{{ step.name }} affected {{ step.result }} rows{% endfor %}"
    subject = "{{ database }}:\n{{ run.status|upper }}"
    db.execute(
        "SELECT pgagent_py.add_message(%s, 'email', 'me@example.org', 'success', %s, %s)",
        [job, text, subject],
    )
    silent = "{% if run.status != 'success' %}something is wrong{% endif %}"
    db.execute(
        "SELECT pgagent_py.add_message(%s, 'email', 'nobody@example.org', 'finish', %s)", [job, silent]
    )
    launcher(database, env=smtp(mailbox))
    run_to_end(db, job)
    wait_for(all_sent(db))
    assert [mail["To"] for mail in mailbox.mails] == ["me@example.org"]
    assert mailbox.text().strip() == "report affected 2 rows"
    assert mailbox.mails[0]["Subject"].endswith(": SUCCESS")


def test_a_webhook_is_told_of_a_failure(database: str, db: Db, launcher: StartLauncher, hook: Hook) -> None:
    job = add_job(db, "told", sql="SELECT 1/0")
    url = f"http://user:p%40ss@127.0.0.1:{hook.port}/{TOKEN}?a=b"
    db.execute("SELECT pgagent_py.add_message(%s, 'webhook', %s)", [job, url])
    template = '{"text": {{ ("Job " ~ job.name ~ " has failed")|tojson }}}'
    db.execute(
        "SELECT pgagent_py.add_message(%s, 'webhook', %s, text => %s)",
        [job, f"http://127.0.0.1:{hook.port}", template],
    )
    launcher(database)
    jlgid = run_to_end(db, job).id
    wait_for(all_sent(db))
    by_path = {path: (headers, json.loads(body)) for path, headers, body in hook.posts}
    headers, body = by_path[f"/{TOKEN}?a=b"]
    assert (body["job"]["name"], body["run"]["id"], body["run"]["status"]) == ("told", jlgid, "failure")
    assert "division by zero" in body["steps"][0]["output"]
    assert headers["Content-Type"] == "application/json"
    assert base64.b64decode(headers["Authorization"].split()[1]) == b"user:p@ss"
    assert by_path["/"][1] == {"text": "Job told has failed"}


def test_what_fails_is_tried_again(
    database: str, db: Db, launcher: StartLauncher, mailbox: Mailbox, hook: Hook
) -> None:
    job = add_job(db, "unlucky", sql="SELECT 1/0")
    db.execute("SELECT pgagent_py.add_message(%s, 'email', 'me@example.org')", [job])
    db.execute("SELECT pgagent_py.add_message(%s, 'webhook', %s)", [job, f"http://127.0.0.1:{hook.port}/x"])
    mailbox.refuse = ["451 try later"]
    hook.answers = [503]
    launcher(database, env=smtp(mailbox))
    run_to_end(db, job)
    errors = "SELECT 1 FROM pgagent_py.unsent_message HAVING string_agg(qmserror, '|' ORDER BY qmskind) = %s"
    wait_for_row(db, errors, "SMTP server: 451 try later|HTTP status 503")
    wait_for(all_sent(db))
    assert len(mailbox.mails) == 1
    assert len(hook.posts) == 2
    assert len({headers["Idempotency-Key"] for _, headers, _ in hook.posts}) == 1


def test_what_can_not_succeed_is_given_up(
    database: str, db: Db, launcher: StartLauncher, mailbox: Mailbox, hook: Hook
) -> None:
    job = add_job(db, "hopeless", sql="SELECT 1/0")
    for path in ("gone", "moved"):
        db.execute(
            "SELECT pgagent_py.add_message(%s, 'webhook', %s)", [job, f"http://127.0.0.1:{hook.port}/{path}"]
        )
    db.execute("SELECT pgagent_py.add_message(%s, 'email', 'me@example.org', text => '{%% if %%}')", [job])
    hook.answers = [410, 301]
    launcher(database, env=smtp(mailbox))
    run_to_end(db, job)
    wait_for_row(
        db,
        "SELECT 1 FROM pgagent_py.unsent_message HAVING count(*) = 3 AND bool_and(given_up)",
    )
    rows = db.execute("SELECT qmserror FROM pgagent_py.unsent_message ORDER BY 1").fetchall()
    assert [row[0][:26] for row in rows] == [
        "HTTP status 301",
        "HTTP status 410",
        "template: TemplateSyntaxEr",
    ]
    assert {path for path, _, _ in hook.posts} == {"/gone", "/moved"}


def test_hostile_templates_harm_nobody(
    database: str, db: Db, launcher: StartLauncher, mailbox: Mailbox
) -> None:
    job = add_job(db, "hostile", sql="SELECT 1/0")
    templates = {
        "{{ ''.__class__.__mro__[1].__subclasses__() }}": "SecurityError",
        "{{ cycler.__init__.__globals__.os.environ }}": "SecurityError",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}": "took longer",
        "{{ ('x' * 1000000000)|length }}{{ ('x' * 2000000000)|length }}": "MemoryError",
        "{{ 'x' * 2000000 }}": "more than a million characters",
        "{{ '\\ud800' }}": "UnicodeEncodeError",
    }
    for template in templates:
        db.execute(
            "SELECT pgagent_py.add_message(%s, 'email', 'me@example.org', 'failure', %s)", [job, template]
        )
    db.execute("SELECT pgagent_py.add_message(%s, 'email', 'me@example.org')", [job])
    process = launcher(database, env=smtp(mailbox))
    run_to_end(db, job)
    wait_for(lambda: mailbox.mails, what="the harmless mail")
    wait_for_row(
        db,
        "SELECT 1 FROM pgagent_py.unsent_message HAVING count(*) = 6 AND bool_and(given_up)",
    )
    query = "SELECT qmserror FROM pgagent_py.queued_message WHERE qmstext = %s"
    for template, words in templates.items():
        row = db.execute(query, [template]).fetchone()
        assert row
        assert words in row[0]
    assert len(mailbox.mails) == 1
    assert psutil.Process(process.pid).memory_info().rss < 200 << 20


def test_a_server_that_says_nothing_does_not_hold_up_jobs(
    database: str, db: Db, launcher: StartLauncher, mailbox: Mailbox
) -> None:
    mailbox.silent = True
    bad, good = add_job(db, "bad", sql="SELECT 1/0"), add_job(db, "good", sql="SELECT 1")
    db.execute("SELECT pgagent_py.add_message(%s, 'email', 'me@example.org')", [bad])
    process = launcher(database, "-t", "1", env=smtp(mailbox))
    run_to_end(db, bad)
    wait_for(lambda: mailbox.connections, what="a connection to the mail server")
    for _ in range(5):
        run_to_end(db, good)
    assert mailbox.connections == 1, "the server was waited for"
    assert db.execute("SELECT count(*) FROM pgagent_py.unsent_message").fetchone() == (1,)
    children = psutil.Process(process.pid).children(recursive=True)
    assert any("pgagent_py_launcher.sender_process" in child.cmdline() for child in children)
    assert process.terminate() == 0
    _, alive = psutil.wait_procs(children, timeout=PATIENCE)
    assert alive == []
    # It had not been sent: the next launcher may, as soon as it is due.
    row = wait_for_row(
        db,
        "SELECT qmserror, given_up FROM pgagent_py.unsent_message WHERE qmserror IS NOT NULL",
    )
    assert row == ("the process that sends messages ended", False)


def test_servers_that_never_come_to_an_end_do_not_keep_other_messages_from_being_sent(
    database: str, db: Db, launcher: StartLauncher, mailbox: Mailbox
) -> None:
    class Dripping(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                while not mailbox.ended.wait(0.5):
                    self.request.sendall(b"H")

    server = Server(("127.0.0.1", 0), Dripping)
    job = add_job(db, "dripping", sql="SELECT 1/0")
    for _ in range(8):  # as many as are sent at a time
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        db.execute("SELECT pgagent_py.add_message(%s, 'webhook', %s)", [job, url])
    db.execute("SELECT pgagent_py.add_message(%s, 'email', 'me@example.org')", [job])
    for _ in serve(server):
        launcher(database, env=smtp(mailbox))
        run_to_end(db, job)
        wait_for(lambda: mailbox.mails, what="the mail")
        failed = "SELECT 1 FROM pgagent_py.unsent_message HAVING count(qmserror) = 8 AND count(*) = 8 AND NOT bool_or(given_up)"
        wait_for_row(db, failed)
        mailbox.ended.set()


def test_messages_of_a_killed_launcher_are_sent_by_another(
    database: str, db: Db, launcher: StartLauncher, mailbox: Mailbox
) -> None:
    mailbox.silent = True
    job = add_job(db, "bad", sql="SELECT 1/0")
    db.execute("SELECT pgagent_py.add_message(%s, 'email', 'me@example.org')", [job])
    first = launcher(database, env=smtp(mailbox))
    run_to_end(db, job)
    wait_for(lambda: mailbox.connections, what="a connection to the mail server")
    first.clean_up()
    mailbox.silent = False
    mailbox.ended.set()
    # As if the five minutes had passed that a launcher has to report
    db.execute("UPDATE pgagent_py.queued_message SET qmsnotbefore = now()")
    launcher(database, env=smtp(mailbox))
    wait_for(all_sent(db))
    assert len(mailbox.mails) == 1


def test_login_and_starttls_and_no_secret_anywhere(
    database: str, db: Db, launcher: StartLauncher, hook: Hook, tmp_path: Path
) -> None:
    certificate = tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    command += [
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-keyout",
        str(certificate),
        "-out",
        str(tmp_path / "cert"),
    ]
    subprocess.run(command, check=True, capture_output=True)
    with certificate.open("a") as file:
        file.write((tmp_path / "cert").read_text())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    box = Mailbox()
    server = socketserver.TCPServer(
        ("127.0.0.1", 0), type("Handler", (SmtpHandler,), {"box": box, "context": context})
    )
    box.port = server.server_address[1]
    env = smtp(box, SECURITY="starttls", USER="mailer", PASSWORD=PASSWORD) | {
        "SSL_CERT_FILE": str(certificate)
    }
    row = db.execute("SELECT pgagent_py.add_job('leaks', batch => 'env; exit 1')").fetchone()
    assert row
    db.execute("SELECT pgagent_py.add_message(NULL, 'email', 'me@example.org')")
    db.execute(
        "SELECT pgagent_py.add_message(NULL, 'webhook', %s)", [f"http://127.0.0.1:{hook.port}/{TOKEN}"]
    )
    hook.answers = [500]
    for _ in serve(server):
        process = launcher(database, "-l", "2", env=env)
        run_to_end(db, row[0])
        wait_for(lambda: box.mails, what="a mail")
        wait_for_row(
            db,
            "SELECT 1 FROM pgagent_py.unsent_message WHERE qmserror = 'HTTP status 500'",
        )
        assert box.logins == [f"\0mailer\0{PASSWORD}".encode()]
        shown = process.log_text() + " ".join(psutil.Process(process.pid).cmdline())
        shown += str(db.execute("SELECT * FROM pgagent_py.run_history").fetchall())
        shown += str(db.execute("SELECT * FROM pgagent_py.unsent_message").fetchall())
        shown += str(db.execute("SELECT * FROM pgagent_py.job_message").fetchall()) + box.text()
        assert "action=send_message" in shown
        assert "PGAGENT_JOB_ID" in shown
        assert not re.search(f"{PASSWORD}|{TOKEN}|PGAGENT_PY_SMTP", shown)
        process.signal(signal.SIGTERM)
        assert process.wait() == 0


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PORT", "many", "PGAGENT_PY_SMTP_PORT is not a port number"),
        ("SECURITY", "full", "PGAGENT_PY_SMTP_SECURITY must be none, starttls or tls"),
        ("PASWORD", PASSWORD, "PGAGENT_PY_SMTP_PASWORD is not a setting"),
    ],
)
def test_wrong_settings_are_refused(launcher: StartLauncher, name: str, value: str, words: str) -> None:
    process = launcher("dbname=postgres", env={f"PGAGENT_PY_SMTP_{name}": value})
    assert process.wait() == 2
    assert words in process.log_text()
    assert PASSWORD not in process.log_text()


def test_a_chat_service_is_told_and_tried_again(
    database: str, db: Db, launcher: StartLauncher, hook: Hook
) -> None:
    job = add_job(db, "late", sql="SELECT 1/0", cron="0 0 1 1 *")
    db.execute("SELECT pgagent_py.alter_job(%s, late_after => '1 min')", [job])
    for when, path in (("late", "late"), ("failure", "failed")):
        url = f"json://127.0.0.1:{hook.port}/{TOKEN}{path}"
        db.execute("SELECT pgagent_py.add_message(%s, 'chat', %s, %s)", [job, url, when])
    db.execute("SELECT pgagent_py.add_message(%s, 'chat', 'nosuchservice://x')", [job])
    db.execute("UPDATE pgagent_py.alive SET last_alive = now() - interval '3 h'")
    db.execute("UPDATE pgagent.pga_job SET jobnextrun = now() - interval '1 h'")
    hook.answers = [503]
    agent = launcher(database)
    given_up = "SELECT FROM pgagent_py.unsent_message WHERE given_up AND qmserror LIKE '%apprise knows'"
    wait_for_row(db, given_up)
    wait_for(lambda: len(hook.posts) >= 3, what="the second try")
    assert "chat: the service has not taken it" in agent.log_text()
    bodies = {path.rpartition(TOKEN)[2]: json.loads(body) for path, _, body in hook.posts}
    assert bodies["late"]["title"] == "pgAgent job late: late"
    assert "No launcher was at work for 108" in bodies["late"]["message"]
    assert bodies["failed"]["title"] == "pgAgent job late: failure"
    assert "division by zero" in bodies["failed"]["message"]
    shown = db.execute("SELECT msgtarget FROM pgagent_py.job_message ORDER BY 1").fetchall()
    assert shown == [("json",), ("json",), ("nosuchservice",)]
    assert TOKEN not in agent.log_text()
