"""Rows that steps with keep_rows leave in the log. Verbs of the SQL API, as in jobs.py."""

from __future__ import annotations

from collections.abc import Sequence

from ..ground.checks import check_rows
from ..ground.errors import PgAgentError
from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.vocabulary import THIS_BACKEND

MOST_BYTES = 2_000_000

# The backend's agent has this step in progress.
KEEP = Statement(
    f"""
    INSERT INTO pgagent_py.step_rows (jslid, slrcolumns, slrrows, slrbytes)
    SELECT r.jslid, $2, $3, $4 FROM pgagent_py.run r JOIN pgagent_py.agent a ON a.agent = r.agent
     WHERE r.jslid = $1 AND {THIS_BACKEND} AND a.jagrole = to_regrole(quote_ident($5))
        ON CONFLICT (jslid) DO UPDATE
       SET (slrcolumns, slrrows, slrbytes) = ROW(excluded.slrcolumns, excluded.slrrows, excluded.slrbytes)""",
    "int4",
    "text[]",
    "jsonb",
    "int4",
    "text",
)


def keep_rows(plpy: Plpy, caller: str, jslid: int, columns: Sequence[str], rows: str) -> None:
    """Keep *rows*, JSON text, of the step that this backend's agent has in progress."""
    size = len(rows.encode(errors="replace"))
    if size > MOST_BYTES:
        raise PgAgentError(f"rows has {size} bytes", f"Give {MOST_BYTES} at most.", sqlstate="54000")
    check_rows(rows)
    KEEP(plpy, jslid, columns, rows, size, caller)


FORGET = Statement("""
DELETE FROM pgagent_py.step_rows s
 WHERE s.jslid = ANY (ARRAY(
       SELECT o.jslid FROM pgagent_py.step_rows o
        WHERE NOT EXISTS (SELECT FROM pgagent.pga_jobsteplog l WHERE l.jslid = o.jslid)
        LIMIT 1000 FOR UPDATE OF o SKIP LOCKED))""")


def forget_rows(plpy: Plpy) -> None:
    """Delete the rows of steps that are gone from the log, a thousand at most."""
    FORGET(plpy)
