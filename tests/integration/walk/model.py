"""What the walk knows: which steps were begun, how they ended, and of which the database has been told for good."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.helpers import Db
from tests.helpers.claims import claimed_twice
from tests.integration.walk.world import column, one


class ViolationError(AssertionError):
    """What must hold does not."""


class Handed(NamedTuple):
    """A step as run_due hands it out."""

    jobid: int
    jlgid: int
    jstid: int
    jslid: int
    jstname: str
    jstatomic: bool
    ahead: bool = False  # it waits for a worker


@dataclass
class Try:
    """One execution of a step."""

    step: Handed
    status: str = ""  # what its agent reports: s, f, d; "" while it lasts
    booked_itself: bool = False  # an atomic step whose transaction was committed
    told: bool = False  # its end was delivered, and the log was there and open for it

    @property
    def truth(self) -> str:
        """Return how it has ended: an atomic step is a success if it was committed, whatever its agent knows."""
        if self.step.jstatomic and self.status:
            return "s" if self.booked_itself else self.status.replace("s", "f")
        return self.status

    @property
    def result(self) -> int:
        """Return a number by which the log shows whose result it holds."""
        return -1 if self.status == "f" else self.step.jslid % 1000

    @property
    def output(self) -> str:
        """Return what it has written."""
        return f"output of {self.step.jslid}"


@dataclass
class Run:
    """A run of which a step was begun."""

    jobid: int
    edits: int  # of its job's steps when it was first seen
    tries: list[Try] = field(default_factory=list)
    may_abort: bool = False  # cancelled, or its agent was away
    by_daemon: bool = False  # which asks nobody, and here leaves out all steps but the first

    def of_step(self, jstid: int) -> list[Try]:
        """Return the tries of a step."""
        return [try_ for try_ in self.tries if try_.step.jstid == jstid]


# Nobody knows those of a step that is gone; it may have been handed out before.
RETRIES = """
SELECT CASE WHEN EXISTS (SELECT FROM pgagent.pga_jobstep s WHERE s.jstid = i.jstid)
            THEN coalesce((SELECT o.jstretries FROM pgagent_py.step_option o WHERE o.jstid = i.jstid), 0) ELSE 9 END
  FROM (VALUES (%s)) i (jstid)"""
IS_STEP = "SELECT jstenabled AND jstjobid = %s FROM pgagent.pga_jobstep WHERE jstid = %s"
BEFORE = """
SELECT s.jstid, s.jstname FROM pgagent.pga_jobstep s, pgagent.pga_jobstep t
 WHERE t.jstid = %s AND s.jstjobid = %s AND s.jstenabled AND (s.jstname, s.jstid) < (t.jstname, t.jstid)
   AND s.jstid <> ALL (%s)"""

OVER_LIMIT = """
SELECT l.* FROM pgagent_py.job_limit l
 WHERE l.running < (
       SELECT count(*) FROM pgagent.pga_job j LEFT JOIN pgagent_py.job_option o ON o.jobid = j.jobid
         JOIN pgagent_py.agent a ON a.jagpid = j.jobagentid
        WHERE j.jobjclid = l.jclid OR o.jobgroup = l.jobgroup)
   AND EXISTS (
       SELECT FROM claim c JOIN pgagent.pga_job j ON j.jobid = c.job LEFT JOIN pgagent_py.job_option o ON o.jobid = j.jobid
        WHERE c.claim > %s AND c.agent = pg_backend_pid() AND (j.jobjclid = l.jclid OR o.jobgroup = l.jobgroup))"""

PAUSED = """
SELECT c.* FROM claim c JOIN pgagent.pga_job j ON j.jobid = c.job
  JOIN pgagent_py.pause p ON p.jclid IS NULL OR p.jclid = j.jobjclid
 WHERE c.claim > %s AND c.agent = pg_backend_pid()"""

OPEN = """
SELECT s.jslid FROM pgagent.pga_jobsteplog s JOIN pgagent.pga_joblog l ON l.jlgid = s.jsljlgid
 WHERE s.jslid = ANY (%s) AND s.jslstatus = 'r' AND l.jlgstatus = 'r'"""

TRACES = """
SELECT jlgid FROM pgagent.pga_joblog WHERE jlgid = ANY (%s) UNION ALL SELECT jlgid FROM pgagent_py.run WHERE jlgid = ANY (%s)"""
FORGET_CLAIMS = """
DELETE FROM claim WHERE claim IN (
       SELECT max(c.claim) FROM claim c WHERE c.job = ANY (%s) GROUP BY c.job)"""

LOG = "SELECT jslid, jslstatus::text, jslresult, jsloutput FROM pgagent.pga_jobsteplog"


class Model:
    """Everything that was executed, and the rules that it must keep."""

    def __init__(self) -> None:
        self.runs: dict[int, Run] = {}
        self.tries: dict[int, Try] = {}  # by jslid
        self.edits: dict[int, int] = {}  # by jobid: how often its steps were edited
        self.beginnings: dict[int, list[tuple[str, int]]] = {}  # by jobid: where runs were told to begin
        self.released: set[tuple[int, Any]] = set()  # job and due time of claims that a user took away
        self.story: list[str] = []  # what was done, in order
        self.aborted: set[int] = set()  # runs that may have been closed before a step of theirs was begun
        self.closed: set[int] = set()  # jslid of steps that a daemon has closed

    def tell(self, what: str) -> None:
        """Write down what was done."""
        self.story.append(what)

    def check_handed(self, db: Db, steps: Sequence[Handed], claims: int) -> None:
        """Check what a call has handed out, on its own connection, in its own transaction; *claims* is the last before."""
        for step in steps:
            if not one(db, IS_STEP, step.jobid, step.jstid):
                raise ViolationError(f"handed out although it is not to be executed: {step}")
            if not one(db, "SELECT count(*) FROM pgagent.pga_joblog WHERE jlgid = %s", step.jlgid):
                raise ViolationError(f"handed out in a run whose log is gone: {step}")
            self._check_order(db, step)
        if rows := db.execute(OVER_LIMIT, [claims]).fetchall():
            raise ViolationError(f"over the limit: {rows}")
        if rows := db.execute(PAUSED, [claims]).fetchall():
            raise ViolationError(f"claimed although paused: {rows}")

    def _check_order(self, db: Db, step: Handed) -> None:
        """The steps before it have been executed in this run, or the run began behind them."""
        run = self.runs.get(step.jlgid)
        executed = [try_.step.jstid for try_ in run.tries] if run else []
        if executed[-1:] == [step.jstid]:  # the next try comes before all other steps
            return
        for jstid, name in db.execute(BEFORE, [step.jstid, step.jobid, executed]).fetchall():
            if not self._may_be_left_out(step.jobid, jstid, name):
                raise ViolationError(
                    f"handed out before step {name!r} ({jstid}): {step}, executed {executed}"
                )

    def _may_be_left_out(self, jobid: int, jstid: int, name: str) -> bool:
        return any((name, jstid) < begin for begin in self.beginnings.get(jobid, []))

    def handed_back(self, db: Db, jlgids: Sequence[int], jobids: Sequence[int]) -> None:
        """Check, in the transaction that has handed back these runs, that none has left a trace; forget their claims."""
        if traces := column(db, TRACES, list(jlgids), list(jlgids)):
            raise ViolationError(f"handed back, and there still: {traces}")
        db.execute(FORGET_CLAIMS, [list(jobids)])

    def begin(self, db: Db, step: Handed) -> Try:
        """Note that a step is executed now."""
        if step.jslid in self.tries:
            raise ViolationError(f"begun twice by one handing out: {step}")
        run = self.runs.setdefault(step.jlgid, Run(step.jobid, self.edits.get(step.jobid, 0)))
        run.may_abort |= step.jlgid in self.aborted
        before = run.of_step(step.jstid)
        if before and (before[-1].truth != "f" or len(before) > one(db, RETRIES, step.jstid)):
            raise ViolationError(f"executed again: {step}, before {before}")
        for earlier in run.tries:
            if not earlier.status:
                raise ViolationError(f"begun while another step of the run goes on: {step}, {earlier}")
        this = Try(step)
        run.tries.append(this)
        self.tries[step.jslid] = this
        return this

    def open_results(self, db: Db, tries: Sequence[Try]) -> list[Try]:
        """Return the tries whose end the log is open for."""
        found = column(db, OPEN, [try_.step.jslid for try_ in tries])
        return [try_ for try_ in tries if try_.step.jslid in found]

    def may_abort(self, jlgids: Sequence[int]) -> None:
        """These runs may end as aborted."""
        self.aborted.update(jlgids)
        for jlgid in jlgids:
            if jlgid in self.runs:
                self.runs[jlgid].may_abort = True

    def edited(self, jobid: int | None) -> None:
        """The steps of a job may be others now."""
        if jobid is not None:
            self.edits[jobid] = self.edits.get(jobid, 0) + 1

    def check_end(self, db: Db) -> None:
        """Check, once it is quiet, that the log says what has happened, as far as it is there."""
        twice = [claim for claim in claimed_twice(db) if claim not in self.released]
        if twice:
            raise ViolationError(f"a due time has had two runs: {twice}")
        log = {row[0]: row[1:] for row in db.execute(LOG)}
        effects = set(column(db, "SELECT jslid FROM effect"))
        for try_ in self.tries.values():
            if try_.step.jslid in log:
                if log[try_.step.jslid][0] == "d" and self.runs[try_.step.jlgid].may_abort:
                    continue  # a session was closing the run, and had not committed, when the result came
                _check_result(try_, log[try_.step.jslid], try_.step.jslid in effects, self.closed)
        for jlgid, status in db.execute("SELECT jlgid, jlgstatus::text FROM pgagent.pga_joblog").fetchall():
            if jlgid in self.runs and not self.runs[jlgid].by_daemon:
                self._check_run(db, jlgid, status, log)

    def _check_run(self, db: Db, jlgid: int, status: str, log: dict[int, Any]) -> None:
        """The run has ended as its steps say, and if it is a success all of them were executed."""
        run = self.runs[jlgid]
        told = f"run {jlgid} is logged {status!r}: {run}"
        if status == "d" and not run.may_abort and all(try_.status != "d" for try_ in run.tries):
            raise ViolationError(f"aborted without a reason: {told}")
        if status == "f" and all(try_.truth != "f" for try_ in run.tries):
            raise ViolationError(f"failed without a reason: {told}")
        last = log.get(run.tries[-1].step.jslid, " ")[0]
        if status == "s" and run.edits == self.edits.get(run.jobid, 0):
            if last in "fd":
                raise ViolationError(f"succeeded without a reason: {told}")
            steps = db.execute(
                "SELECT jstid, jstname FROM pgagent.pga_jobstep WHERE jstjobid = %s AND jstenabled",
                [run.jobid],
            ).fetchall()
            done = {try_.step.jstid for try_ in run.tries}
            left = [s for s in steps if s[0] not in done and not self._may_be_left_out(run.jobid, *s)]
            if left:
                raise ViolationError(f"steps {left} were not executed: {told}")


def _check_result(try_: Try, row: tuple[str, int | None, str | None], effect: bool, closed: set[int]) -> None:
    """The log holds the result that was delivered, and an atomic step's success if it was committed."""
    status, result, output = row
    told = f"the log has {row}, the effect is {effect}: {try_}"
    if try_.step.jstatomic and effect != (status == "s"):
        raise ViolationError(f"an atomic step's log and effect differ: {told}")
    if not try_.told or try_.step.jslid in closed or try_.truth != try_.status:
        return
    wanted = {"s": "s", "d": "d", "f": "fsi"}[try_.status]
    if status not in wanted or result != try_.result or not (output or "").startswith(try_.output):
        raise ViolationError(f"a result is lost: {told}")
