"""pgAgent's table has one exception per date and time, for all schedules: no role learns by it what another has."""

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.helpers import Db, add_job, call, rows, value
from tests.helpers.roles import login, refusal

DATE, TIME = "2030-05-01", "10:00"
PLACES = "SELECT (SELECT count(*) FROM pgagent.pga_exception), (SELECT count(*) FROM pgagent_py.exception)"


def add_schedule(db: Db, name: str) -> int:
    """Return the schedule of a new job that runs every day at TIME."""
    job = add_job(db, name, {"sql": "SELECT 1"}, cron="0 10 * * *", timezone="UTC")
    return int(value(db, "SELECT jscid FROM pgagent_py.visible_schedule WHERE jobid = %s", job))


def except_(db: Db, schedule: int, time: str = TIME) -> int:
    """Add the exception; return its id."""
    return int(call(db, "add_exception", schedule, DATE, time))


def days(db: Db, schedule: int) -> list[str]:
    """Return the first two days after the eve of DATE on which a schedule fires."""
    query = """
        SELECT to_char(r AT TIME ZONE 'UTC', 'DD') FROM pgagent_py.visible_schedule s,
               pgagent_py.next_runs(s.jobid, 2, '2030-04-30 12:00Z') r WHERE s.jscid = %s"""
    return [day for (day,) in rows(db, query, schedule)]


def test_both_have_the_same_exception(admin: Db, alice: Db, bob: Db, address: str) -> None:
    his, hers = add_schedule(bob, "his"), add_schedule(alice, "hers")
    first, second = except_(bob, his), except_(alice, hers)
    assert value(admin, "SELECT jobnextrun IS NOT NULL FROM pgagent.pga_job WHERE jobname = 'hers'")
    assert admin.execute(PLACES).fetchone() == (1, 1)
    assert first < second
    for db, mine, other, id_ in ((alice, hers, his, second), (bob, his, hers, first)):
        assert rows(db, "SELECT jexid, jscid FROM pgagent_py.visible_exception") == [(id_, mine)]
        assert days(db, mine) == ["02", "03"]
        assert days(db, other) == []
    with login(address, "reader") as reader:
        assert len(rows(reader, "SELECT FROM pgagent_py.visible_exception")) == 2
    # one's own is known
    state, message, _ = refusal(alice, "SELECT pgagent_py.add_exception(%s, %s, %s)", [hers, DATE, TIME])
    assert (state, message) == ("23505", f"there is an exception on_date {DATE} at_time {TIME}:00 already")
    # another's can't be dropped, and is not there at all
    strange = refusal(alice, "SELECT pgagent_py.drop_exception(%s)", [first])
    nothing = refusal(alice, "SELECT pgagent_py.drop_exception(%s)", [second + 1000])
    assert strange[1] == f"exception {first} does not exist"
    assert (strange[0], strange[2]) == (nothing[0], nothing[2]) == ("22023", nothing[2])
    call(alice, "drop_exception", second)
    assert days(alice, hers) == ["01", "02"]
    call(bob, "drop_exception", first)
    assert days(bob, his) == ["01", "02"]
    assert admin.execute(PLACES).fetchone() == (0, 0)


def test_the_next_run_follows_the_second_exception(admin: Db, alice: Db, bob: Db) -> None:
    """A job whose next run is blocked goes on to the one after it, and comes back."""
    next_run = "SELECT jobnextrun FROM pgagent_py.visible_job"
    his, hers = add_schedule(bob, "his"), add_schedule(alice, "hers")
    at = value(alice, next_run)
    block = "SELECT pgagent_py.add_exception(%s, (%s AT TIME ZONE 'UTC')::date, '10:00')"
    value(bob, block, his, at)
    exception = value(alice, block, hers, at)
    assert value(alice, "SELECT jobnextrun - %s = '1 day' FROM pgagent_py.visible_job", at)
    call(alice, "drop_exception", exception)
    assert value(alice, next_run) == at
    value(alice, block, hers, at)
    call(alice, "drop_job", value(alice, "SELECT jobid FROM pgagent_py.visible_job"))
    assert admin.execute(PLACES).fetchone() == (1, 0)


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ"])
def test_no_role_waits_for_anothers_transaction(alice: Db, bob: Db, isolation: str) -> None:
    his, hers = add_schedule(bob, "his"), add_schedule(alice, "hers")
    alice.execute("SET statement_timeout = '60s'")
    alice.execute(f"BEGIN ISOLATION LEVEL {isolation}".encode())
    alice.execute("SELECT 1 FROM pgagent_py.visible_job")  # her snapshot
    with bob.transaction():
        except_(bob, his)
        except_(bob, his, "11:00")
        except_(alice, hers)
    except_(alice, hers, "11:00")
    alice.execute("COMMIT")
    assert days(alice, hers) == days(bob, his) == ["02", "03"]


def test_pgadmin_keeps_its_error(admin: Db, alice: Db, bob: Db, address: str) -> None:
    his, hers = add_schedule(bob, "his"), add_schedule(alice, "hers")
    except_(bob, his)
    with login(address, "editor") as editor:
        with pytest.raises(psycopg.errors.UniqueViolation, match="pga_exception_datetime"):
            editor.execute(
                "INSERT INTO pgagent.pga_exception (jexscid, jexdate, jextime) VALUES (%s, %s, %s)",
                [hers, DATE, TIME],
            )
        except_(editor, hers)
        document = value(editor, "SELECT pgagent_py.export_jobs()")
        assert [len(document["jobs"][name]["schedules"][0]["exceptions"]) for name in ("his", "hers")] == [
            1,
            1,
        ]
        admin.execute("DELETE FROM pgagent.pga_job")
        rows(admin, "SELECT pgagent_py.import_jobs(%s)", Jsonb(document))
    assert admin.execute(PLACES).fetchone() == (1, 1)
    assert value(admin, "SELECT count(DISTINCT jexid) FROM pgagent_py.visible_exception") == 2
