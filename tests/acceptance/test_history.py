"""The history that a launcher keeps in bounds."""

from tests.conftest import StartLauncher
from tests.helpers import Db, add_job, wait_for_row


def test_the_launcher_purges_the_history(database: str, db: Db, launcher: StartLauncher) -> None:
    job = add_job(db, "old", sql="SELECT 1")
    db.execute(
        "INSERT INTO pgagent.pga_joblog (jlgjobid, jlgstatus, jlgstart)"
        " SELECT %s, 's', now() - (2000 - n) * interval '1 hour' FROM generate_series(1, 2000) n",
        [job],
    )
    db.execute("SELECT pgagent_py.set_retention(keep_runs => 10)")
    launcher(database)
    wait_for_row(db, "SELECT 1 FROM pgagent.pga_joblog HAVING count(*) = 10")
