"""Jobs of pg_cron become jobs here; pg_cron's table is left as it is. A verb of the SQL API, as in jobs.py."""

from __future__ import annotations

import re

from ..ground.errors import PgAgentError
from ..ground.plan import Statement
from ..ground.plpy import Plpy, Row
from .jobs import add_job, alter_job
from .schedules import add_schedule
from .steps import add_step

SECONDS = re.compile(r"\s*(\d+)\s+seconds?\s*", re.IGNORECASE)

# Read with the rights of the extension's owner: it must be pg_cron's own, not what somebody else calls cron.job.
FIND_TABLE = Statement("""
SELECT FROM pg_extension e JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
 WHERE e.extname = 'pg_cron' AND d.deptype = 'e' AND d.classid = 'pg_class'::regclass AND d.objid = to_regclass('cron.job')""")

MAY_READ = Statement(
    "SELECT WHERE has_table_privilege($1, 'cron.job', 'SELECT') AND has_schema_privilege($1, 'cron', 'USAGE')",
    "name",
)

# Background workers run a job in this server, whatever node it names.
READ_JOBS = Statement("""
SELECT j.jobid, j.schedule, j.command, j.nodename, j.nodeport, j.database, j.username, j.active,
       to_jsonb(j) ->> 'jobname' AS jobname, current_setting('cron.timezone', true) AS timezone,
       current_setting('cron.use_background_workers', true) = 'on'
       OR j.nodeport = current_setting('port')::int4
          AND (j.nodename IN ('', 'localhost', '127.0.0.1', '::1') OR j.nodename LIKE '/%') AS local
  FROM cron.job j ORDER BY j.jobid""")


def import_pg_cron(plpy: Plpy, caller: str) -> list[Row]:
    """Add a job for each row of pg_cron's table, which must be in this database; return their ids and names."""
    if not FIND_TABLE(plpy):
        raise PgAgentError(
            "there is no table cron.job of pg_cron's in this database",
            hint="Import in the database that the setting cron.database_name names: both extensions must be in it.",
            sqlstate="42P01",
        )
    if not MAY_READ(plpy, caller):
        raise PgAgentError(f"role {caller} may not read cron.job", "Import as a superuser.", "42501")
    return [_add_pg_cron_job(plpy, caller, row) for row in READ_JOBS(plpy)]


def _add_pg_cron_job(plpy: Plpy, caller: str, row: Row) -> Row:
    name = row["jobname"] or f"pg_cron job {row['jobid']}"
    try:
        job = add_job(
            plpy, caller, name=name, enabled=row["active"], description=f"pg_cron job {row['jobid']}"
        )
        target = {"database": row["database"]} if row["local"] else {"connstr": _connstr(row)}
        add_step(plpy, caller, job=job, name=name, sql=row["command"], **target)
        if seconds := SECONDS.fullmatch(row["schedule"]):
            add_schedule(plpy, caller, job=job, name=name, every=f"{seconds[1]} seconds")
        else:
            # pg_cron writes $ for the last day of the month.
            cron = re.sub(r"^(\s*\S+\s+\S+\s+)\$(\s)", r"\1L\2", row["schedule"])
            zone = row["timezone"] or "GMT"
            add_schedule(plpy, caller, job=job, name=name, cron=cron, timezone=zone)
        if row["local"]:
            alter_job(plpy, caller, job=job, owner=row["username"])
    except PgAgentError as error:
        raise PgAgentError(
            f"pg_cron job {row['jobid']}: {error.message}", error.hint, error.sqlstate
        ) from None
    return {"job": job, "name": name}


def _connstr(row: Row) -> str:
    """Return the connection string that pg_cron would connect with."""
    values = {
        "host": row["nodename"],
        "port": row["nodeport"],
        "dbname": row["database"],
        "user": row["username"],
    }
    quoted = {key: str(value).replace("\\", "\\\\").replace("'", "\\'") for key, value in values.items()}
    return " ".join(f"{key}='{value}'" for key, value in quoted.items())
