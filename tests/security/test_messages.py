"""One owner's messages hold up no other's, and no turn."""

from tests.acceptance.conftest import mailbox
from tests.conftest import StartLauncher
from tests.helpers import Db, call, rows, run_to_end, value, wait_for
from tests.helpers.mail import Mailbox, smtp
from tests.helpers.protocol import Agent, done
from tests.helpers.roles import refusal

__all__ = ["mailbox"]

ENDLESS = "{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}"


def test_endless_templates_of_one_owner_hold_up_no_others_mail(
    address: str, admin: Db, alice: Db, bob: Db, launcher: StartLauncher, mailbox: Mailbox
) -> None:
    hers, his = (call(session, "add_job", "job", sql="SELECT 1") for session in (alice, bob))
    for _ in range(40):
        call(alice, "add_message", hers, "email", "alice@example.org", "finish", ENDLESS)
    call(
        bob,
        "add_message",
        his,
        "email",
        "bob@example.org",
        "finish",
        "hello",
        "x" * 500 + "{{ 'y' * 100000 }}",
    )
    launcher("--workers", "4", address, env=smtp(mailbox))
    assert run_to_end(admin, hers).status == "s"
    wait_for(lambda: value(admin, "SELECT count(*) FROM pgagent_py.queued_message WHERE qmstries > 0") > 0)
    assert run_to_end(admin, his).status == "s"
    wait_for(lambda: mailbox.mails, what="bob's mail")
    assert mailbox.mails[0]["To"] == "bob@example.org"
    assert len(str(mailbox.mails[0]["Subject"])) == 1000
    # Hers were not all tried by then: each takes seconds
    assert value(admin, "SELECT count(*) FROM pgagent_py.queued_message WHERE qmstries = 0") > 0
    admin.execute("DELETE FROM pgagent_py.queued_message")


def test_a_run_queues_a_hundred_messages_of_an_owner_and_an_owner_has_a_thousand(
    address: str, admin: Db, alice: Db, bob: Db
) -> None:
    hers, his = (call(session, "add_job", "job", sql="SELECT 1") for session in (alice, bob))
    alice.execute(
        "SELECT pgagent_py.add_message(%s, 'email', 'a@example.org', 'finish') FROM generate_series(1, 150)",
        [hers],
    )
    call(bob, "add_message", his, "email", "bob@example.org", "finish")
    agent = Agent(address)
    for run in range(12):
        for session, job in ((alice, hers), (bob, his)):
            call(session, "run_now", job)
        agent.run_due(0, *map(done, agent.run_due(2)))
        count = "SELECT count(*) FROM pgagent_py.queued_message WHERE qmsjobid = %s"
        assert value(admin, count, hers) == min(100 * (run + 1), 1000)
        assert value(admin, count, his) == run + 1
    # Messages are taken of one owner at a time, bob's among them although hers were there before
    taken = [call(agent.db, "take_messages", 50) for _ in range(3)]
    assert [len(messages) for messages in taken] == [16, 12, 0]
    assert {message["target"] for message in taken[1]} == {"bob@example.org"}
    assert value(agent.db, "SELECT pgagent_py.next_message()") > 100
    ids = [message["id"] for message in taken[0]]
    call(agent.db, "finish_messages", ids, [None] * 16, [False] * 16)
    assert len(call(agent.db, "take_messages", 50)) == 16
    agent.close()
    admin.execute("DELETE FROM pgagent_py.queued_message")


def test_a_receiver_that_hangs_keeps_nothing_from_the_others(address: str, admin: Db) -> None:
    """Its messages are on their way and come to no end, those to others are taken meanwhile; too many of them are not."""
    job = call(admin, "add_job", "job", sql="SELECT 1")
    for n, kind in enumerate(("webhook", "webhook", "email", "chat", "webhook", "webhook")):
        target = "a@example.org" if kind == "email" else f"json://h{n}" if kind == "chat" else f"http://h{n}/"
        call(admin, "add_message", job, kind, target, "finish")
    agent = Agent(address)
    queue = "UPDATE pgagent_py.queued_message SET qmsnotbefore = now() + '1 h' WHERE qmstaken IS NULL"
    wake = (
        "UPDATE pgagent_py.queued_message SET qmsnotbefore = now() WHERE qmstarget = %s AND qmstaken IS NULL"
    )
    older = (
        "UPDATE pgagent_py.queued_message SET qmstaken = qmstaken - interval '2 s' WHERE qmstaken IS NOT NULL"
    )
    for _ in range(2):
        call(admin, "run_now", job)
        agent.run_due(0, *map(done, agent.run_due(1)))
    admin.execute(queue)

    def taken(*targets: str) -> list[str]:
        for target in targets:
            admin.execute(wake, [target])
        return sorted({message["target"] for message in call(agent.db, "take_messages", 50, ["chat"])})

    assert taken("http://h0/") == ["http://h0/"]
    assert taken("http://h1/") == []  # the first may be done in a moment
    assert 0 < value(agent.db, "SELECT pgagent_py.next_message('{chat}')") <= 1
    admin.execute(older)
    assert taken("http://h0/", "a@example.org") == ["a@example.org", "http://h1/"]
    admin.execute(older)
    assert taken("a@example.org", "json://h3") == ["json://h3"]
    admin.execute(older)
    assert taken("http://h4/") == []  # three batches
    assert value(agent.db, "SELECT pgagent_py.next_message('{chat}')") > 100
    ids = [id_ for (id_,) in rows(admin, "SELECT qmsid FROM pgagent_py.queued_message WHERE qmstarget = 'http://h0/'"
                                         " AND qmstaken IS NOT NULL")]  # fmt: skip
    call(agent.db, "finish_messages", ids, [None] * len(ids), [False] * len(ids))
    assert taken() == ["http://h4/"]
    agent.close()
    admin.execute("DELETE FROM pgagent_py.queued_message")


def test_an_email_has_a_hundred_addresses_at_most(admin: Db) -> None:
    job = call(admin, "add_job", "job")
    call(admin, "set_bound", "names", 100_000, "postgres")
    many = ",".join(101 * ["a@example.org"])
    refused = refusal(admin, "SELECT pgagent_py.add_message(%s, 'email', %s)", [job, many])
    assert refused[:2] == ("22023", "target has too many addresses")
    call(admin, "add_message", job, "email", many.partition(",")[2])
    call(admin, "set_bound", "names", None, "postgres")
    assert rows(admin, "SELECT count(*) FROM pgagent_py.job_message") == [(1,)]
