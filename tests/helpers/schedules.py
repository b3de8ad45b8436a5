"""When jobs run next."""

from datetime import UTC, datetime

from tests.helpers import Db, value


def next_run(db: Db, job: int) -> datetime | None:
    found: datetime | None = value(db, "SELECT jobnextrun FROM pgagent.pga_job WHERE jobid = %s", job)
    return found


def runs(db: Db, job: int, count: int, after: str) -> list[datetime]:
    query = "SELECT r AT TIME ZONE 'UTC' FROM pgagent_py.next_runs(%s, %s, %s) r"
    return [row[0].replace(tzinfo=UTC) for row in db.execute(query, [job, count, after])]
