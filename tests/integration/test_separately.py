"""Steps whose statements are executed separately: who sets it, who is handed such a step."""

import uuid

import psycopg
import pytest

from tests.helpers import Db, add_due_job, alter_step, call, first_step, rows, run_due, value
from tests.helpers.transfer import export, import_

Invalid = psycopg.errors.InvalidParameterValue
HANDED = "SELECT jobid, jstid, separately FROM pgagent_py.run_due(10)"


def set_by_comment(db: Db, comment: str) -> None:
    db.execute("UPDATE pgagent.pga_jobstep SET jstdesc = %s", [comment])


def separately(db: Db) -> bool | None:
    """Return whether the only step's statements are executed separately, as the view has it; None without a row."""
    found = rows(db, "SELECT separately FROM pgagent_py.step_options")
    return found[0][0] if found else None


def test_it_is_set_by_functions_and_comments_shown_noted_and_carried_over(db: Db) -> None:
    job = call(db, "add_job", "x")
    step = call(db, "add_step", job, "s", sql="VACUUM; VACUUM", separately=True)
    assert separately(db) is True
    document = export(db)
    assert document["jobs"]["x"]["steps"][0]["separately"] is True
    import_(db, document)
    assert export(db) == document
    alter_step(db, step, separately=False)
    assert separately(db) is False
    set_by_comment(db, "@separately")
    assert separately(db) is True
    set_by_comment(db, "@separately off")
    assert separately(db) is False
    set_by_comment(db, "@separately\n@retries 3")
    set_by_comment(db, "@retries 3")
    assert separately(db) is False
    seen = "SELECT old_value, new_value FROM pgagent_py.job_changes WHERE column_name = 'jstseparately' ORDER BY changed_at"
    assert rows(db, seen)[-2:] == [("false", "true"), ("true", "false")]
    alter_step(db, step, separately=True)
    alter_step(db, step, batch="true")
    assert separately(db) is False


def test_it_goes_with_neither_atomic_nor_batch(db: Db) -> None:
    job = call(db, "add_job", "x")
    both = {"sql": "SELECT 1", "atomic": True, "separately": True}
    with pytest.raises(Invalid, match="separately: the step is atomic"):
        call(db, "add_step", job, "s", **both)
    with pytest.raises(Invalid, match="separately is given for a batch step"):
        call(db, "add_step", job, "s", batch="true", separately=True)
    step = call(db, "add_step", job, "s", sql="SELECT 1", atomic=True)
    with pytest.raises(Invalid, match="separately: the step is atomic"):
        alter_step(db, step, separately=True)
    with pytest.raises(Invalid, match="separately: the step is atomic"):
        set_by_comment(db, "@separately")
    alter_step(db, step, separately=True, atomic=False)
    with pytest.raises(Invalid, match="separately: the step is atomic"):
        alter_step(db, step, atomic=True)
    set_by_comment(db, "@atomic\n@separately off")
    set_by_comment(db, "@separately")
    assert rows(db, "SELECT atomic, separately FROM pgagent_py.step_options") == [(False, True)]


def test_only_a_launcher_that_knows_it_gets_such_a_step(db: Db) -> None:
    job = add_due_job(db, "x", "SELECT 1")
    step = first_step(db, job)
    alter_step(db, step, separately=True)
    assert run_due(db) == []
    assert value(db, "SELECT no_launcher FROM pgagent_py.job_status") == (
        "no living launcher that has separate statements"
    )
    assert rows(db, "SELECT jobid FROM pgagent_py.not_for_daemon") == [(job,)]
    call(db, "start_agent", uuid.uuid4(), "host", knows=["own places", "news"])
    assert rows(db, HANDED) == []
    call(db, "stop_agent")
    call(db, "start_agent", uuid.uuid4(), "host", knows=["separate statements"])
    assert value(db, "SELECT no_launcher FROM pgagent_py.job_status") is None
    assert rows(db, HANDED) == [(job, step, True)]
    assert rows(db, "SELECT separately FROM pgagent_py.steps_in_progress()") == [(True,)]
    call(db, "stop_agent")
    other = add_due_job(db, "as ever", "SELECT 1", "SELECT 2")
    db.execute("UPDATE pgagent.pga_jobstep SET jstenabled = false WHERE jstid = %s", [step])
    assert run_due(db) == ["as ever", "as ever"]
    assert other
