"""run_due() with capacity 0: this session is the launcher, and executes the SQL steps itself."""

from __future__ import annotations

import json
import time
from typing import TypedDict

from ..ground.errors import server_message, sqlstate
from ..ground.plan import Statement
from ..ground.plpy import Plpy, Result, Row, SPIError
from ..ground.vocabulary import FAILURE, SUCCESS
from .rows import ResultRow, StepRow, result

# Claiming and booking are _turn's, which has the rights for them.
TURN = Statement(
    "SELECT t.* FROM unnest(pgagent_py._turn($1, $2, $3, true, $4, '{}', 0, 0, true)) t",
    "uuid",
    "int4",
    "pgagent_py.step_result[]",
    "bool",
    row=StepRow,
)
ALL_STEPS = 1_000_000

# One row after having slept, if a run waits: for its next try, or because a session has locked its job.
WAIT = Statement("""
SELECT pg_sleep(greatest(0, extract(epoch FROM a.waiting_until - clock_timestamp())))
  FROM pgagent_py.this_agent a WHERE a.waiting_until IS NOT NULL""")


class Who(TypedDict):
    """The role that calls run_due: it books the results and runs the next steps."""

    session_authorization: str
    role: str


WHO = Statement(
    "SELECT current_setting('session_authorization') AS session_authorization, current_setting('role') AS role",
    row=Who,
)


# pgagent_py's own are of the step, search_path and the transaction's are pinned here.
KEPT = """s.context IN ('user', 'superuser') AND s.name NOT LIKE 'transaction\\_%'
       AND s.name NOT IN ('search_path', 'role', 'session_authorization')"""
SESSION_SETTINGS = Statement(
    f"SELECT s.name, s.setting FROM pg_settings s WHERE s.source = 'session' AND {KEPT}"
)
# $1 names, $2 values: the settings that the session has made.
RESTORE_SETTINGS = Statement(
    f"""
SELECT set_config(s.name, coalesce(b.setting, s.reset_val), false)
  FROM pg_settings s LEFT JOIN unnest($1, $2) b (name, setting) ON b.name = s.name
 WHERE (s.source = 'session' OR b.name IS NOT NULL) AND {KEPT}
   AND s.setting IS DISTINCT FROM coalesce(b.setting, s.reset_val)""",
    "text[]",
    "text[]",
)


# Only if changed: inside a SECURITY DEFINER function of the caller's, setting the role is refused.
RETURN_TO = Statement("SELECT set_config($1, $2, false) WHERE current_setting($1) <> $2", "text", "text")


ENCODING = Statement("SELECT getdatabaseencoding() = 'SQL_ASCII' AS is_bytes")


class Session:
    """What the session had before: a step leaves no role and no setting behind."""

    def __init__(self, plpy: Plpy) -> None:
        self._who = WHO(plpy)[0]
        self._settings = list(SESSION_SETTINGS(plpy))
        self.bytes = ENCODING(plpy)[0]["is_bytes"]

    def return_to(self, plpy: Plpy) -> None:
        """Undo a step's SET, SET ROLE and SET SESSION AUTHORIZATION, for the rest of the session."""
        for setting, value in self._who.items():
            RETURN_TO(plpy, setting, value)
        names = [row["name"] for row in self._settings]
        RESTORE_SETTINGS(plpy, names, [row["setting"] for row in self._settings])


def run_here(plpy: Plpy, agent: str) -> list[StepRow]:
    """Run the due jobs that are all SQL in this database, each step in a subtransaction; return one row per step.

    Runs with the rights of the caller.
    """
    executed: list[StepRow] = []
    session = Session(plpy)
    steps = list(TURN(plpy, agent, ALL_STEPS, [], True))
    while steps or WAIT(plpy):
        results = [execute(plpy, step, session) for step in steps]
        executed += map(_executed, steps, results)
        # Jobs that fall due meanwhile wait for the next call: this one comes to an end.
        steps = list(TURN(plpy, agent, ALL_STEPS, results, False))
    return executed


def _executed(step: StepRow, ended: ResultRow) -> StepRow:
    """Return *step* with its result as it is booked."""
    status = step["jstonerror"] if ended["jslstatus"] == FAILURE else SUCCESS
    return {**step, "jslstatus": status, "jslresult": ended["jslresult"], "jsloutput": ended["jsloutput"]}


# The step runs as in a fresh session, not under the search_path that our functions pin. Its SET of search_path outlives the call,
# though its SET LOCAL does not: the two look the same in here, and what the session has set itself can't be seen.
SESSION_PATH = Statement("""
SELECT set_config('search_path', (SELECT s.reset_val FROM pg_settings s WHERE s.name = 'search_path'), true)""")
OUR_PATH = Statement("SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true)")
# Settings that a launcher's sql_step.py makes, too.
SETTINGS = Statement(
    """
SELECT set_config('pgagent_py.job_id', $1, true), set_config('pgagent_py.run_id', $2, true),
       set_config('pgagent_py.step_id', $3, true), set_config('pgagent_py.parameters', $4, true),
       set_config('pgagent_py.due', $5, true), set_config('pgagent_py.previous_due', $6, true)""",
    *["text"] * 6,
)

# SPI's codes for what a statement was, with the command tag that a client would have got.
TAGS = {5: "SELECT", 6: "SELECT", 7: "INSERT 0", 8: "DELETE", 9: "UPDATE"}
TAGS |= {11: "INSERT 0", 12: "DELETE", 13: "UPDATE", 18: "MERGE", 19: "MERGE"}


def execute(plpy: Plpy, step: StepRow, session: Session) -> ResultRow:
    """Execute one SQL step and return its result; an error undoes the step and is its result."""
    started = time.monotonic()
    try:
        with plpy.subtransaction():
            ids = [str(step["jobid"]), str(step["jlgid"]), str(step["jstid"])]
            SETTINGS(plpy, *ids, step["jobparameters"] or "{}", step["due"] or "", step["previous_due"] or "")
            SESSION_PATH(plpy)
            rows, output = _execute(plpy, step, session)
            OUR_PATH(plpy)
            session.return_to(plpy)
            SESSION_PATH(plpy)
            _check_constraints(plpy, session)
            OUR_PATH(plpy)
        status = SUCCESS
    except plpy.SPIError as error:
        if sqlstate(error) == QUERY_CANCELED and _is_cancelled(plpy, error):
            raise  # the caller's own cancel or timeout, not the step's failure
        status, rows, output = FAILURE, -1, server_message(error)
    duration = f"{time.monotonic() - started:.6f} seconds"
    return result(step["jlgid"], step["jslid"], status, rows, duration, output)


def _execute(plpy: Plpy, step: StepRow, session: Session) -> tuple[int, str]:
    """Execute a step's code; return how many rows its last statement had, and the output."""
    code = step["jstcode"].removeprefix("\ufeff")
    if session.bytes:
        plpy.execute(as_bytes(plpy, code))
        return ROWS(plpy)[0]["rows"], ""
    done = plpy.execute(code)
    rows, tag = done.nrows(), TAGS.get(done.status())
    return rows, _keep(plpy, step, done) + f"{tag} {rows}" if tag else ""


ROWS = Statement("SELECT current_setting('pgagent_py.rows')::int8 AS rows")


def as_bytes(plpy: Plpy, code: str) -> str:
    """Return a statement that executes *code* in a SQL_ASCII database, where neither rows nor errors need be UTF-8.

    PL/Python cannot read what is not. It can even end the server. So rows are dropped, and errors come with bytes escaped.
    """
    block = f"""
DECLARE
    n int8;
    code text;
    message text;
    detail text;
    hint text;
BEGIN
    EXECUTE {plpy.quote_literal(code)};
    GET DIAGNOSTICS n = ROW_COUNT;
    PERFORM pg_catalog.set_config('pgagent_py.rows', n::pg_catalog.text, true);
EXCEPTION WHEN OTHERS OR assert_failure OR query_canceled THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
        hint = PG_EXCEPTION_HINT;
    RAISE EXCEPTION USING ERRCODE = code, MESSAGE = pgagent_py._printable(message), DETAIL = pgagent_py._printable(detail),
        HINT = pgagent_py._printable(hint);
END"""
    return f"DO LANGUAGE plpgsql {plpy.quote_literal(block)}"


RETURN_ROWS = {5, 11, 12, 13, 19}
KEEP = Statement("SELECT pgagent_py.keep_rows($1, $2, $3)", "int4", "text[]", "jsonb")


def _keep(plpy: Plpy, step: StepRow, done: Result[Row]) -> str:
    """Keep the first rows of a step's result as it wants it; return them as text for the log."""
    if not step["keep_rows"] or done.status() not in RETURN_ROWS:
        return ""
    columns = done.colnames()
    first = [[_text(done[row][name]) for name in columns] for row in range(min(len(done), step["keep_rows"]))]
    KEEP(plpy, step["jslid"], columns, json.dumps(first))
    lines: list[list[str | None]] = [[*columns], *first]
    return "".join(" | ".join(value or "" for value in line) + "\n" for line in lines)


def _text(value: object) -> str | None:
    return (
        None if value is None else {True: "t", False: "f"}[value] if isinstance(value, bool) else str(value)
    )


QUERY_CANCELED = "57014"
TIMED_OUT = Statement("""
SELECT s.setting::int8 > 0
       AND clock_timestamp() >= statement_timestamp() + make_interval(secs => s.setting::int8 / 1000.0) AS is_over
  FROM pg_settings s WHERE s.name = 'statement_timeout'""")


def _is_cancelled(plpy: Plpy, error: SPIError) -> bool:
    """Return whether this session was cancelled, or its statement_timeout is over.

    A step can raise the same SQLSTATE itself, and a remote server's error comes with it. So the words are compared with those
    that a cancel has in this session, whatever its language is: it cancels itself.
    """
    if TIMED_OUT(plpy)[0]["is_over"]:
        return True
    try:
        with plpy.subtransaction():
            plpy.execute(
                "SELECT pg_catalog.pg_cancel_backend(pg_catalog.pg_backend_pid()), pg_catalog.pg_sleep(10)"
            )
    except plpy.SPIError as cancel:
        return str(error) == str(cancel)
    return True


# The error has to come in the same subtransaction: the server forgets the former state at the end of one that succeeds.
CHECKED = "PGAPY"
CHECK_CONSTRAINTS = f"""
DO $$ BEGIN
    SET CONSTRAINTS ALL IMMEDIATE;
    RAISE EXCEPTION SQLSTATE '{CHECKED}';
END $$"""


def _check_constraints(plpy: Plpy, session: Session) -> None:
    """Raise what the deferred constraints would raise at COMMIT, as the session is then, when all steps would go down with it.

    Undone, so that they stay deferred for the rest of the call: their triggers act at COMMIT.
    """
    try:
        plpy.execute(as_bytes(plpy, CHECK_CONSTRAINTS) if session.bytes else CHECK_CONSTRAINTS)
    except plpy.SPIError as error:
        if sqlstate(error) != CHECKED:
            raise
