"""pgAgent's own daemon, as far as its statements go: it closes zombies when it starts, claims from a list, logs, executes."""

import random

import psycopg

from tests.helpers import Db
from tests.integration.walk.model import Handed, Model, Try
from tests.integration.walk.world import column

ZOMBIES = """
CREATE TEMP TABLE zombie AS
SELECT a.jagpid FROM pgagent.pga_jobagent a LEFT JOIN pg_stat_activity p ON p.pid = a.jagpid WHERE p.pid IS NULL"""
CLOSE_STEPS = """
UPDATE pgagent.pga_jobsteplog SET jslstatus = 'd' WHERE jslid IN (
    SELECT s.jslid FROM zombie z JOIN pgagent.pga_job j ON z.jagpid = j.jobagentid
      JOIN pgagent.pga_joblog l ON j.jobid = l.jlgjobid JOIN pgagent.pga_jobsteplog s ON l.jlgid = s.jsljlgid
     WHERE s.jslstatus = 'r') RETURNING jslid"""
CLOSE_RUNS = """
UPDATE pgagent.pga_joblog SET jlgstatus = 'd' WHERE jlgid IN (
    SELECT l.jlgid FROM zombie z JOIN pgagent.pga_job j ON z.jagpid = j.jobagentid
      JOIN pgagent.pga_joblog l ON j.jobid = l.jlgjobid WHERE l.jlgstatus = 'r') RETURNING jlgid"""
RELEASE = """
UPDATE pgagent.pga_job SET jobagentid = NULL, jobnextrun = NULL WHERE jobagentid IN (SELECT jagpid FROM zombie)"""
FORGET = "DELETE FROM pgagent.pga_jobagent WHERE jagpid IN (SELECT jagpid FROM zombie)"

DUE = "SELECT jobid FROM pgagent.pga_job WHERE jobenabled AND jobagentid IS NULL AND jobnextrun <= now() AND jobhostagent = ''"
CLAIM = """
UPDATE pgagent.pga_job SET jobagentid = pg_backend_pid(), joblastrun = now() WHERE jobagentid IS NULL AND jobid = %s"""
FIRST = """
SELECT jstid, jstname FROM pgagent.pga_jobstep WHERE jstenabled AND jstjobid = %s ORDER BY jstname, jstid LIMIT 1"""


class Daemon:
    """One that executes the first step of a job and leaves the others out; it may die at any point."""

    def __init__(self, conninfo: str, model: Model, chance: random.Random) -> None:
        self._model, self._chance = model, chance
        self.db: Db = psycopg.connect(conninfo, autocommit=True)
        self.db.execute("SET lock_timeout = '50 ms'")
        self._list: list[int] = []
        self._run: tuple[int, int] | None = None  # jobid, jlgid
        self._try: Try | None = None
        self._started = False

    def act(self) -> None:
        """Do the next thing that it does; what is locked it tries again."""
        run = self._run
        try:
            with self.db.transaction():
                self._act()
        except (psycopg.errors.LockNotAvailable, psycopg.errors.ForeignKeyViolation):
            self._run = run

    def _act(self) -> None:
        if not self._started:
            self._start()
        elif self._run:
            self._finish(*self._run)
        elif not self._list:
            self._list = column(self.db, DUE)
        if self._list and not self._run:
            self._claim(self._list.pop(self._chance.randrange(len(self._list))))

    def _start(self) -> None:
        self.db.execute(ZOMBIES)
        self._model.closed.update(column(self.db, CLOSE_STEPS))
        self._model.may_abort(column(self.db, CLOSE_RUNS))
        self.db.execute(RELEASE)
        self.db.execute(FORGET)
        self.db.execute(
            "INSERT INTO pgagent.pga_jobagent (jagpid, jagstation) VALUES (pg_backend_pid(), 'daemon')"
        )
        self._model.tell("daemon: starts")
        self._started = True

    def _claim(self, jobid: int) -> None:
        if self.db.execute(CLAIM, [jobid]).rowcount != 1 or self._chance.random() < 0.2:
            return
        log = "INSERT INTO pgagent.pga_joblog (jlgjobid, jlgstatus) VALUES (%s, 'r') RETURNING jlgid"
        (jlgid,) = column(self.db, log, jobid)
        for jstid, name in self.db.execute(FIRST, [jobid]).fetchall():
            step = "INSERT INTO pgagent.pga_jobsteplog (jsljlgid, jsljstid, jslstatus) VALUES (%s, %s, 'r') RETURNING jslid"
            (jslid,) = column(self.db, step, jlgid, jstid)
            self._try = self._model.begin(self.db, Handed(jobid, jlgid, jstid, jslid, name, False))
            self._model.runs[jlgid].by_daemon = True
        self._model.tell(f"daemon: claims {jobid}, run {jlgid}")
        self._run = jobid, jlgid

    def _finish(self, jobid: int, jlgid: int) -> None:
        self.db.execute(
            "UPDATE pgagent.pga_jobsteplog SET jslstatus = 's' WHERE jsljlgid = %s AND jslstatus = 'r'",
            [jlgid],
        )
        self.db.execute("UPDATE pgagent.pga_joblog SET jlgstatus = 's' WHERE jlgid = %s", [jlgid])
        # Below it releases the job, even if a user has taken it away meanwhile and another agent has it.
        others = "SELECT jlgid FROM pgagent.pga_joblog WHERE jlgjobid = %s AND jlgstatus = 'r'"
        self._model.may_abort(column(self.db, others, jobid))
        self.db.execute(
            "UPDATE pgagent.pga_job SET jobagentid = NULL, jobnextrun = NULL WHERE jobid = %s", [jobid]
        )
        if self._try:
            self._try.status = "s"
        self._run = self._try = None

    def die(self) -> None:
        """Be gone, with whatever it had in progress."""
        self._model.tell("daemon: dies")
        if self._run:
            self._model.may_abort([self._run[1]])
        self.db.close()
