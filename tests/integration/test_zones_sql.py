"""Time zones inside the server: PostgreSQL's own offsets, whatever the session; next runs through SQL."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, time, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.helpers import Db, add_job, forms, value
from tests.unit.plpython.oracle import Rule, flags, instant_of, walk_days

# Names, whatever their case, also those that are abbreviations, too; abbreviations; POSIX rules; what SHOW TimeZone
# gives after SET TIME ZONE -3.5
ZONES = (
    "UTC",
    "Europe/Paris",
    "america/NEW_YORK",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "America/Havana",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Pacific/Chatham",
    "Pacific/Apia",
    "Asia/Kathmandu",
    "Africa/Monrovia",
    "EST",
    "cet",
    "WET",
    "MSK",
    "-3",
    "EST5EDT",
    "EST5EDT,M3.2.0/2,M11.1.0/2",
    "<-03:30>+03:30",
)

# The modules that CREATE EXTENSION put into the catalog, asked in the server
SEGMENT = """
CREATE FUNCTION segment(zone text, instant bigint) RETURNS bigint[] LANGUAGE plpython3u AS $python$
import sys
if "pgagent_py" not in sys.modules:
    plpy.execute("SELECT pgagent_py._load()")
from pgagent_py.rules import zones
return list(zones.get_zone(plpy, zone).segment(instant))
$python$;

-- An instant as UTC's timestamp: to_timestamp() rounds in far years. What SET TimeZone knows means that.
CREATE FUNCTION true_offset(zone text, instant bigint) RETURNS bigint LANGUAGE plpgsql AS $plpgsql$
DECLARE
    t timestamp := timestamp 'epoch' + make_interval(days => (instant / 86400)::int, secs => instant % 86400);
BEGIN
    IF zone IN ('MSK', '-3') THEN
        RETURN extract(epoch FROM t AT TIME ZONE 'UTC' AT TIME ZONE zone - t);
    END IF;
    PERFORM set_config('TimeZone', zone, true);
    RETURN extract(timezone FROM t AT TIME ZONE 'UTC');
END
$plpgsql$;
"""


@pytest.mark.parametrize("zone", ZONES)
def test_offsets_are_those_of_postgresql(db: Db, zone: str) -> None:
    db.execute(SEGMENT)
    rng = random.Random(zone)
    near = [rng.randrange(instant_of("1850-01-01"), instant_of("2150-01-01")) for _ in range(150)]
    far = [rng.randrange(-200_000_000_000, 9_000_000_000_000) for _ in range(20)]
    wrong = db.execute(
        """
        SELECT probe, part[3], true_offset(%(zone)s, probe)
          FROM unnest(%(instants)s::bigint[]) AS instant, segment(%(zone)s, instant) AS part,
               unnest(ARRAY[instant, part[1], part[2] - 1]) AS probe
         WHERE part[3] <> true_offset(%(zone)s, probe)
        UNION ALL -- and just before it was another one, or the same in a chunk before
        SELECT probe, part[3], true_offset(%(zone)s, probe)
          FROM unnest(%(instants)s::bigint[]) AS instant, segment(%(zone)s, instant) AS after,
               LATERAL (SELECT after[1] - 1) AS x (probe), segment(%(zone)s, probe) AS part
         WHERE part[3] <> true_offset(%(zone)s, probe)
        """,
        {"zone": zone, "instants": near + far},
    ).fetchall()
    assert wrong == []


@pytest.mark.parametrize("zone", ["Europe/Pariss", "", "Mars", "x' OR true --", "Europe/\u00c9vry"])
def test_unknown_zone_is_refused(db: Db, zone: str) -> None:
    job = add_job(db, "job", "SELECT 1")
    statements: list[tuple[str, list[Any]]] = [
        ("SELECT pgagent_py.add_schedule(%s, 'x', '@daily', timezone => %s)", [job, zone]),
        ("SELECT pgagent_py.set_default_timezone(%s)", [zone]),
    ]
    for statement, values in statements:
        with pytest.raises(psycopg.errors.InvalidParameterValue) as refused:
            db.execute(statement.encode(), values)
        assert "timezone" in str(refused.value)
        assert f'"{zone}" is not known' in str(refused.value)
        assert "pg_timezone_names" in (refused.value.diag.message_hint or "")
    assert value(db, "SELECT count(*) FROM pgagent.pga_schedule") == 0


SESSIONS: tuple[dict[str, str], ...] = (
    {},
    {"TimeZone": "Asia/Tokyo", "DateStyle": "German"},
    {"TimeZone": "America/Havana", "DateStyle": "SQL, DMY", "IntervalStyle": "iso_8601"},
    {"TimeZone": "<+05:30>-05:30", "DateStyle": "Postgres, MDY", "extra_float_digits": "-15"},
    {"timezone_abbreviations": "India", "lc_time": "C"},
    {"search_path": "hostile, pg_catalog"},
    {"role": "scheduler_of_test"},
)

# What an attacker would put before pg_catalog: nothing of it may be called.
HOSTILE = """
CREATE SCHEMA hostile;
CREATE FUNCTION hostile.raise() RETURNS integer LANGUAGE plpgsql AS $$ BEGIN RAISE 'hostile'; END $$;
CREATE FUNCTION hostile.minus(timestamp, timestamp) RETURNS interval LANGUAGE sql
    AS $$ SELECT make_interval(secs => hostile.raise()) $$;
CREATE OPERATOR hostile.- (LEFTARG = timestamp, RIGHTARG = timestamp, FUNCTION = hostile.minus);
CREATE FUNCTION hostile.unnest(bigint[]) RETURNS SETOF bigint LANGUAGE sql AS $$ SELECT hostile.raise()::bigint $$;
CREATE FUNCTION hostile.make_interval(days integer, secs bigint) RETURNS interval LANGUAGE sql
    AS $$ SELECT pg_catalog.make_interval(secs => hostile.raise()) $$;
CREATE TABLE hostile.setting (name text, value text);
GRANT USAGE ON SCHEMA hostile TO PUBLIC;
"""


@pytest.fixture
def scheduler(db: Db) -> Iterator[str]:
    """Return a role that may edit pgAgent's tables and has no grant on anything of ours."""
    db.execute("CREATE ROLE scheduler_of_test")
    db.execute("GRANT USAGE ON SCHEMA pgagent TO scheduler_of_test")
    db.execute("GRANT ALL ON ALL TABLES IN SCHEMA pgagent TO scheduler_of_test")
    yield "scheduler_of_test"
    db.execute("DROP OWNED BY scheduler_of_test")
    db.execute("DROP ROLE scheduler_of_test")


@pytest.mark.usefixtures("scheduler")
def test_session_that_edits_does_not_matter(database: str, db: Db) -> None:
    db.execute(HOSTILE)
    job = add_job(db, "job", "SELECT 1")
    for zone, cron in (
        ("Europe/Paris", "30 2 * * *"),
        ("IST", "0 12 L * *"),
        ("America/Havana", "0 0 * * sun"),
    ):
        db.execute("SELECT pgagent_py.add_schedule(%s, 'x', %s, timezone => %s)", [job, cron, zone])
    found = set()
    for settings in SESSIONS:
        with psycopg.connect(database, autocommit=True) as session:
            for name, setting in settings.items():
                session.execute(
                    sql.SQL("SET {} = {}").format(sql.Identifier(name), hostile_list(name, setting))
                )
            session.execute("UPDATE pgagent.pga_schedule SET jscdesc = jscdesc || '.'")
            found.add(value(session, "SELECT extract(epoch FROM jobnextrun) FROM pgagent.pga_job"))
            if "role" not in settings:
                after = "SELECT array_agg(extract(epoch FROM r)) FROM pgagent_py.next_runs(%s, 50, to_timestamp(0)) r"
                found.add(tuple(value(session, after, job)))
    assert len(found) == 2
    assert None not in found


def hostile_list(name: str, setting: str) -> sql.Composable:
    """Return the value as SET takes it: names one by one, not as one name."""
    if name in ("search_path", "DateStyle"):
        return sql.SQL(", ").join(sql.Identifier(part.strip()) for part in setting.split(","))
    return sql.Literal(setting)


def test_default_zone_is_recorded_and_can_be_changed(bare_database: str) -> None:
    with psycopg.connect(bare_database, autocommit=True) as db:
        db.execute("SET TimeZone = 'Asia/Tokyo'")
        db.execute("CREATE EXTENSION pgagent_py CASCADE")
        db.execute("SET TimeZone = 'America/New_York'")
        assert value(db, "SELECT pgagent_py.default_timezone()") == "Asia/Tokyo"
        job = add_job(db, "job", "SELECT 1")
        schedules = [
            value(db, "SELECT pgagent_py.add_schedule(%s, 'x', '0 12 * * *', timezone => %s)", job, zone)
            for zone in (None, "UTC")
        ]
        hour = "SELECT extract(hour FROM pgagent_py.next_run(%s) AT TIME ZONE 'UTC')"
        assert [value(db, hour, schedule) for schedule in schedules] == [3, 12]
        db.execute("UPDATE pgagent.pga_schedule SET jscenabled = false WHERE jscid = %s", [schedules[1]])
        due = "SELECT extract(hour FROM jobnextrun AT TIME ZONE 'UTC') FROM pgagent.pga_job"
        assert value(db, due) == 3
        db.execute("SELECT pgagent_py.set_default_timezone('Europe/London')")
        assert value(db, "SELECT pgagent_py.default_timezone()") == "Europe/London"
        assert value(db, due) in (11, 12)
        db.execute("SELECT pgagent_py.alter_schedule(%s, timezone => 'Asia/Kathmandu')", [schedules[0]])
        assert value(db, due) == 6
    with psycopg.connect(make_conninfo(bare_database, options="-c TimeZone=UTC"), autocommit=True) as other:
        assert value(other, "SELECT pgagent_py.default_timezone()") == "Europe/London"


def test_default_zone_is_that_of_the_setting_also_where_an_abbreviation_has_the_same_name(
    bare_database: str,
) -> None:
    """TimeZone = CET has summer time, the abbreviation CET has not."""
    with psycopg.connect(bare_database, autocommit=True) as db:
        db.execute("SET TimeZone = 'CET'")
        db.execute("CREATE EXTENSION pgagent_py CASCADE")
        job = add_job(db, "job", "SELECT 1")
        schedule = value(db, "SELECT pgagent_py.add_schedule(%s, 'x', '0 12 * * *')", job)
        query = "SELECT extract(hour FROM pgagent_py.next_run(%s, %s) AT TIME ZONE 'UTC')"
        assert [value(db, query, schedule, f"2030-{month}-01Z") for month in ("01", "07")] == [11, 10]
        assert value(db, "SELECT current_setting('TimeZone')") == "CET"


def test_zone_is_looked_up_without_trace_in_the_session(db: Db) -> None:
    job = add_job(db, "job", "SELECT 1")
    db.execute("SET TimeZone = 'Asia/Tokyo'")
    db.execute("SET timezone_abbreviations = 'India'")
    for zone in ("MSK", "Europe/Oslo", "EST5EDT,M3.2.0,M11.1.0", "+3"):
        with db.transaction():
            add = "SELECT pgagent_py.add_schedule(%s, 'x', '0 12 * * *', timezone => %s)"
            schedule = value(db, add, job, zone)
            db.execute("SELECT pgagent_py.next_run(%s, '1995-05-05Z')", [schedule])
            settings = "SELECT current_setting('TimeZone') || current_setting('timezone_abbreviations')"
            assert value(db, settings) == "Asia/TokyoIndia"
        assert value(db, settings) == "Asia/TokyoIndia"


INSERT = """
INSERT INTO pgagent.pga_schedule (jscjobid, jscname, jscstart, jscend, jscminutes, jschours, jscweekdays,
                                  jscmonthdays, jscmonths)
VALUES (%s, 'x', coalesce(to_timestamp(%s), '-infinity'), to_timestamp(%s), %s, %s, %s, %s, %s) RETURNING jscid
"""


@forms(250, 5_000)
def test_next_run_through_sql_is_what_walking_finds(db: Db, size: int) -> None:
    seed = random.randrange(10**9)
    rng = random.Random(seed)
    job = add_job(db, "job", "SELECT 1")
    for _ in range(size):
        after = rng.randrange(instant_of("2000-01-01"), instant_of("2036-01-01"))
        rule = random_rule(rng, after)
        schedule = insert(db, job, rule)
        query = "SELECT extract(epoch FROM pgagent_py.next_run(%s, to_timestamp(%s)))"
        found = value(db, query, schedule, after)
        expected = walk_days(rule, after, 1, 366 * 12)
        case = f"seed {seed}: after {after}: {rule}"
        assert found == expected[0] if expected else found is None or found > after + 366 * 11 * 86_400, case


def random_rule(rng: random.Random, after: int) -> Rule:
    def some(of: range, chance: float) -> frozenset[int]:
        return frozenset(rng.sample(of, rng.randint(1, 3))) if rng.random() < chance else frozenset()

    rule = Rule(
        some(range(60), 1),
        some(range(24), 0.7) | some(range(4), 0.3),
        some(range(7), 0.3),
        some(range(1, 33), 0.5),
        some(range(1, 13), 0.3),
        start=after + rng.randrange(-(10**7), 10**7) / 4 if rng.random() < 0.3 else None,
        end=after + rng.randrange(10**9) / 4 if rng.random() < 0.2 else None,
        zone=rng.choice(("Europe/Paris", "America/St_Johns", "Australia/Lord_Howe", "America/Havana", "UTC")),
    )
    day = date(1970, 1, 1) + timedelta(days=after // 86_400 + rng.randrange(40))
    exceptions = [(day, None), (day + timedelta(days=1), time(3, 15, 30)), (None, time(2, 30)), (None, None)]
    return replace(rule, exceptions=tuple(rng.sample(exceptions, rng.choice((0, 1, 4)))))


def insert(db: Db, job: int, rule: Rule) -> int:
    """Insert *rule* as pgAdmin would, as the job's only schedule, then set its time zone; return its id."""
    values = [
        flags(rule.minutes, range(60)),
        flags(rule.hours, range(24)),
        flags(rule.weekdays, range(7)),
        flags(rule.monthdays, range(1, 33)),
        flags(rule.months, range(1, 13)),
    ]
    # The one before goes: pgAgent holds an exception's date and time only once, and an edit looks at all schedules of the job.
    db.execute("DELETE FROM pgagent.pga_schedule")
    schedule = int(value(db, INSERT, job, rule.start, rule.end, *values))
    for on_date, at_time in rule.exceptions:
        db.execute(
            "INSERT INTO pgagent.pga_exception (jexscid, jexdate, jextime) VALUES (%s, %s, %s)",
            [schedule, on_date, at_time],
        )
    db.execute("SELECT pgagent_py.alter_schedule(%s, timezone => %s)", [schedule, rule.zone])
    return schedule
