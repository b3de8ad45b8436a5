"""The extension as its users and administrators see it: its contents, its contract, who may do what."""

import re
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.helpers import Cluster, Db, pg_config, value

TOP = Path(__file__).resolve().parents[2]

# What the project promises: names, order, types and defaults of the arguments, and what comes back.
CONTRACT = {
    "add_job": (
        "name text, cron text DEFAULT NULL::text, sql text DEFAULT NULL::text, batch text DEFAULT NULL::text,"
        " database name DEFAULT NULL::name, timezone text DEFAULT NULL::text,"
        " description text DEFAULT NULL::text, class text DEFAULT NULL::text, host text DEFAULT NULL::text,"
        " enabled boolean DEFAULT true",
        "integer",
    ),
    "add_step": (
        "job integer, name text, sql text DEFAULT NULL::text, batch text DEFAULT NULL::text,"
        " database name DEFAULT NULL::name, connstr text DEFAULT NULL::text,"
        " on_error text DEFAULT 'fail'::text, enabled boolean DEFAULT true,"
        " description text DEFAULT NULL::text",
        "integer",
    ),
    "add_schedule": (
        "job integer, name text, cron text DEFAULT NULL::text, minutes integer[] DEFAULT NULL::integer[],"
        " hours integer[] DEFAULT NULL::integer[], weekdays integer[] DEFAULT NULL::integer[],"
        " monthdays integer[] DEFAULT NULL::integer[], months integer[] DEFAULT NULL::integer[],"
        ' start timestamp with time zone DEFAULT NULL::timestamp with time zone, "end" timestamp with time zone'
        " DEFAULT NULL::timestamp with time zone, timezone text DEFAULT NULL::text,"
        " enabled boolean DEFAULT true, description text DEFAULT NULL::text",
        "SETOF integer",
    ),
    "add_exception": (
        "schedule integer, on_date date DEFAULT NULL::date,"
        " at_time time without time zone DEFAULT NULL::time without time zone",
        "integer",
    ),
    "drop_job": ("job integer", "void"),
    "run_now": ("job integer", "void"),
    "next_run": (
        "schedule integer, after timestamp with time zone DEFAULT now()",
        "timestamp with time zone",
    ),
    "next_runs": (
        "job integer, count integer DEFAULT 10, after timestamp with time zone DEFAULT now()",
        "SETOF timestamp with time zone",
    ),
    "run_due": (
        "capacity integer DEFAULT 0, finished pgagent_py.step_result[] DEFAULT '{}'::pgagent_py.step_result[]",
        "SETOF pgagent_py.step_run",
    ),
    "version": ("", "text"),
}

# From PostgreSQL 17 on, the row and array types that come with a table are members, too.
MEMBERS = """
    SELECT pg_describe_object(d.classid, d.objid, 0)
      FROM pg_depend d LEFT JOIN pg_type t ON d.classid = 'pg_type'::regclass AND t.oid = d.objid
           LEFT JOIN pg_class c ON c.oid = t.typrelid
     WHERE coalesce(c.relkind, 'c') = 'c' AND coalesce(t.typcategory, 'C') <> 'A'
       AND refclassid = 'pg_extension'::regclass AND deptype = 'e'
       AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pgagent_py')"""
FUNCTIONS = """
    SELECT p.oid::regprocedure::text, p.proname, p.provolatile, p.proconfig, p.prosecdef, l.lanname,
           obj_description(p.oid, 'pg_proc') AS comment
      FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
     WHERE p.pronamespace = 'pgagent_py'::regnamespace"""

# Folders of sql/ whose files are named after the table that the triggers are on
TRIGGERS = ("triggers", "on_pgagent")


@pytest.mark.parametrize("name", CONTRACT)
def test_function_keeps_the_contract(db: Db, name: str) -> None:
    query = """
        SELECT pg_get_function_arguments(p.oid), pg_get_function_result(p.oid) FROM pg_proc p
         WHERE p.pronamespace = 'pgagent_py'::regnamespace AND p.proname = %s"""
    ((arguments, result),) = db.execute(query, [name]).fetchall()
    promised, promised_result = CONTRACT[name]
    # Later versions may add arguments at the end
    assert arguments.startswith(promised)
    assert result == promised_result


def test_members_are_the_files_of_the_source(db: Db) -> None:
    """Each file in sql/functions, tables, types and views makes the object of its name; trigger functions are beside triggers."""
    members = {row[0] for row in db.execute(MEMBERS)}
    found: dict[str, set[str]] = {kind: set() for kind in ("functions", "tables", "types", "views")}
    for member in members:
        if match := re.match(r"(function|table|view) pgagent_py\.(\w+)", member):
            found[match[1] + "s"].add(match[2])
        elif match := re.match(r"type pgagent_py\.(\w+)$", member):
            found["types"].add(match[1])
        else:
            known = r"schema pgagent_py$|(sequence|type) pgagent_py\.|event trigger pgagent_py_"
            assert re.match(known, member), member
    triggers = "".join(path.read_text() for kind in TRIGGERS for path in (TOP / "sql" / kind).glob("*.sql"))
    found["functions"] -= set(re.findall(r"CREATE OR REPLACE FUNCTION pgagent_py\.(\w+)", triggers))
    # One for each table that macros/changes.j2 lists
    found["functions"] = {name for name in found["functions"] if not name.startswith("_log_")}
    for kind, names in found.items():
        assert {path.stem for path in (TOP / "sql" / kind).glob("*.sql")} == names


def test_every_function_is_documented_and_pins_its_search_path(db: Db) -> None:
    # _firing and _firing_after are called per row of a trigger that pins it; _micros can be inlined, and qualifies all names; so
    # does send_email, whose query has the path of its caller
    unpinned = {"_firing", "_firing_after", "_knows_code", "_micros", "send_email"}
    for signature, name, _, config, _, _, comment in db.execute(FUNCTIONS):
        assert comment, f"no COMMENT ON FUNCTION {signature}"
        settings = dict(setting.split("=", 1) for setting in config or [])
        if name not in unpinned:
            assert settings.get("search_path") in ("pg_catalog, pg_temp",), signature


def test_every_table_view_and_type_is_documented(db: Db) -> None:
    query = """
        SELECT c.relname FROM pg_class c
         WHERE c.relnamespace = 'pgagent_py'::regnamespace AND c.relkind IN ('r', 'v', 'c')
           AND obj_description(c.oid, 'pg_class') IS NULL
           AND (c.relkind <> 'c' OR obj_description(c.reltype, 'pg_type') IS NULL)"""
    assert db.execute(query).fetchall() == []


def test_items_of_a_comment_are_arguments_or_columns(db: Db) -> None:
    query = """
        SELECT p.oid::regprocedure::text, obj_description(p.oid, 'pg_proc'), coalesce(p.proargnames, '{}')
          FROM pg_proc p WHERE p.pronamespace = 'pgagent_py'::regnamespace
        UNION ALL
        SELECT c.relname, coalesce(obj_description(c.oid, 'pg_class'), obj_description(c.reltype, 'pg_type')),
               ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0)
          FROM pg_class c WHERE c.relnamespace = 'pgagent_py'::regnamespace AND c.relkind IN ('v', 'c')"""
    items = 0
    for name, comment, parts in db.execute(query):
        for line in re.findall(r"(?m)^- (.*)", comment):
            named, colon, _ = line.partition(": ")
            assert colon, f"{name}: {line}"
            assert set(named.split(", ")) <= set(parts), f"{name}: {line}"
            items += 1
    assert items > 150


def test_what_hangs_on_pgagents_tables_is_marked_as_ours(db: Db) -> None:
    query = """
        SELECT t.tgname, d.deptype, obj_description(t.oid, 'pg_trigger') FROM pg_trigger t
          JOIN pg_class c ON c.oid = t.tgrelid
          LEFT JOIN pg_depend d ON d.classid = 'pg_trigger'::regclass AND d.objid = t.oid AND d.deptype = 'x'
         WHERE c.relnamespace = 'pgagent'::regnamespace AND NOT t.tgisinternal AND t.tgfoid NOT IN (
               SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'pgagent'::regnamespace)"""
    triggers = db.execute(query).fetchall()
    assert triggers
    assert [name for name, deptype, comment in triggers if deptype != "x" or not comment] == []


def test_pgagents_own_objects_are_untouched(db: Db, cluster: Cluster) -> None:
    """The eight tables, the functions and triggers of pgagent are those that its own script makes."""
    query = """
        SELECT 'column', c.relname, format('%s %s %s', a.attnum, a.attname, format_type(a.atttypid, a.atttypmod))
          FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
         WHERE c.relnamespace = 'pgagent'::regnamespace AND c.relkind = 'r'
        UNION ALL
        SELECT 'function', p.proname, pg_get_functiondef(p.oid) FROM pg_proc p
         WHERE p.pronamespace = 'pgagent'::regnamespace AND p.prokind = 'f'
        UNION ALL
        SELECT 'trigger', t.tgname, pg_get_triggerdef(t.oid) || t.tgenabled::text
          FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
         WHERE p.pronamespace = 'pgagent'::regnamespace AND NOT t.tgisinternal
        UNION ALL
        SELECT 'constraint', o.conname, pg_get_constraintdef(o.oid) FROM pg_constraint o
         WHERE o.connamespace = 'pgagent'::regnamespace
         ORDER BY 1, 2, 3"""
    with cluster.connect() as connection:
        connection.execute("CREATE DATABASE plain_pgagent")
    try:
        with cluster.connect("plain_pgagent") as plain:
            plain.execute("CREATE EXTENSION pgagent")
            expected = plain.execute(query).fetchall()
    finally:
        with cluster.connect() as connection:
            connection.execute("DROP DATABASE plain_pgagent")
    assert len({row[1] for row in expected if row[0] == "column"}) == 8
    assert db.execute(query).fetchall() == expected


@pytest.fixture
def editor(db: Db) -> Any:
    """Return a connection as a role that has the rights that pgAdmin's documentation grants, none on pgagent_py."""
    db.execute("CREATE ROLE pgagent_editor LOGIN")
    db.execute("GRANT USAGE ON SCHEMA pgagent TO pgagent_editor")
    db.execute("GRANT ALL ON ALL TABLES IN SCHEMA pgagent TO pgagent_editor")
    db.execute("GRANT ALL ON ALL SEQUENCES IN SCHEMA pgagent TO pgagent_editor")
    with psycopg.connect(db.info.dsn, user="pgagent_editor", autocommit=True) as connection:
        yield connection
    db.execute("DROP OWNED BY pgagent_editor")
    db.execute("DROP ROLE pgagent_editor")


def test_role_that_edits_pgagents_tables_needs_no_grant_of_ours(editor: Db) -> None:
    job = value(editor, "INSERT INTO pgagent.pga_job (jobjclid, jobname) VALUES (1, 'mine') RETURNING jobid")
    schedule = value(
        editor,
        "INSERT INTO pgagent.pga_schedule (jscjobid, jscname, jscstart) VALUES (%s, 'x', now()) RETURNING jscid",
        job,
    )
    assert value(editor, "SELECT jobnextrun > now() FROM pgagent.pga_job")
    editor.execute(
        "INSERT INTO pgagent.pga_exception (jexscid, jexdate) VALUES (%s, current_date)", [schedule]
    )
    editor.execute("UPDATE pgagent.pga_schedule SET jscenabled = false WHERE jscid = %s", [schedule])
    assert value(editor, "SELECT jobnextrun FROM pgagent.pga_job") is None
    editor.execute("UPDATE pgagent.pga_job SET jobnextrun = now()")
    # ... and may use the functions
    step = value(editor, "SELECT pgagent_py.add_step(%s, 'x', sql => 'SELECT current_user')", job)
    assert step
    assert value(editor, "SELECT jslstatus FROM pgagent_py.run_due()") == "s"
    editor.execute("DELETE FROM pgagent.pga_job")


def test_session_settings_do_not_matter(db: Db) -> None:
    """Whatever TimeZone, DateStyle and search_path the session has, a job gets the same next run."""
    db.execute("SELECT pgagent_py.set_default_timezone('Europe/Paris')")
    seen = set()
    for zone, style, path in (
        ("UTC", "ISO, DMY", "public"),
        ("Asia/Kolkata", "SQL, DMY", ""),
        ("America/New_York", "German", "pgagent"),
        ("Pacific/Chatham", "Postgres, MDY", "pg_temp, public"),
    ):
        db.execute(
            "SELECT set_config('TimeZone', %s, false), set_config('DateStyle', %s, false)", [zone, style]
        )
        db.execute("SELECT set_config('search_path', %s, false)", [path])
        job = value(db, "SELECT pgagent_py.add_job('x', cron => '30 2 29 2 *')")
        schedule = value(db, "SELECT jscid FROM pgagent.pga_schedule WHERE jscjobid = %s", job)
        next_leap_day = value(
            db, "SELECT to_char(pgagent_py.next_run(%s) AT TIME ZONE 'Europe/Paris', 'YYYY-MM-DD')", schedule
        )
        db.execute("SELECT pgagent_py.add_exception(%s, %s::date)", [schedule, next_leap_day])
        seen.add(
            value(db, "SELECT extract(epoch FROM jobnextrun) FROM pgagent.pga_job WHERE jobid = %s", job)
        )
        seen.add(value(db, "SELECT extract(epoch FROM pgagent_py.next_run(%s))", schedule))
    assert len(seen) == 1
    assert (
        value(db, "SELECT to_char(to_timestamp(%s) AT TIME ZONE 'Europe/Paris', 'DD.MM HH24:MI')", *seen)
        == "29.02 02:30"
    )


def test_exception_that_goes_brings_the_run_back(db: Db) -> None:
    """In one session, which keeps the rules that it has compiled: those of then must not be taken for today's."""
    job = value(db, "SELECT pgagent_py.add_job('x', cron => '30 2 29 2 *')")
    schedule = value(db, "SELECT jscid FROM pgagent.pga_schedule")
    read = "SELECT jobnextrun FROM pgagent.pga_job WHERE jobid = %s"
    before = value(db, read, job)
    for _ in range(2):
        db.execute("SELECT pgagent_py.add_exception(%s, %s::timestamptz::date)", [schedule, before])
        assert value(db, read, job) > before
        db.execute("DELETE FROM pgagent.pga_exception")
        assert value(db, read, job) == before


HOSTILE = """
    CREATE FUNCTION public.min(float8) RETURNS float8 LANGUAGE sql AS 'SELECT 1.0::float8';
    CREATE FUNCTION public.now() RETURNS timestamptz LANGUAGE sql AS $$SELECT 'epoch'::timestamptz$$;
    CREATE FUNCTION public.to_timestamp(float8) RETURNS timestamptz LANGUAGE sql AS $$SELECT 'epoch'::timestamptz$$;
    CREATE FUNCTION public.pg_notify(text, text) RETURNS void LANGUAGE plpgsql AS $$BEGIN RAISE 'hijacked'; END$$;
    CREATE FUNCTION public.never(int, int) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE 'hijacked'; END$$;
    CREATE OPERATOR public.= (LEFTARG = int, RIGHTARG = int, FUNCTION = public.never);
    CREATE TABLE public.pga_job (jobid integer);
    CREATE TEMP TABLE pga_schedule (jscid integer);
    CREATE TEMP TABLE pg_stat_activity (pid integer);
    SET search_path = public, pg_temp, pg_catalog, pgagent;
"""


def test_hostile_objects_in_public_change_nothing(db: Db) -> None:
    db.execute(HOSTILE)
    job = value(db, "SELECT pgagent_py.add_job('x', cron => '0 3 * * *', sql => 'SELECT 1')")
    assert value(db, "SELECT jobnextrun OPERATOR(pg_catalog.>) pg_catalog.now() FROM pgagent.pga_job")
    db.execute("SELECT pgagent_py.run_now(%s)", [job])
    db.execute("RESET search_path")
    assert value(db, "SELECT jslstatus FROM pgagent_py.run_due()") == "s"
    assert value(db, "SELECT jobnextrun OPERATOR(pg_catalog.>) pg_catalog.now() FROM pgagent.pga_job")
    assert len(db.execute("SELECT pgagent_py.next_runs(%s)", [job]).fetchall()) == 10
    db.execute("SELECT pgagent_py.drop_job(%s)", [job])


def test_arguments_are_no_code(db: Db) -> None:
    """What looks like SQL, Python or a template is stored as it is, or refused as a value."""
    evil = "x'); DROP TABLE pgagent.pga_job CASCADE; -- {{ 7*7 }} $$ \\ %s \" __import__('os')"
    job = value(
        db,
        "SELECT pgagent_py.add_job(%s, sql => %s, description => %s, host => %s)",
        evil,
        evil,
        evil,
        evil,
    )
    row = db.execute("SELECT jobname, jobdesc, jobhostagent FROM pgagent.pga_job").fetchone()
    assert row == (evil, evil, evil)
    assert value(db, "SELECT jstcode FROM pgagent.pga_jobstep") == evil
    for call in ("class => %s", "cron => %s", "cron => '@daily', timezone => %s"):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match=call.split()[-3]):
            db.execute(f"SELECT pgagent_py.add_job('y', {call})".encode(), [evil])
    assert value(db, "SELECT count(*) FROM pgagent.pga_job") == 1
    db.execute("SELECT pgagent_py.drop_job(%s)", [job])


def test_pgagent_that_is_too_old_is_refused(bare_database: str) -> None:
    """No older one can be installed here, so the catalog is told that this one is."""
    with psycopg.connect(bare_database, autocommit=True) as db:
        db.execute("CREATE EXTENSION plpython3u")
        db.execute("CREATE EXTENSION pgagent")
        for version in ("4.1", "3.4", "4"):
            db.execute("UPDATE pg_extension SET extversion = %s WHERE extname = 'pgagent'", [version])
            with pytest.raises(
                psycopg.errors.FeatureNotSupported, match=f"pgagent {version} is too old"
            ) as caught:
                db.execute("CREATE EXTENSION pgagent_py")
            assert caught.value.diag.message_hint == "Run ALTER EXTENSION pgagent UPDATE first."
            assert value(db, "SELECT count(*) FROM pg_namespace WHERE nspname = 'pgagent_py'") == 0
        for version in ("4.2", "4.10", "4.2.3", "5.0beta1"):
            db.execute("UPDATE pg_extension SET extversion = %s WHERE extname = 'pgagent'", [version])
            db.execute("CREATE EXTENSION pgagent_py")
            db.execute("DROP EXTENSION pgagent_py")


def test_python_that_is_too_old_is_refused(bare_database: str) -> None:
    """None can be had here, so the check is asked for a newer one than there is."""
    script = next((pg_config("--sharedir") / "extension").glob("pgagent_py--?.?.?.sql")).read_text()
    check = re.search(r"(?s)DO LANGUAGE plpython3u .*?\$python\$;", script)
    assert check
    with psycopg.connect(bare_database, autocommit=True) as db:
        db.execute("CREATE EXTENSION plpython3u")
        db.execute(check[0].encode())
        with pytest.raises(
            psycopg.errors.FeatureNotSupported, match=r"Python 3[.\d]+ is too old: .* 3\.9 or later"
        ):
            db.execute(check[0].replace("(3, 9)", "(4, 0)").encode())
