"""Jobs of pg_cron become jobs here; pg_cron's table is left as it is. A verb of the SQL API, as in jobs.py."""

from __future__ import annotations

import re

from ..ground.errors import PgAgentError
from ..ground.plan import Statement
from ..ground.plpy import Plpy, Row
from ..ground.problems import is_passing
from .jobs import add_job, alter_job
from .schedules import add_schedule
from .steps import add_step

SECONDS = re.compile(r"\s*(\d+)\s*seconds?\s*", re.IGNORECASE)

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
    return [_add_or_tell(plpy, caller, row) for row in READ_JOBS(plpy)]


def _add_or_tell(plpy: Plpy, caller: str, row: Row) -> Row:
    """Add a job; one that can't be taken over is told, with the reason, and has no id."""
    name = row["jobname"] or f"pg_cron job {row['jobid']}"
    try:
        with plpy.subtransaction():
            return {"job": _add_pg_cron_job(plpy, caller, row, name), "name": name}
    except PgAgentError as error:
        reason = error.message
    except plpy.SPIError as error:
        if is_passing(plpy, error):
            raise
        reason = str(error)
    plpy.warning(f"pg_cron job {row['jobid']} was not taken over: {reason}")
    return {"job": None, "name": name}


def _add_pg_cron_job(plpy: Plpy, caller: str, row: Row, name: str) -> int:
    job = add_job(plpy, caller, name=name, enabled=row["active"], description=f"pg_cron job {row['jobid']}")
    target = {"database": row["database"]} if row["local"] else {"connstr": _connstr(row)}
    add_step(plpy, caller, job=job, name=name, sql=row["command"], **target)
    if seconds := SECONDS.fullmatch(row["schedule"]):
        add_schedule(plpy, caller, job=job, name=name, every=f"{seconds[1]} seconds")
    else:
        zone = row["timezone"] or "GMT"
        add_schedule(plpy, caller, job=job, name=name, cron=_cron(row["schedule"]), timezone=zone)
    if row["local"]:
        alter_job(plpy, caller, job=job, owner=row["username"])
    return job


def _cron(schedule: str) -> str:
    """Return pg_cron's schedule as we write it: it has $ for the last day, @restart for @reboot, and ignores what follows."""
    words = schedule.split()
    if schedule.lstrip().startswith("@"):
        return "@reboot" if words[0].lower() == "@restart" else words[0]
    if len(words) > 2 and words[2] == "$":
        words[2] = "L"
    return " ".join(words[:5])


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
