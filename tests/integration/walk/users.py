"""What users do meanwhile: they run and cancel jobs, edit, lock and delete rows, and prune the log."""

import random
from collections.abc import Callable

import psycopg

from tests.helpers import Db
from tests.integration.walk.model import Handed, Model
from tests.integration.walk.world import CLASSES, add_job, add_step, column, one

JOB = "SELECT jobid FROM pgagent.pga_job ORDER BY 1"
STEP = "SELECT jstid FROM pgagent.pga_jobstep ORDER BY 1"
OPEN_RUN = "SELECT jlgid FROM pgagent.pga_joblog WHERE jlgstatus = 'r' ORDER BY 1"
OPEN_STEP = "SELECT jslid FROM pgagent.pga_jobsteplog WHERE jslstatus = 'r' ORDER BY 1"
LOCKS = {
    "SELECT FROM pgagent.pga_job WHERE jobid = %s FOR {}": JOB,
    "SELECT FROM pgagent.pga_jobstep WHERE jstid = %s FOR {}": STEP,
    "SELECT FROM pgagent.pga_joblog WHERE jlgid = %s FOR {}": OPEN_RUN,
    "SELECT FROM pgagent.pga_jobsteplog WHERE jslid = %s FOR {}": OPEN_STEP,
}
STRENGTHS = ("UPDATE", "UPDATE", "NO KEY UPDATE", "SHARE", "KEY SHARE")
EDITS = {
    "UPDATE pgagent.pga_jobstep SET jstname = chr(mod(ascii(jstname), 5) + 97) WHERE jstid = %s": STEP,
    "UPDATE pgagent.pga_jobstep SET jstenabled = NOT jstenabled WHERE jstid = %s": STEP,
    "DELETE FROM pgagent.pga_jobstep WHERE jstid = %s": STEP,
    "UPDATE pgagent.pga_job SET jobdesc = jobdesc || 'x' WHERE jobid = %s": JOB,
    "UPDATE pgagent.pga_job SET jobenabled = NOT jobenabled WHERE jobid = %s": JOB,
    "UPDATE pgagent.pga_schedule SET jscenabled = NOT jscenabled WHERE jscjobid = %s": JOB,
    "DELETE FROM pgagent.pga_schedule WHERE jscjobid = %s AND jscname <> 'each second'": JOB,
    "DELETE FROM pgagent.pga_joblog WHERE jlgid = %s": OPEN_RUN,
    "DELETE FROM pgagent.pga_jobsteplog WHERE jslid = %s": OPEN_STEP,
}
VERBS = {
    "SELECT pgagent_py.alter_job(%s, max_failures => 1000)": JOB,
    "SELECT pgagent_py.alter_job(%s, description => 'x')": JOB,
    "SELECT pgagent_py.add_dependency(%s, 3, 'finish')": JOB,
    "SELECT pgagent_py.run_now(%s)": JOB,
    "SELECT pgagent_py.run_now(%s, parameters => '{}')": JOB,
    "SELECT pgagent_py.cancel_run(%s)": OPEN_RUN,
}
PURGES = (
    "DELETE FROM pgagent.pga_jobsteplog",
    "DELETE FROM pgagent.pga_jobsteplog WHERE jslstatus = 's'",
    "DELETE FROM pgagent.pga_jobsteplog WHERE jslstatus <> 'r'",
    "DELETE FROM pgagent.pga_jobsteplog WHERE mod(jslid, 2) = 0",
    "TRUNCATE pgagent.pga_jobsteplog",
    "DELETE FROM pgagent.pga_joblog WHERE jlgstatus <> 'r'",
    "DELETE FROM pgagent.pga_joblog WHERE mod(jlgid, 3) = 0",
    "TRUNCATE pgagent.pga_joblog CASCADE",
)
LOCKED = (psycopg.errors.LockNotAvailable, psycopg.errors.ObjectNotInPrerequisiteState)
RUN_HERE = (
    "SELECT jobid, jlgid, jstid, jslid, jstname, false FROM pgagent_py.run_due() WHERE jslid IS NOT NULL"
)


class Users:
    """Some who act at once, and two sessions that keep a transaction open for a while."""

    def __init__(self, conninfo: str, db: Db, model: Model, chance: random.Random) -> None:
        self.db, self._model, self._chance = db, model, chance
        db.execute("SET lock_timeout = '30 ms'")  # a user who meets a lock gives up
        self._free = [psycopg.connect(conninfo) for _ in range(2)]
        self._busy: list[tuple[Db, int | None]] = []  # with the job whose steps they edit
        self.jobs = 100  # the number in the next name

    def _do(self, query: str, *parameters: object, session: Db | None = None) -> None:
        self._model.tell(f"{'session' if session else 'user'}: {query % parameters}")
        (session or self.db).execute(query.encode(), parameters)

    def _any(self, query: str) -> int | None:
        """Return one of the ids that a query gives."""
        ids = column(self.db, query)
        return int(self._chance.choice(ids)) if ids else None

    def try_to(self, act: Callable[[], None]) -> None:
        """Do it unless something is locked."""
        try:
            act()
        except LOCKED:
            return

    def run_now(self) -> None:
        """Tell a job to run, as pgAdmin does it or by our function, from some step on or with parameters."""
        job = self._any(JOB)
        how = self._chance.random()
        if how < 0.4:
            self._do("UPDATE pgagent.pga_job SET jobnextrun = now() WHERE jobid = %s", job)
        elif how < 0.7:
            self._do("SELECT pgagent_py.run_now(%s)", job)
        elif how < 0.9:
            self._do("SELECT pgagent_py.run_now(%s, parameters => '{\"x\": 1}')", job)
        else:
            self._run_from(job)

    def _run_from(self, job: int | None) -> None:
        step = self._any(
            f"SELECT jstid FROM pgagent.pga_jobstep WHERE jstjobid = {job} AND jstenabled ORDER BY 1"
        )
        if job and step:
            name = one(self.db, "SELECT jstname FROM pgagent.pga_jobstep WHERE jstid = %s", step)
            self._model.beginnings.setdefault(job, []).append((name, step))
            self._do("SELECT pgagent_py.run_now(%s, from_step => %s)", job, step)

    def cancel(self) -> None:
        """Cancel a run in progress."""
        if run := self._any(OPEN_RUN):
            self._do("SELECT pgagent_py.cancel_run(%s)", run)
            self._model.may_abort([run])

    def release(self) -> None:
        """Take a job from its agent by hand: its due time counts once more."""
        query = "SELECT jobid FROM pgagent.pga_job WHERE jobagentid IS NOT NULL ORDER BY 1"
        if job := self._any(query):
            self._do("UPDATE pgagent.pga_job SET jobagentid = NULL WHERE jobid = %s", job)
            runs = column(
                self.db, "SELECT jlgid FROM pgagent.pga_joblog WHERE jlgjobid = %s AND jlgstatus = 'r'", job
            )
            self._model.may_abort(runs)
            due = "SELECT job, due FROM claim WHERE job = %s ORDER BY claim DESC LIMIT 1"
            self._model.released.update(tuple(row) for row in self.db.execute(due, [job]))

    def edit(self) -> None:
        """Edit or delete something, or prune a single row."""
        edit = self._chance.choice(sorted(EDITS))
        if (key := self._any(EDITS[edit])) is not None:
            job = self._job_of_step(edit, key)
            self._do(edit, key)
            self._model.edited(job)

    def add(self) -> None:
        """Add a step or a job; delete a job when there are many."""
        if self._chance.random() < 0.6 and (job := self._any(JOB)):
            add_step(self.db, self._chance, job, self._chance.choice("abcde"))
            self._model.edited(job)
        elif one(self.db, "SELECT count(*) FROM pgagent.pga_job") < 10:
            self.jobs += 1
            add_job(self.db, self._chance, self.jobs)
        else:
            self._do("SELECT pgagent_py.drop_job(%s)", self._any(JOB))

    def purge(self) -> None:
        """Prune the log, runs in progress and all."""
        self._do(self._chance.choice(PURGES))

    def pause_or_limit(self) -> None:
        """Pause or resume, change a limit."""
        what = self._chance.choice([None, *CLASSES])
        how = self._chance.random()
        if how < 0.3:
            self._do("SELECT pgagent_py.pause(%s)", what)
        elif how < 0.8:
            self.resume()
        else:
            self.db.execute(
                "SELECT pgagent_py.set_limit(%s, running => %s)", [CLASSES[0], self._chance.randint(1, 3)]
            )

    def resume(self) -> None:
        """End all pauses."""
        for (name,) in self.db.execute("SELECT class FROM pgagent_py.paused").fetchall():
            self._do("SELECT pgagent_py.resume(%s)", name)

    def hold(self) -> None:
        """Begin a transaction that keeps rows locked, or keeps an edit open."""
        if not self._free:
            self.let_go()
            return
        session, job = self._free.pop(), None
        session.execute("SET LOCAL lock_timeout = '30 ms'")
        try:
            if self._chance.random() < 0.5:
                lock = self._chance.choice(sorted(LOCKS))
                self._do(lock.format(self._chance.choice(STRENGTHS)), self._any(LOCKS[lock]), session=session)
            elif self._chance.random() < 0.4:
                verb = self._chance.choice(sorted(VERBS))
                if (key := self._any(VERBS[verb])) is not None:
                    self._do(verb, key, session=session)
                    self._model.may_abort([key] if "cancel" in verb else [])
            else:
                edit = self._chance.choice(sorted(EDITS))
                key = self._any(EDITS[edit])
                job = self._job_of_step(edit, key)
                self._do(edit, key, session=session)
        except (*LOCKED, psycopg.errors.InvalidParameterValue):
            session.rollback()
            self._free.append(session)
            return
        self._busy.append((session, job))

    def let_go(self) -> None:
        """End the oldest of these transactions."""
        if self._busy:
            session, job = self._busy.pop(0)
            commit = self._chance.random() < 0.6
            self._model.tell(f"session: {'commit' if commit else 'rollback'}")
            (session.commit if commit else session.rollback)()
            self._model.edited(job)
            self._free.append(session)

    def run_due(self) -> None:
        """Execute in a session what can be executed there. It would wait for locked steps, so nothing must be held."""
        while self._busy:
            self.let_go()
        self.db.execute("SET statement_timeout = '3 s'")
        try:
            steps = [Handed(*row) for row in self.db.execute(RUN_HERE)]
        except psycopg.errors.QueryCanceled:
            return
        finally:
            self.db.execute("RESET statement_timeout")
        self._model.tell(f"user: run_due() executes {[tuple(step) for step in steps]}")
        done = set(self.db.execute("SELECT jlgid, jstid FROM executed_here").fetchall())
        for number, step in enumerate(steps):
            again = any(
                (step.jlgid, step.jstid) == (later.jlgid, later.jstid) for later in steps[number + 1 :]
            )
            succeeded = (step.jlgid, step.jstid) in done and not again
            self._model.begin(self.db, step).status = "s" if succeeded else "f"

    def _job_of_step(self, edit: str, key: int | None) -> int | None:
        """Return the job that an edit of a step concerns."""
        if "pga_jobstep " not in edit:
            return None
        job: int | None = one(self.db, "SELECT jstjobid FROM pgagent.pga_jobstep WHERE jstid = %s", key)
        return job

    def close(self) -> None:
        """End all sessions."""
        for session in [*self._free, *(session for session, _ in self._busy)]:
            session.close()
