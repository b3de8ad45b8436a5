"""What pgAdmin 4 does with pgAgent's tables, in the form in which it does it, works as on plain pgagent.

It finds what it has just inserted as the row whose xmin is the current transaction id, ignores what COMMIT says,
compares what it reads back with what it wrote, and deletes parents with all that hangs on them.
"""

from collections.abc import Iterator

import psycopg
import pytest

from tests.helpers import Db

ODD = 'it\'s "odd" \\ %s {{ x }} $1 $$ ü\t;--'
CODE = "SELECT 'x';\r\n-- it''s \\ $q$ \"y\" $q$\n\n"
MINUTES, HOURS = [n in (0, 30) for n in range(60)], [n == 3 for n in range(24)]
WEEKDAYS, MONTHDAYS, MONTHS = [False] * 7, [n == 31 for n in range(32)], [True] * 12
SCHEDULE = """
    INSERT INTO pgagent.pga_schedule (jscjobid, jscname, jscdesc, jscenabled, jscstart, jscend,
                                      jscminutes, jschours, jscweekdays, jscmonthdays, jscmonths)
    VALUES ({job}, 'month end'::text, 'desc'::text, true,
            '2026-01-31 16:25:33+05:45'::timestamptz, '2099-12-31 00:00+00'::timestamptz,
            '{minutes}'::boolean[], '{hours}'::boolean[], '{weekdays}'::boolean[], '{monthdays}'::boolean[],
            '{months}'::boolean[])
    RETURNING jscid INTO scid;
    INSERT INTO pgagent.pga_exception (jexscid, jexdate, jextime)
    VALUES (scid, to_date('2099-01-01', 'YYYY-MM-DD')::date, '03:30:00'::time without time zone);
    INSERT INTO pgagent.pga_exception (jexscid, jexdate, jextime)
    VALUES (scid, to_date('2099-01-02', 'YYYY-MM-DD')::date, NULL::time without time zone);
    INSERT INTO pgagent.pga_exception (jexscid, jexdate, jextime)
    VALUES (scid, NULL::date, '03:00:00'::time without time zone);"""


def as_array(flags: list[bool]) -> str:
    """Return flags as the text of a boolean array."""
    return "{" + ",".join("t" if flag else "f" for flag in flags) + "}"


def schedule(job: str) -> str:
    """Return the INSERTs of a schedule with its exceptions, for a DO block with the variable scid."""
    arrays = {
        "minutes": MINUTES,
        "hours": HOURS,
        "weekdays": WEEKDAYS,
        "monthdays": MONTHDAYS,
        "months": MONTHS,
    }
    return SCHEDULE.format(job=job, **{name: as_array(flags) for name, flags in arrays.items()})


def new_job(name: str, with_schedule: bool = True) -> str:
    """Return the DO block by which pgAdmin makes a job with a step, and a schedule with exceptions."""
    return f"""
DO $pgadmin$
DECLARE
    jid integer;
    scid integer;
BEGIN
    INSERT INTO pgagent.pga_job (jobjclid, jobname, jobdesc, jobhostagent, jobenabled)
    VALUES (1::integer, {name}::text, 'desc'::text, ''::text, true) RETURNING jobid INTO jid;
    INSERT INTO pgagent.pga_jobstep (jstjobid, jstname, jstenabled,
                                     jstkind, jstconnstr, jstdbname, jstonerror, jstcode, jstdesc)
    VALUES (jid, 'step'::text, true, 's'::character(1), ''::text, 'postgres'::name, 'f'::character(1),
            'SELECT 1'::text, ''::text);
    {schedule("jid") if with_schedule else ""}
END
$pgadmin$;"""


JUST_INSERTED = "xmin::text = (txid_current() % (2^32)::bigint)::text"


@pytest.fixture(params=["with the extension", "plain pgagent"])
def pgadmin(request: pytest.FixtureRequest, db: Db) -> Iterator[Db]:
    """Return an autocommit connection, as pgAdmin has it, to a database with our extension, then to one without."""
    if request.param == "plain pgagent":
        db.execute("DROP EXTENSION pgagent_py")
    with psycopg.connect(db.info.dsn, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
        yield connection


def create(db: Db, block: str, table: str, key: str) -> int:
    """Send BEGIN, the DO block with the query for the new row's id, and END; return the id, the only one found."""
    db.execute("BEGIN")
    cursor = db.execute(f"{block}\nSELECT {key} FROM pgagent.{table} WHERE {JUST_INSERTED};".encode())
    while cursor.nextset():
        pass
    ((new,),) = cursor.fetchall()
    db.execute("END")
    return int(new)


@pytest.mark.parametrize("with_schedule", [True, False])
def test_new_job_is_found_by_its_xmin(pgadmin: Db, with_schedule: bool) -> None:
    # Jobs that are there, and due, must not be touched in that transaction
    for number in range(3):
        create(pgadmin, new_job(f"'older {number}'"), "pga_job", "jobid")
        pgadmin.execute(
            "DELETE FROM pgagent.pga_exception"
        )  # a date with a time is unique in pgAgent's table
    pgadmin.execute("UPDATE pgagent.pga_job SET jobnextrun = now() - interval '1 day'")
    job = create(pgadmin, new_job("'new'", with_schedule), "pga_job", "jobid")
    row = pgadmin.execute(
        "SELECT jobname, jobnextrun > now() FROM pgagent.pga_job WHERE jobid = %s", [job]
    ).fetchone()
    assert row == ("new", True if with_schedule else None)


def test_new_schedule_is_found_by_its_xmin(pgadmin: Db) -> None:
    job = create(pgadmin, new_job("'x'"), "pga_job", "jobid")
    pgadmin.execute("DELETE FROM pgagent.pga_exception")
    block = f"DO $pgadmin$\nDECLARE\n    scid integer;\nBEGIN{schedule(str(job))}\nEND\n$pgadmin$;"
    new = create(pgadmin, block, "pga_schedule", "jscid")
    assert pgadmin.execute("SELECT max(jscid) FROM pgagent.pga_schedule").fetchone() == (new,)


def test_all_is_read_back_as_it_was_written(pgadmin: Db) -> None:
    job = create(pgadmin, new_job("'x'"), "pga_job", "jobid")
    row = pgadmin.execute("""
        SELECT jscstart = '2026-01-31 16:25:33+05:45', jscend = '2099-12-31 00:00+00',
               jscminutes, jschours, jscweekdays, jscmonthdays, jscmonths FROM pgagent.pga_schedule""").fetchone()
    assert row == (True, True, MINUTES, HOURS, WEEKDAYS, MONTHDAYS, MONTHS)
    exceptions = "SELECT jexdate::text, jextime::text FROM pgagent.pga_exception ORDER BY jexid"
    assert pgadmin.execute(exceptions).fetchall() == [
        ("2099-01-01", "03:30:00"),
        ("2099-01-02", None),
        (None, "03:00:00"),
    ]
    pgadmin.execute(
        "UPDATE pgagent.pga_job SET jobname=%s::text, jobdesc=%s::text, jobhostagent=%s::text WHERE jobid = %s",
        [ODD, ODD, ODD, job],
    )
    pgadmin.execute(
        "UPDATE pgagent.pga_jobstep SET jstdbname='', jstconnstr=%s, jstname=%s::text, jstcode=%s WHERE jstjobid = %s",
        ["host=/tmp dbname='it''s' password=secret", ODD, CODE, job],
    )
    row = pgadmin.execute("""
        SELECT jobname, jobdesc, jobhostagent, jstconnstr, jstdbname, jstname, jstcode
          FROM pgagent.pga_job JOIN pgagent.pga_jobstep ON jstjobid = jobid""").fetchone()
    assert row == (ODD, ODD, ODD, "host=/tmp dbname='it''s' password=secret", "", ODD, CODE)


def test_edits_in_one_message_all_take_effect(pgadmin: Db) -> None:
    """A job with changed, removed and new schedules, steps and exceptions is sent as one string of statements."""
    job = create(pgadmin, new_job("'x'"), "pga_job", "jobid")
    pgadmin.execute("DELETE FROM pgagent.pga_exception WHERE jexdate = '2099-01-01'")
    ((old,),) = pgadmin.execute("SELECT jscid FROM pgagent.pga_schedule").fetchall()
    (exception,), (changed,) = pgadmin.execute(
        "SELECT jexid FROM pgagent.pga_exception ORDER BY 1"
    ).fetchall()
    pgadmin.execute(
        f"""
        UPDATE pgagent.pga_job SET jobenabled=true, jobdesc='changed'::text WHERE jobid = {job};
        DELETE FROM pgagent.pga_exception WHERE jexid={exception}::integer AND jexscid={old}::integer;
        UPDATE pgagent.pga_schedule SET jscenabled=true, jscend=NULL::timestamptz, jscmonths='{as_array(MONTHS)}'::boolean[]
         WHERE jscid={old}::integer AND jscjobid={job}::integer;
        UPDATE pgagent.pga_exception SET jexdate=to_date('2099-01-03', 'YYYY-MM-DD')::date, jextime='03:30:00'::time
         WHERE jexid={changed}::integer AND jexscid={old}::integer;
        UPDATE pgagent.pga_jobstep SET jstkind='b'::character(1), jstdbname='', jstconnstr='', jstcode='true'
         WHERE jstjobid={job}::integer;
        INSERT INTO pgagent.pga_jobstep (jstjobid, jstname, jstenabled,
                                         jstkind, jstconnstr, jstdbname, jstonerror, jstcode, jstdesc)
        VALUES ({job}, 'second'::text, true, 'b'::character(1), ''::text, ''::name, 'i'::character(1), 'true'::text, ''::text);
        DO $$
        DECLARE
            scid integer;
        BEGIN
            INSERT INTO pgagent.pga_schedule (jscjobid, jscname, jscdesc, jscenabled, jscstart)
            VALUES ({job}, 'any minute', '', true, now()) RETURNING jscid INTO scid;
        END
        $$;""".encode()
    )
    row = pgadmin.execute(
        "SELECT jobdesc, jobnextrun > now() AND jobnextrun < now() + '2 min' FROM pgagent.pga_job"
    ).fetchone()
    assert row == ("changed", True)
    exceptions = pgadmin.execute("SELECT jexid, jexdate::text, jextime::text FROM pgagent.pga_exception")
    assert exceptions.fetchall() == [(changed, "2099-01-03", "03:30:00")]
    steps = pgadmin.execute("SELECT jstname, jstkind, jstcode FROM pgagent.pga_jobstep ORDER BY 1")
    assert steps.fetchall() == [("second", "b", "true"), ("step", "b", "true")]
    assert pgadmin.execute("SELECT count(*) FROM pgagent.pga_schedule").fetchone() == (2,)
    pgadmin.execute(
        f"DELETE FROM pgagent.pga_schedule WHERE jscid={old}::integer AND jscjobid={job}::integer".encode()
    )
    assert pgadmin.execute("SELECT count(*) FROM pgagent.pga_exception").fetchone() == (0,)


def test_a_disabled_job_has_no_next_run_until_it_is_enabled(pgadmin: Db) -> None:
    job = create(pgadmin, new_job("'x'"), "pga_job", "jobid")
    for enabled in (False, True):
        pgadmin.execute("UPDATE pgagent.pga_job SET jobenabled=%s WHERE jobid = %s", [enabled, job])
        row = pgadmin.execute("SELECT jobnextrun > now() FROM pgagent.pga_job").fetchone()
        assert row == (True if enabled else None,)


def test_run_now_makes_the_job_due(pgadmin: Db) -> None:
    job = create(pgadmin, new_job("'x'"), "pga_job", "jobid")
    pgadmin.execute(
        "UPDATE pgagent.pga_job\nSET jobnextrun=now()::timestamptz\nWHERE jobid=%s::integer", [job]
    )
    assert pgadmin.execute("SELECT jobnextrun <= now() FROM pgagent.pga_job").fetchone() == (True,)


def test_delete_takes_everything_along(pgadmin: Db) -> None:
    """Triggers on the child tables meet parents that are gone."""
    for number in range(3):
        create(pgadmin, new_job(f"'{number}'"), "pga_job", "jobid")
        pgadmin.execute("DELETE FROM pgagent.pga_exception WHERE jexdate IS NOT NULL AND jextime IS NOT NULL")
    jobs = pgadmin.execute("SELECT jobid FROM pgagent.pga_job").fetchall()
    pgadmin.execute("INSERT INTO pgagent.pga_joblog (jlgjobid) SELECT jobid FROM pgagent.pga_job")
    for (job,) in jobs:
        pgadmin.execute("DELETE FROM pgagent.pga_job WHERE jobid = %s::integer", [job])
    for table in ("pga_job", "pga_jobstep", "pga_schedule", "pga_exception", "pga_joblog"):
        assert pgadmin.execute(f"SELECT count(*) FROM pgagent.{table}".encode()).fetchone() == (0,)


def test_bad_rows_are_refused_at_once(pgadmin: Db) -> None:
    """Not by a deferred trigger: what COMMIT says is not read."""
    pgadmin.execute("BEGIN")
    with pytest.raises(psycopg.errors.CheckViolation):
        pgadmin.execute(
            "INSERT INTO pgagent.pga_schedule (jscjobid, jscname, jscminutes, jscstart)"
            " VALUES (1, 'x', '{t,f}'::boolean[], now())"
        )
    pgadmin.execute("END")


def test_no_trigger_of_ours_is_deferred(db: Db) -> None:
    """But for the one that acts at the end of ALTER EXTENSION UPDATE, on a table of its own."""
    query = """
        SELECT t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
         WHERE c.relnamespace IN ('pgagent'::regnamespace, 'pgagent_py'::regnamespace)
           AND NOT t.tgisinternal AND (t.tgdeferrable OR t.tginitdeferred)"""
    assert db.execute(query).fetchall() == [("kept_right_give_back",)]


def test_statistics_have_the_newest_runs_first_with_their_letters(db: Db) -> None:
    """The Statistics tabs: newest id first, the raw letters, result and output; the job's line, who runs it."""
    ((job,),) = db.execute("SELECT pgagent_py.add_job('x')").fetchall()
    db.execute("SELECT pgagent_py.add_step(%s, 'step', sql => 'SELECT 1')", [job])
    for code in ("SELECT 1", "SELECT 1/0"):
        db.execute("UPDATE pgagent.pga_jobstep SET jstcode = %s", [code])
        db.execute("SELECT pgagent_py.run_now(%s)", [job])
        db.execute("SELECT * FROM pgagent_py.run_due()")
    runs = """
        SELECT jlgstatus, jlgstart IS NOT NULL, jlgduration IS NOT NULL, (jlgstart + jlgduration) IS NOT NULL
          FROM pgagent.pga_joblog WHERE jlgjobid = %s::integer ORDER BY jlgid DESC LIMIT 250"""
    assert db.execute(runs, [job]).fetchall() == [("f", True, True, True), ("s", True, True, True)]
    steps = """
        SELECT jslstatus, jslresult, (jslstart + jslduration) IS NOT NULL, jsloutput
          FROM pgagent.pga_jobsteplog WHERE jsljstid = (SELECT jstid FROM pgagent.pga_jobstep)
         ORDER BY jslid DESC LIMIT 250"""
    assert db.execute(steps).fetchall() == [
        ("f", -1, True, "ERROR:  division by zero"),
        ("s", 1, True, "SELECT 1"),
    ]
    db.execute("SELECT pgagent_py.run_now(%s)", [job])
    db.execute("SELECT * FROM pgagent_py.run_due(1)")
    properties = """
        SELECT ag.jagstation IS NOT NULL, sub.jlgstatus FROM pgagent.pga_job j
          LEFT OUTER JOIN pgagent.pga_jobagent ag ON ag.jagpid=jobagentid
          LEFT OUTER JOIN (SELECT DISTINCT ON (jlgjobid) jlgstatus, jlgjobid FROM pgagent.pga_joblog
                            ORDER BY jlgjobid, jlgid DESC) sub ON sub.jlgjobid = j.jobid"""
    assert db.execute(properties).fetchall() == [(True, "r")]
