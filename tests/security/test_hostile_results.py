"""Nothing that a step or a template makes keeps a launcher from booking it, nor from serving others."""

import psutil
import pytest

from launcher.output import storable
from tests.acceptance.conftest import mailbox
from tests.conftest import StartLauncher
from tests.helpers import Db, call, first_step, output, rows, run_to_end, serving, value, wait_for
from tests.helpers.mail import Mailbox, smtp

__all__ = ["mailbox"]

MANY_COLUMNS = ", ".join(f"NULL AS {'c' * 50}{number}" for number in range(1600))
ROWS = {
    "longer as JSON": "SELECT repeat(E'\\x01', 900000)",
    "rows of nothing": f"SELECT {MANY_COLUMNS} FROM generate_series(1, 10000)",
    "one wide cell": "SELECT repeat('x', 900000), 1 UNION ALL SELECT 'x', 2 FROM generate_series(1, 9999)",
    "names": 'SELECT 1 AS "\x1b[2J", 2 AS "a", 3 AS "a"',
    "no columns": "SELECT FROM generate_series(1, 10000)",
}
# What a template's error says stands in the report to the server.
TEMPLATES = [
    r'{{ "{0!\ud800}".format(1) }}',
    r'{{ "{0:\x00}".format(1) }}',
    r'{{ "\x00\ud800" }}',
    r'{{ missing["\x00"] }}',
    r'{{ "\x00"|nothing }}',
]


def test_rows_that_are_kept_stop_no_launcher(
    address: str, admin: Db, alice: Db, bob: Db, launcher: StartLauncher
) -> None:
    agent = serving(launcher("--workers", "1", address))
    before = psutil.Process(agent.pid).memory_info().rss
    for name, code in ROWS.items():
        job = call(alice, "add_job", name, sql=code)
        call(alice, "alter_step", first_step(admin, job), keep_rows=10_000)
        assert run_to_end(admin, job).status == "s", output(admin, job)
        size = value(admin, "SELECT coalesce(max(length(slrrows::text)), 0) FROM pgagent_py.step_rows")
        assert size < 10_000_000, name
    assert run_to_end(admin, call(bob, "add_job", "his", sql="SELECT 1")).status == "s"
    assert psutil.Process(agent.pid).memory_info().rss - before < 200 * 2**20


@pytest.mark.parametrize("encoding", ["utf-8", "iso8859-1", "ascii"])
def test_what_is_told_to_the_server_is_made_storable(encoding: str) -> None:
    hostile = "a\0b\ud800c\u2028d"
    for text in storable([hostile, [hostile], 1, None], encoding)[0], storable(hostile, encoding):
        assert "\0" not in text
        assert text.encode(encoding).decode(encoding) == text
    assert storable([1, None, "plain"], encoding) == [1, None, "plain"]


def test_the_errors_of_templates_stop_no_launcher(
    address: str, admin: Db, alice: Db, bob: Db, launcher: StartLauncher, mailbox: Mailbox
) -> None:
    hers, his = (call(session, "add_job", "job", sql="SELECT 1") for session in (alice, bob))
    for template in TEMPLATES:
        call(alice, "add_message", hers, "email", "alice@example.org", "finish", template)
        call(alice, "add_message", hers, "email", "alice@example.org", "finish", "x", template)
    call(bob, "add_message", his, "email", "bob@example.org", "finish", "hello")
    agent = serving(launcher(address, env=smtp(mailbox)))
    assert run_to_end(admin, hers).status == "s"
    unsent = "SELECT given_up FROM pgagent_py.unsent_message"
    wait_for(lambda: all(given_up for (given_up,) in rows(admin, unsent)), what="the end of her messages")
    assert run_to_end(admin, his).status == "s"
    wait_for(lambda: "bob@example.org" in [mail["To"] for mail in mailbox.mails], what="bob's mail")
    assert agent.process.poll() is None
    admin.execute("DELETE FROM pgagent_py.queued_message")
