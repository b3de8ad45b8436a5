"""Schedules beyond the five sets: every, at, calendars; changing them."""

from datetime import UTC, datetime, timedelta
from time import monotonic

import pytest
from psycopg.errors import InvalidParameterValue, QueryCanceled

from tests.helpers import Db, add_job, value
from tests.helpers.schedules import next_run, runs


def test_every_counts_from_start(db: Db) -> None:
    job = add_job(db, "job")
    add = "SELECT pgagent_py.add_schedule(%s, 's', every => '90 s', start => '2030-01-01 00:00:10Z')"
    db.execute(add, [job])
    first = datetime(2030, 1, 1, 0, 0, 10, tzinfo=UTC)
    assert runs(db, job, 3, "2029-01-01Z") == [first + k * timedelta(seconds=90) for k in range(3)]
    assert runs(db, job, 1, "2030-01-01 00:00:10Z") == [first + timedelta(seconds=90)]


@pytest.mark.parametrize("start", ["2026-01-01 00:00:00.000001Z", "2300-01-01 00:00:00.000001Z"])
def test_every_is_exact_to_the_microsecond_in_every_year(db: Db, start: str) -> None:
    job = add_job(db, "job")
    add = "SELECT pgagent_py.add_schedule(%s, 's', every => '90 s', start => %s, \"end\" => %s::timestamptz + '3 min')"
    schedule = value(db, add, job, start, start)
    first = datetime.fromisoformat(start)
    expected = [first + k * timedelta(seconds=90) for k in range(3)]
    assert runs(db, job, 9, "2000-01-01Z") == expected
    after = "SELECT pgagent_py.next_run(%s, %s) AT TIME ZONE 'UTC'"
    assert value(db, after, schedule, expected[0]).replace(tzinfo=UTC) == expected[1]
    assert runs(db, job, 9, "-infinity") == expected
    assert runs(db, job, 9, "infinity") == []


@pytest.mark.parametrize("timezone", ["UTC", "America/New_York"])
@pytest.mark.parametrize("year", [2030, 2300, 9999, 20_000, 294_000])
def test_the_next_run_of_a_job_is_exact_in_every_year(db: Db, year: int, timezone: str) -> None:
    db.execute(f"SET TimeZone TO '{timezone}'")
    start = f"{year}-07-01 23:59:59.123457Z"
    job = add_job(db, "job")
    db.execute("SELECT pgagent_py.add_schedule(%s, 's', every => '90 s', start => %s)", [job, start])
    assert value(db, "SELECT jobnextrun = %s FROM pgagent.pga_job WHERE jobid = %s", start, job)


def test_the_last_years_of_timestamptz_count_as_never(db: Db) -> None:
    """From 294247 on, microseconds since 1970 have no room in a bigint."""
    job = add_job(db, "job")
    last = "294276-12-31 23:59:59Z"
    schedule = value(db, "SELECT pgagent_py.add_schedule(%s, 's', hours => '{9}', \"end\" => %s)", job, last)
    assert value(db, "SELECT jobnextrun < now() + interval '1 day' FROM pgagent.pga_job")
    for after in ("294200-01-01Z", "294250-01-01Z", last, "294276-12-31 23:59:59.999999Z"):
        value(db, "SELECT pgagent_py.next_run(%s, %s)::text", schedule, after)
        value(db, "SELECT count(*) FROM pgagent_py.next_runs(%s, 9, %s)", job, after)
        value(db, "SELECT count(*) FROM pgagent_py.upcoming_runs('infinity', %s, 9)", after)
    every = (
        "SELECT pgagent_py.add_schedule(%s, 'often', every => '1 s', start => '2030-01-01 00:00:00.000001Z')"
    )
    often = value(db, every, job)
    second, micro = "294276-12-31 23:59:58Z", "294276-12-31 23:59:58.000001Z"
    next_run = "SELECT pgagent_py.next_run(%s, %s) = %s"
    assert value(db, next_run, often, second, micro)
    assert value(db, next_run, often, micro, micro) is None
    db.execute("DELETE FROM pgagent.pga_schedule WHERE jscid = %s", [often])
    db.execute("SELECT pgagent_py.alter_schedule(%s, start => '294260-01-01Z')", [schedule])
    assert value(db, "SELECT jobnextrun FROM pgagent.pga_job") is None
    assert value(db, "SELECT count(*) FROM pgagent_py.problems") == 0


def test_every_fires_only_when_the_sets_let_it(db: Db) -> None:
    job = add_job(db, "job")
    db.execute(
        "SELECT pgagent_py.add_schedule(%s, 's', every => '6 h', hours => '{0,6}', weekdays => '{1}',"
        " start => '2030-01-01 00:00Z', timezone => 'UTC')",
        [job],
    )
    monday = datetime(2030, 1, 7, tzinfo=UTC)
    expected = [monday, monday + timedelta(hours=6), monday + timedelta(days=7)]
    assert runs(db, job, 3, "2030-01-01Z") == expected


def test_a_notice_says_that_both_day_fields_count(db: Db) -> None:
    said: list[str] = []
    db.add_notice_handler(lambda notice: said.append(str(notice.message_primary)))
    job = add_job(db, "first sunday", cron="0 9 1-7 * */7")
    schedule = value(db, "SELECT jscid FROM pgagent.pga_schedule WHERE jscjobid = %s", job)
    db.execute("SELECT pgagent_py.alter_schedule(%s, cron => '0 9 */2 * mon')", [schedule])
    assert [text.partition(":")[0] for text in said] == ['cron "0 9 1-7 * */7"', 'cron "0 9 */2 * mon"']
    assert value(db, "SELECT count(*) FROM pgagent.pga_schedule") == 1
    add_job(db, "either", cron="0 9 13 * fri")
    assert len(said) == 2


def test_at_fires_once(db: Db) -> None:
    job = add_job(db, "job")
    at = datetime(2040, 2, 3, 4, 5, 6, tzinfo=UTC)
    db.execute("SELECT pgagent_py.add_schedule(%s, 's', at => %s)", [job, at])
    assert next_run(db, job) == at
    assert runs(db, job, 5, "2030-01-01Z") == [at]


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [
        ("every => '0.5 s'", "every"),
        ("every => '1.5 s'", "every"),
        ("every => '1 month'", "every"),
        ("every => '0'", "every"),
        ("at => 'infinity'", "at"),
        ("every => '-1 s'", "every"),
        ("at => '2000-01-01'", "at"),
        ("every => '1 s', at => 'tomorrow'", "at"),
        ("cron => '* * * * *', every => '1 s'", "every"),
        ("cron => '* * * * *', hours => '{1}'", "hours"),
        ("minutes => '{60}'", "minutes"),
        ("monthdays => '{0}'", "monthdays"),
        ("weekdays => '{NULL}'", "weekdays"),
        ("\"end\" => '2000-01-01'", "end"),
        ("timezone => 'Mars/Olympus'", "timezone"),
    ],
)
def test_bad_value_is_refused_by_its_argument(db: Db, arguments: str, argument: str) -> None:
    job = add_job(db, "job")
    with pytest.raises(InvalidParameterValue, match=argument) as refused:
        db.execute(f"SELECT pgagent_py.add_schedule({job}, 's', {arguments})".encode())
    assert refused.value.diag.message_hint
    assert value(db, "SELECT count(*) FROM pgagent.pga_schedule") == 0


def test_alter_schedule_changes_what_is_given_and_nothing_else(db: Db) -> None:
    job = add_job(db, "job")
    add = "SELECT pgagent_py.add_schedule(%s, 's', cron => '30 9 * * *', timezone => 'Europe/Paris')"
    schedule = value(db, add, job)
    db.execute("SELECT pgagent_py.alter_schedule(%s, hours => '{10}', name => 'later')", [schedule])
    after = "2030-01-01Z"
    assert runs(db, job, 1, after) == [datetime(2030, 1, 1, 9, 30, tzinfo=UTC)]  # 10:30 in Paris
    db.execute("SELECT pgagent_py.alter_schedule(%s, timezone => '')", [schedule])
    assert runs(db, job, 1, after) == [datetime(2030, 1, 1, 10, 30, tzinfo=UTC)]
    db.execute("SELECT pgagent_py.alter_schedule(%s, cron => '15 1 * * *')", [schedule])
    assert runs(db, job, 1, after) == [datetime(2030, 1, 1, 1, 15, tzinfo=UTC)]
    db.execute("SELECT pgagent_py.alter_schedule(%s, enabled => false)", [schedule])
    assert runs(db, job, 1, after) == []
    assert next_run(db, job) is None
    assert value(db, "SELECT jscname FROM pgagent.pga_schedule WHERE jscid = %s", schedule) == "later"


def test_schedule_that_ends_before_it_starts_can_be_changed_otherwise(db: Db) -> None:
    """pgAdmin lets one be saved."""
    job = add_job(db, "job")
    schedule = value(db, "SELECT pgagent_py.add_schedule(%s, 's', cron => '30 9 * * *')", job)
    db.execute("UPDATE pgagent.pga_schedule SET jscend = jscstart - interval '1 day'")
    db.execute(
        "SELECT pgagent_py.alter_schedule(%s, enabled => false, timezone => 'Europe/Paris')", [schedule]
    )
    assert value(db, "SELECT jscenabled FROM pgagent.pga_schedule") is False
    with pytest.raises(InvalidParameterValue, match="end"):
        db.execute("SELECT pgagent_py.alter_schedule(%s, start => 'tomorrow')", [schedule])


def test_options_are_taken_away_again(db: Db) -> None:
    job = add_job(db, "job")
    schedule = value(db, "SELECT pgagent_py.add_schedule(%s, 's', every => '7 s')", job)
    db.execute("SELECT pgagent_py.alter_schedule(%s, every => '0')", [schedule])
    found = runs(db, job, 2, "2030-01-01Z")
    assert found[1] - found[0] == timedelta(minutes=1)
    db.execute("SELECT pgagent_py.alter_schedule(%s, at => '2040-01-01Z')", [schedule])
    assert next_run(db, job) == datetime(2040, 1, 1, tzinfo=UTC)
    db.execute("SELECT pgagent_py.alter_schedule(%s, at => 'infinity')", [schedule])
    assert next_run(db, job) != datetime(2040, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("before", ["cron => '@reboot'", "every => '7 s'", "at => '2035-01-01Z'"])
@pytest.mark.parametrize(
    ("given", "first", "period"),
    [
        ("cron => '30 4 * * *'", datetime(2030, 1, 1, 4, 30, tzinfo=UTC), timedelta(days=1)),
        ("every => '1 h'", datetime(2030, 1, 1, 1, tzinfo=UTC), timedelta(hours=1)),
        ("at => '2040-02-03 04:05Z'", datetime(2040, 2, 3, 4, 5, tzinfo=UTC), None),
    ],
)
def test_way_to_fire_takes_the_place_of_the_one_before(
    db: Db, before: str, given: str, first: datetime, period: timedelta | None
) -> None:
    job = add_job(db, "job")
    add = f"SELECT pgagent_py.add_schedule(%s, 's', {before}, start => '2030-01-01Z', timezone => 'UTC')"
    db.execute(f"SELECT pgagent_py.alter_schedule(%s, {given})".encode(), [value(db, add, job)])
    expected = [first] if period is None else [first, first + period]
    assert runs(db, job, 2, "2030-01-01Z") == expected


def test_options_that_are_not_given_stay(db: Db) -> None:
    job = add_job(db, "job")
    schedule = value(db, "SELECT pgagent_py.add_schedule(%s, 's', every => '7 s')", job)
    query = "SELECT jsctimezone, jscevery, jscat, jscreboot FROM pgagent_py.schedule_option"
    db.execute("SELECT pgagent_py.alter_schedule(%s, timezone => 'Asia/Tokyo', hours => '{8}')", [schedule])
    assert db.execute(query).fetchall() == [("Asia/Tokyo", timedelta(seconds=7), None, False)]
    db.execute("SELECT pgagent_py.alter_schedule(%s, cron => '@reboot')", [schedule])
    db.execute("SELECT pgagent_py.alter_schedule(%s, every => '0', at => NULL, name => 'n')", [schedule])
    assert db.execute(query).fetchall() == [("Asia/Tokyo", None, None, True)]


def test_either_of_both_days_of_cron_can_not_become_one_schedule(db: Db) -> None:
    schedule = value(db, "SELECT pgagent_py.add_schedule(%s, 's', cron => '0 0 * * *')", add_job(db, "job"))
    with pytest.raises(InvalidParameterValue, match="cron"):
        db.execute("SELECT pgagent_py.alter_schedule(%s, cron => '0 0 13 * 5')", [schedule])


NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
BLOCK = """
INSERT INTO pgagent.pga_exception (jexscid, jexdate)
SELECT jscid, '2030-01-01' FROM pgagent.pga_schedule WHERE jscname = 'noon'"""


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([BLOCK], NOON + timedelta(days=1)),
        ([BLOCK, "UPDATE pgagent.pga_exception SET jexdate = '2030-01-02'"], NOON),
        ([BLOCK, "UPDATE pgagent.pga_exception SET jexscid = (SELECT max(jscid) FROM pgagent.pga_schedule)"], NOON),
        ([BLOCK, "DELETE FROM pgagent.pga_exception"], NOON),
        ([BLOCK, "TRUNCATE pgagent.pga_exception"], NOON),
        (["UPDATE pgagent.pga_schedule SET jscstart = jscstart + interval '1 day'"], NOON + timedelta(days=1)),
        (["UPDATE pgagent.pga_schedule SET jscenabled = false"], None),
        (["UPDATE pgagent.pga_schedule SET jscjobid = (SELECT max(jobid) FROM pgagent.pga_job)"], None),
        (["UPDATE pgagent.pga_schedule SET jscjobid = (SELECT min(jobid) FROM pgagent.pga_job)"], NOON - timedelta(hours=6)),
        (["DELETE FROM pgagent.pga_schedule WHERE jscname = 'noon'"], None),
        (["TRUNCATE pgagent.pga_schedule CASCADE"], None),
        (["UPDATE pgagent.pga_job SET jobenabled = false"], None),
        (["UPDATE pgagent.pga_job SET jobenabled = false", "UPDATE pgagent.pga_job SET jobenabled = true"], NOON),
    ],
)  # fmt: skip
def test_next_run_follows_a_change_of_the_tables(
    db: Db, changes: list[str], expected: datetime | None
) -> None:
    job, other = add_job(db, "job"), add_job(db, "job")
    add = "SELECT pgagent_py.add_schedule(%s, %s, %s, start => '2030-01-01Z', timezone => 'UTC')"
    db.execute(add, [job, "noon", "0 12 * * *"])
    db.execute(add, [other, "six", "0 6 * * *"])
    assert next_run(db, job) == NOON
    for change in changes:
        db.execute(change.encode())
    assert next_run(db, job) == expected


def test_rule_is_read_anew_when_a_row_takes_the_place_of_an_earlier_version(db: Db) -> None:
    """VACUUM FULL moves the last of two versions, both of one transaction, to where the first one was."""
    job = add_job(db, "job")
    minutes = "(SELECT array_agg(n = %s ORDER BY n) FROM generate_series(0, 59) n)"
    insert = f"""
        INSERT INTO pgagent.pga_schedule (jscjobid, jscname, jscstart, jscminutes)
        SELECT %s, 'noon', '2030-01-01Z', {minutes}"""
    with db.transaction():
        db.execute(insert.encode(), [job, 7])
        db.execute(BLOCK.encode())
        db.execute(f"UPDATE pgagent.pga_schedule SET jscminutes = {minutes}".encode(), [8])
    db.execute("VACUUM FULL pgagent.pga_schedule")
    db.execute("DELETE FROM pgagent.pga_exception")
    assert next_run(db, job) == datetime(2030, 1, 1, 0, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("rule", "some"),
    [
        pytest.param("cron => '* * * * *'", 10_000, id="many runs"),
        pytest.param(
            "every => '1 day 2 min', minutes => '{0}', hours => '{0}', start => '2024-01-01Z', timezone => 'UTC'",
            500,
            id="runs that take long to find",
        ),
    ],
)
def test_timeout_ends_a_long_preview(db: Db, rule: str, some: int) -> None:
    """Sooner than a tenth of it can have been found."""
    job = add_job(db, "job")
    db.execute(f"SELECT pgagent_py.add_schedule(%s, 's', {rule})".encode(), [job])
    preview = "SELECT count(*) FROM pgagent_py.next_runs(%s, %s)"
    db.execute(preview, [job, some])  # of what has been loaded already the server hears nothing more
    begin = monotonic()
    db.execute(preview, [job, some])
    seconds = monotonic() - begin
    db.execute("SELECT set_config('statement_timeout', %s, false)", [str(round(1000 * seconds) + 1)])
    begin = monotonic()
    with pytest.raises(QueryCanceled):
        db.execute(preview, [job, 1000 * some])
    assert monotonic() - begin < 100 * seconds
