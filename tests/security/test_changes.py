"""The view job_changes: no role reads another's in it, and no role that may edit the tables gets round it."""

from tests.helpers import Db, add_job, call, rows, value
from tests.helpers.roles import login

SECRET = "s3cret"
SEEN = "SELECT string_agg(c::text, ' ') FROM pgagent_py.job_changes c"


def test_changes_are_shown_like_the_job_and_secrets_to_nobody_else(address: str, alice: Db, bob: Db) -> None:
    comment = f'x\n@parameters {{"token": "{SECRET}"}}\n@email {SECRET}@example.org'
    job = add_job(alice, "hers", {"sql": "SELECT 'her code'"}, description=comment)
    call(
        alice,
        "add_message",
        job,
        "email",
        f"{SECRET}@example.org",
        text=SECRET,
        html=SECRET,
        cc=f"{SECRET}@x",
        bcc=f"{SECRET}@x",
    )
    for role, sees in (
        ("bob", False),
        ("mallory", False),
        ("starter", False),
        ("reader", True),
        ("editor", True),
    ):
        with login(address, role) as db:
            seen = value(db, SEEN) or ""
            assert ("her code" in seen) is sees, role
            assert SECRET not in seen, role
    call(alice, "drop_job", job)
    assert "her code" in value(alice, SEEN)  # its last owner's
    assert value(bob, SEEN) is None


def test_what_an_editor_inserts_is_noted_whatever_its_session_says(address: str, admin: Db) -> None:
    with login(address, "editor") as editor:
        editor.execute("SET check_function_bodies = off; SET row_security = off")
        editor.execute("INSERT INTO pgagent.pga_job (jobjclid, jobname) VALUES (1, 'by editor')")
    found = rows(admin, "SELECT changed_by, action FROM pgagent_py.job_changes WHERE jobname = 'by editor'")
    assert found == [("editor", "insert")]
