"""An agent of the walk: a connection that plays a launcher, which keeps what a launcher keeps and knows nothing more."""

import contextlib
import random
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import psycopg

from tests.helpers import Db
from tests.integration.walk.model import Handed, Model, Try, ViolationError
from tests.integration.walk.world import column, one

PLACES = 4
# A session that holds a lock does nothing until the call returns: a call that waits for it would wait for ever.
NO_WAITING = "SET lock_timeout = '60 s'"

STEP = "t.jobid, t.jlgid, t.jstid, t.jslid, t.jstname, t.jstatomic, t.ahead"
RUN_DUE = f"""
SELECT {STEP} FROM pgagent_py.run_due(%s, ARRAY(
       SELECT (jlgid, jslid, status, result, interval '1 s', output)::pgagent_py.step_result
         FROM unnest(%s::int[], %s::int[], %s::text[], %s::int[], %s::text[]) u (jlgid, jslid, status, result, output)),
       ahead => %s) t"""
RUNS = """
SELECT l.jlgid FROM pgagent.pga_joblog l JOIN pgagent.pga_job j ON j.jobid = l.jlgjobid
  JOIN pgagent_py.agent a ON a.jagpid = j.jobagentid WHERE l.jlgstatus = 'r' AND a.agent = %s"""
KILL = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE pid = %s"""


class Turn:
    """A call of run_due that was answered and is not committed yet."""

    def __init__(self, steps: list[Handed], delivered: list[Try], bookable: list[Try]) -> None:
        self.steps, self.delivered, self.bookable = steps, delivered, bookable


class Agent:
    """Plays one launcher at a time: when that dies for good, another takes its place."""

    def __init__(self, number: int, conninfo: str, observer: Db, model: Model, chance: random.Random) -> None:
        """*observer* is a connection that sees what is committed."""
        self.number = number
        self._conninfo, self._observer, self._model, self._chance = conninfo, observer, model, chance
        self.db: Db | None = None
        self._half_open: list[Db] = []  # connections that the server has not missed yet
        self.turn: Turn | None = None
        self.be_born()

    def be_born(self) -> None:
        """Be a launcher that nobody knows; others have to close what the former one has left."""
        self.uuid, self._known = uuid4(), False
        self.running: dict[int, Try] = {}
        self.waiting: dict[int, Handed] = {}  # they came ahead, and have not begun
        self.ended: list[Try] = []

    def connect(self) -> None:
        """Register, for the first time or again, and compare what is in progress here with what the database says."""
        self.db = psycopg.connect(self._conninfo, autocommit=True)
        self.db.execute(NO_WAITING)
        self._tell(f"connects as {self.db.info.backend_pid}, {'again' if self._known else 'new'}")
        self._call("SELECT pgagent_py.start_agent(%s, 'here.example', %s)", self.uuid, self._known)
        self._known = True
        self._resume(self.db)
        self.look_for_cancelled()

    def _resume(self, db: Db) -> None:
        rows = self._call(f"SELECT {STEP} FROM pgagent_py.steps_in_progress() t")
        theirs = {step.jslid: step for step in map(Handed._make, rows)}
        for jslid in self.running.keys() - theirs.keys():
            self._end(jslid, "d")
        self.waiting = {jslid: step for jslid, step in self.waiting.items() if jslid in theirs}
        for jslid in (
            theirs.keys()
            - self.running.keys()
            - self.waiting.keys()
            - {try_.step.jslid for try_ in self.ended}
        ):
            self._tell(f"begins {tuple(theirs[jslid])}")
            self.running[jslid] = self._model.begin(db, theirs[jslid])

    def disconnect(self, half_open: bool = False) -> None:
        """Lose the connection, and with it what was not committed; *half_open*: the server goes on waiting for this agent."""
        if self.db is None:
            return
        self._tell(f"loses its connection{', half open' if half_open else ''}")
        self._model.may_abort(column(self._observer, RUNS, self.uuid))
        if half_open:
            self._half_open.append(self.db)
        else:
            pid = self.db.info.backend_pid
            self.db.close()
            self._observer.execute(KILL, [pid])
        self.db = self.turn = None

    def die(self) -> None:
        """Die for good."""
        self._tell("dies")
        self.disconnect()
        self.close()
        self._half_open.clear()
        self.be_born()

    def close(self) -> None:
        """End all connections, whatever they are doing."""
        for db in [*self._half_open, self.db]:
            if db is not None:
                db.close()

    def stop(self) -> None:
        """Leave in peace; what is still in progress is closed."""
        self._tell("stops")
        self._model.may_abort(column(self._observer, RUNS, self.uuid))
        self._call("SELECT pgagent_py.stop_agent()")
        self.die()

    def take_turn(self, how: str, capacity: int | None = None) -> None:
        """Deliver results and take steps. *how*: answered, lost (after the commit), cut (before it), open (no commit yet)."""
        assert self.db
        free = max(PLACES - len(self.running), 0)
        ahead = self._chance.choice([0, PLACES])
        capacity = self._chance.randint(0, free) if capacity is None else min(free, capacity)
        delivered = list(self.ended)
        bookable = self._model.open_results(self.db, delivered)
        if not capacity and not ahead and not delivered:
            return  # would ask the session to execute
        claims = one(self.db, "SELECT coalesce(max(claim), 0) FROM claim")
        if how in ("cut", "open"):
            self.db.execute("BEGIN")
        steps = self._run_due(capacity, delivered, ahead)
        told = [(t.step.jlgid, t.step.jslid, t.status) for t in delivered]
        self._tell(f"turn {how}: delivers {told}, gets {[tuple(step) for step in steps]}")
        self._model.check_handed(self.db, steps, claims)
        self.turn = Turn(steps, delivered, bookable)
        if how == "cut":
            self.disconnect()
        elif how != "open":
            self.end_turn(how)

    def end_turn(self, how: str) -> None:
        """Commit the turn that is open, or has been committed. *how*: answered, or lost on the way, or cut before the commit."""
        assert self.db
        assert self.turn
        self._tell(f"end of turn: {how}")
        if how == "cut":
            self.disconnect()
            return
        if self.db.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            self._call("COMMIT")
        for try_ in self.turn.bookable:
            try_.told = True
        if how == "lost":
            self.disconnect(self._chance.random() < 0.5)
            return
        self.ended = [try_ for try_ in self.ended if try_ not in self.turn.delivered]
        for step in self.turn.steps:
            if step.ahead:
                self.waiting[step.jslid] = step
            else:
                self.running[step.jslid] = self._model.begin(self.db, step)
        self.turn = None

    def begin_waiting(self) -> None:
        """Let those begin that have waited for a worker, as far as there is one."""
        assert self.db
        for jslid in list(self.waiting)[: max(PLACES - len(self.running), 0)]:
            self.running[jslid] = self._model.begin(self.db, self.waiting.pop(jslid))

    def hand_back(self, how: str) -> None:
        """Hand back some of those that wait. *how*: answered, lost (after the commit), cut (before it)."""
        assert self.db
        some = [step for step in self.waiting.values() if self._chance.random() < 0.7]
        if not some:
            return
        jobids = {step.jlgid: step.jobid for step in some}
        self.db.execute("BEGIN")
        back = [row[0] for row in self._call("SELECT pgagent_py.hand_back(%s)", list(jobids))]
        self._tell(f"hands back {list(jobids)}, {how}: {back}")
        self._model.handed_back(self.db, back, [jobids[jlgid] for jlgid in back])
        if how != "cut":
            self._call("COMMIT")
        if how != "answered":
            self.disconnect()
            return
        self.waiting = {jslid: step for jslid, step in self.waiting.items() if step.jlgid not in back}

    def end_a_step(self) -> None:
        """Let one of the running steps end somehow."""
        if self.running:
            jslid = self._chance.choice(sorted(self.running))
            status = self._chance.choice("sssff")
            if self.running[jslid].step.jstatomic and status == "s":
                self._end_atomic(self.running[jslid])
            else:
                self._end(jslid, status)

    def end_all_steps(self) -> None:
        """Let all that runs, or waits, end."""
        for _ in range(3 * PLACES):
            self.begin_waiting()
            self.end_a_step()

    def is_missed(self) -> None:
        """Its runs may be closed from now on."""
        self._model.may_abort(column(self._observer, RUNS, self.uuid))

    def look_for_cancelled(self) -> None:
        """End the steps of runs that somebody has cancelled."""
        cancelled = dict(self._call("SELECT c.jlgid, c.note FROM pgagent_py.cancelled_runs() c"))
        for jslid, try_ in list(self.running.items()):
            if try_.step.jlgid in cancelled:
                self._end(jslid, "d")
        for jslid, step in list(self.waiting.items()):
            if step.jlgid in cancelled:
                assert self.db
                self.running[jslid] = self._model.begin(self.db, self.waiting.pop(jslid))
                self._end(jslid, "d")

    def _end(self, jslid: int, status: str) -> None:
        self._tell(f"step {jslid} ends {status}")
        try_ = self.running.pop(jslid)
        try_.status = status
        self.ended.append(try_)

    def _end_atomic(self, try_: Try) -> None:
        """Commit the effect of a step and its end together; the agent may not learn of it, or believe what a failover undoes."""
        with psycopg.connect(self._conninfo) as db, contextlib.suppress(psycopg.errors.LockNotAvailable):
            db.execute("SET LOCAL lock_timeout = '50 ms'")
            db.execute("INSERT INTO effect VALUES (%s)", [try_.step.jslid])
            values = [try_.step.jslid, try_.step.jslid % 1000, try_.output]
            try:
                db.execute("SELECT pgagent_py.finish_step(%s, %s, %s, '1 s')", values)
            except psycopg.errors.ObjectNotInPrerequisiteState:
                db.rollback()
                self._end(try_.step.jslid, "f")
                return
            try_.booked_itself = self._chance.random() < 0.8
            (db.commit if try_.booked_itself else db.rollback)()
            self._tell(f"atomic {try_.step.jslid}: {'committed' if try_.booked_itself else 'rolled back'}")
            # Either may be wrong: the answer got lost, or a failover has undone the commit.
            wrong = self._chance.random() < 0.1
            self._end(try_.step.jslid, "s" if try_.booked_itself != wrong else "f")

    def _run_due(self, capacity: int, delivered: Sequence[Try], ahead: int) -> list[Handed]:
        """Call run_due, with the output so far of a step that goes on, too."""
        results: list[tuple[Any, ...]] = [
            (t.step.jlgid, t.step.jslid, t.status, t.result, t.output) for t in delivered
        ]
        for try_ in self.running.values():
            if self._chance.random() < 0.2:
                results.append((try_.step.jlgid, try_.step.jslid, "r", None, try_.output))
        columns = [list(values) for values in zip(*results, strict=True)] or [[]] * 5
        return [Handed(*row) for row in self._call(RUN_DUE, capacity, *columns, ahead)]

    def _tell(self, what: str) -> None:
        self._model.tell(f"agent {self.number}: {what}")

    def _call(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Return the rows; that a call raises is a violation: nobody has touched this connection."""
        assert self.db
        try:
            cursor = self.db.execute(query.encode(), parameters)
            return cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            raise ViolationError(f"{query.strip()}: {type(error).__name__}: {error}") from error
