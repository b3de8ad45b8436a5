"""No statement of plpython/runs/ reads more rows than it handles, whatever the tables held when it was planned.

Sessions keep plans for days. A table that has grown, or shrunk, since then must not make them slow, ANALYZE or not.
"""

import importlib
import json
import pkgutil
from collections.abc import Iterator
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest

import plpython.runs
from plpython.ground.plan import Statement
from tests.helpers import Db, forms, rows, value

HANDLED = 10
ME, OTHER = UUID(int=1), UUID(int=2)
AGENT = """
INSERT INTO pgagent.pga_jobagent (jagpid, jagstation) VALUES ({pid}, 'here');
INSERT INTO pgagent_py.agent (jagpid, agent, jagstation, backend_start, jagrole, jagall, jagown)
SELECT {pid}, '{agent}', 'here', s.backend_start, s.usesysid, true, true FROM pg_stat_activity s WHERE s.pid = pg_backend_pid()"""
# Job, step, schedule, run and log rows n belong together, so the same numbers fit each parameter. The first half is in progress,
# the first ten at the agent; the others are due.
FILL: LiteralString = """
INSERT INTO pgagent.pga_job (jobid, jobjclid, jobname, jobnextrun, joblastrun, jobagentid)
SELECT g, 1, 'job ' || g, now() - interval '1 h', now(), CASE WHEN g <= 10 THEN {pid} WHEN g <= {size} / 2 THEN -1 END
  FROM {numbers};
INSERT INTO pgagent.pga_jobstep (jstid, jstjobid, jstname, jstkind, jstcode, jstdbname)
SELECT g, g, 'step', 's', 'SELECT 1', current_database() FROM {numbers};
INSERT INTO pgagent.pga_schedule (jscid, jscjobid, jscname, jscstart) SELECT g, g, 'schedule', now() FROM {numbers};
INSERT INTO pgagent.pga_joblog (jlgid, jlgjobid, jlgstatus)
SELECT g, g, CASE WHEN g <= {size} / 2 THEN 'r' ELSE 'f' END FROM {numbers};
INSERT INTO pgagent.pga_jobsteplog (jslid, jsljlgid, jsljstid, jslstatus)
SELECT g, g, g, CASE WHEN g <= {size} / 2 THEN 'r' ELSE 'f' END FROM {numbers};
INSERT INTO pgagent_py.job_option (jobid, jobtimeout, jobpriority, jobwindow, jobatwindowend)
SELECT g, '1 h', 1, 'w', 'stop' FROM {numbers};
INSERT INTO pgagent_py.step_option (jstid, jstretries) SELECT g, 1 FROM {numbers};
INSERT INTO pgagent_py.schedule_option (jscid, jsctimezone) SELECT g, 'UTC' FROM {numbers};
INSERT INTO pgagent_py.run_option (jlgid, jstid) SELECT g, g FROM {numbers};
INSERT INTO pgagent_py.job_dependency (jobid, jobafter, depwhen, depchecked)
SELECT g, 1 + g % {size}, 'success', true FROM {numbers};
INSERT INTO pgagent_py.run (jlgid, jobid, agent, claimed, started, jstid, jslid, handed)
SELECT g, g, CASE WHEN g <= 10 THEN '{me}'::uuid ELSE '{other}' END, now(), now(), g, g, now()
  FROM {numbers} WHERE g <= {size} / 2"""
TABLES = sorted({line.split()[2] for line in FILL.split("\n") if line.startswith("INSERT")})

# Parameters by type, and of those statements for which these do not do.
FIRST = f"'{{{','.join(map(str, range(1, HANDLED + 1)))}}}'::int4[]"
RESULTS = ", ".join(f"({n}, {n}, 's', 0, '1 s', '')::pgagent_py.step_result" for n in range(1, HANDLED + 1))
BY_TYPE = {
    "int4": "1",
    "int8": "1",
    "uuid": f"'{ME}'",
    "int4[]": FIRST,
    "text": "'s'",
    "text[]": f"array_fill('s'::text, '{{{HANDLED}}}')",
    "float8": "1",
    "float8[]": f"array_fill(1::float8, '{{{HANDLED}}}')",
    "bool": "true",
    "pgagent_py.step_result[]": f"ARRAY[{RESULTS}]",
    "oid": "10",
    "name": "'postgres'",
    "timestamptz": "now()",
    "timestamptz[]": f"array_fill(now(), '{{{HANDLED}}}')",
    "jsonb": "'{}'",
    "jsonb[]": f"array_fill('{{}}'::jsonb, '{{{HANDLED}}}')",
}
PID, PIDS, NONE = "pg_backend_pid()", "ARRAY[pg_backend_pid()]", "'{}'"
SHUT = [NONE, "'{w}'", "'{v}'", NONE]
LOOKED = ["1000", "200", NONE, "'here'", NONE]
CHOICE = [*LOOKED, f"'{ME}'", *[NONE] * 5, "NULL", "false", str(HANDLED), *SHUT]
SPECIAL = {
    "agents.END_FORMER_BACKENDS": [f"'{ME}'", PID],
    "agents.LOGGED_IN": [PID],
    "agents.MOVE_JOBS": [PID, "-1"],
    "backfill.WAITING": [NONE, NONE, NONE, "'here'", NONE, str(HANDLED), *SHUT],
    "late.LATE_NOW": [*LOOKED, NONE, NONE, NONE, str(HANDLED), "NULL", *SHUT],
    "late.MISSED_NOW": [*LOOKED, NONE, NONE, NONE, str(HANDLED), "NULL", *SHUT],
    "choose.LOOK_AHEAD": [*CHOICE, "20"],
    "late.SKIP_JOBS": ["{due}"],
    "choose.TAKE_DUE": CHOICE,
    "claim.CLAIM_CHOSEN": [PID, "'here'", str(HANDLED), NONE, f"'{ME}'", "{due}"],
    "claim.CLAIM_LONGEST_DUE": [PID, "'here'", str(HANDLED), NONE, f"'{ME}'"],
    "claim.DUE_NOW": ["'here'", str(HANDLED), NONE],
    "finish.FINISH_JOBS": [FIRST, BY_TYPE["text[]"], PIDS, BY_TYPE["timestamptz[]"]],
    "finish.RELEASE_BY_LOG": [FIRST, FIRST, PIDS],
    "in_use.AGENT": [f"'{ME}'", "ARRAY['pgagent_py.pause'::regclass::oid]"],
    "in_use.TABLES": ["'{pgagent_py.pause}'"],
    "news.NEWS_OF_RUNS": ["{due}"],
    "origins.NOTE_ORIGINS": ["{due}", "{due}", f"'{ME}'", PID],
    "orders.TAKE_ORDERS": ["{due}", "{due}"],
    "orphans.FORGET_AGENTS": [PIDS],
    "orphans.LOG_OUT": [PIDS],
    "orphans.RELEASE": [PIDS],
    "orphans.RUNS_OF_AGENTS": [PIDS],
    "reboot.RUN_REBOOT_JOBS": ["{due}"],
    "wake.NEXT_DUE_HELD": ["'{5}'", NONE, NONE, *SHUT],
}
# They read a whole table: the log when an agent starts, the options of schedules when a launcher starts, the runs in progress
# when an agent is gone.
READ_ALL = ("orphans.RELEASED_RUNS", "reboot.REBOOT_JOBS", "orphans.RELEASE")
# Not with this data: an agent that registers twice. run_here has the caller's settings, and reads none of these tables.
LEFT_OUT = (
    "agents.CHECK_SERVED",
    "agents.LOG_IN",
    "agents.RAISE_SEQUENCES",
    "agents.REGISTER",
    "agents.VACATE",
)


def statements() -> Iterator[tuple[str, Statement[Any]]]:
    """Yield the statements of plpython/runs/ with their names."""
    for module in pkgutil.iter_modules(plpython.runs.__path__):
        if module.name == "run_here":
            continue
        for name, found in vars(importlib.import_module(f"plpython.runs.{module.name}")).items():
            for statement in found.values() if isinstance(found, dict) else [found]:
                if isinstance(statement, Statement) and f"{module.name}.{name}" not in LEFT_OUT:
                    yield f"{module.name}.{name}", statement


def prepare(db: Db) -> None:
    """Prepare all statements, with the settings of a turn."""
    db.execute("SET session_replication_role = replica")  # no foreign keys: some ids are there only later
    db.prepare_threshold = None  # else psycopg forgets prepared statements at each ROLLBACK
    for setting in value(db, "SELECT proconfig FROM pg_proc WHERE proname = '_turn'"):
        name, text = setting.split("=", 1)
        db.execute("SELECT set_config(%s, %s, false)", [name, text.strip('"')])
    for number, (_, statement) in enumerate(statements()):
        types = f"({', '.join(statement.types)})" if statement.types else ""
        db.execute(f"PREPARE s{number}{types} AS {statement.sql}".encode())


def read(plan: dict[str, Any]) -> float:
    """Return the rows that the busiest node of a plan has read."""
    counts = (
        "Actual Rows",
        "Rows Removed by Filter",
        "Rows Removed by Join Filter",
        "Rows Removed by Index Recheck",
    )
    own = plan["Actual Loops"] * sum(plan.get(count, 0) for count in counts)
    return float(max([own, *map(read, plan.get("Plans", []))]))


def execute(db: Db, size: int) -> dict[str, float]:
    """Execute all statements, undo what they do, and return how many rows each has read."""
    due = f"'{{{','.join(str(size - n) for n in range(HANDLED))}}}'::int4[]"
    found: dict[str, float] = {}
    for number, (name, statement) in enumerate(statements()):
        values = SPECIAL.get(name) or [BY_TYPE[kind] for kind in statement.types]
        call = f"({', '.join(values)})".replace("{due}", due) if values else ""
        with db.transaction(force_rollback=True):
            plan = value(db, f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE s{number}{call}")
        found[name] = max(
            found.get(name, 0), read((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])
        )
    return found


def fill(other: Db, db: Db, size: int) -> None:
    """Fill the tables in another session, as others do it."""
    other.execute("SET session_replication_role = replica")
    numbers = f"generate_series(1, {size}) g"
    for statement in FILL.format(
        size=size, numbers=numbers, pid=db.info.backend_pid, me=ME, other=OTHER
    ).split(";"):
        other.execute(statement.encode())


@pytest.fixture
def other(database: str, db: Db) -> Iterator[Db]:
    """Return a second session, in a database without autovacuum, where `db` is an agent."""
    with psycopg.connect(database, autocommit=True) as other:
        for table in TABLES:
            other.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)".encode())
        for pid, agent in ((db.info.backend_pid, ME), (-1, OTHER)):
            for statement in AGENT.format(pid=pid, agent=agent).split(";"):
                db.execute(statement.encode())
        for table, column in (("pga_joblog", "jlgid"), ("pga_jobsteplog", "jslid")):
            other.execute(f"SELECT setval('pgagent.{table}_{column}_seq', 1000000)".encode())
        yield other


def too_many(found: dict[str, float]) -> dict[str, float]:
    """Return those that have read too much. Choosing looks at 1,200 due jobs, the claim before it at 500."""
    most = {
        name: 1300 if name.startswith(("choose.", "late.", "claim.MANY_DUE")) else 10 * HANDLED
        for name in found
    }
    return {name: count for name, count in found.items() if count > most[name] and name not in READ_ALL}


@forms(2_600, 20_000)
@pytest.mark.parametrize("vacuumed", [False, True])
def test_plans_that_were_made_while_the_tables_were_empty_read_no_more_than_they_handle(
    db: Db, other: Db, size: int, vacuumed: bool
) -> None:
    if vacuumed:
        other.execute(f"VACUUM ANALYZE {', '.join(TABLES)}".encode())
    prepare(db)
    execute(db, size)
    fill(other, db, size)
    assert too_many(execute(db, size)) == {}


@forms(2_600, 20_000)
def test_plans_that_were_made_while_the_tables_were_full_read_no_more_than_they_handle(
    db: Db, other: Db, size: int
) -> None:
    fill(other, db, size)
    other.execute(f"ANALYZE {', '.join(TABLES)}".encode())
    prepare(db)
    assert too_many(execute(db, size)) == {}
    for table in TABLES:
        (key,) = rows(
            db,
            "SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]"
            " WHERE i.indrelid = %s::regclass AND i.indisprimary",
            table,
        )[0]
        other.execute(f"DELETE FROM {table} WHERE {key} > 20".encode())
    assert too_many(execute(db, 20)) == {}
