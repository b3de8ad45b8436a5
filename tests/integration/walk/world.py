"""The database that a walk goes through: its jobs, and a record of what was claimed and executed."""

import random
from typing import Any

from tests.helpers import Db, alter_job, alter_step, call
from tests.helpers.claims import note_claims

JOBS = 8
NEVER = "0 0 29 2 *"
CLASSES = ("Data Import", "Data Export")

RECORD = """
CREATE TABLE effect (jslid integer);
CREATE TABLE executed_here (jlgid integer, jstid integer)"""

# What a session executes that calls run_due(): it fails now and then, and leaves no trace if it does.
CODE = """
INSERT INTO public.executed_here
SELECT current_setting('pgagent_py.run_id')::integer,
       current_setting('pgagent_py.step_id')::integer / (random() > 0.2)::integer"""


def one(db: Db, query: str, *parameters: Any) -> Any:
    """Return the only value of the first row, None without a row."""
    row = db.execute(query.encode(), parameters).fetchone()
    return row[0] if row else None


def column(db: Db, query: str, *parameters: Any) -> list[Any]:
    """Return the first value of each row."""
    return [row[0] for row in db.execute(query.encode(), parameters).fetchall()]


def build(db: Db, chance: random.Random) -> None:
    """Make the record and some jobs, one of them with a schedule of one second, one that waits for another.

    In every other world some are under a limit. Without any there is nothing to choose by, and claims come ahead.
    """
    db.execute(RECORD)
    note_claims(db)
    jobs = [add_job(db, chance, number) for number in range(JOBS)]
    call(db, "add_schedule", jobs[0], "each second", every="1 s")
    call(db, "add_dependency", jobs[1], jobs[2], when="finish")
    if chance.random() < 0.5:
        call(db, "set_limit", CLASSES[0], running=1)
        call(db, "set_limit", group="group", running=2)


def add_job(db: Db, chance: random.Random, number: int) -> int:
    """Add a job with one to four steps, which may be tried again, be atomic or belong elsewhere."""
    class_ = chance.choice([*CLASSES, "Miscellaneous", None])
    job = int(call(db, "add_job", f"job {number}", cron=NEVER, **{"class": class_}))
    if chance.random() < 0.4:
        alter_job(db, job, group="group")
    kind = chance.choice(["sql", "sql", "batch"])
    for letter in "abcd"[: chance.randint(1, 4)]:
        add_step(db, chance, job, letter, kind)
    return job


def add_step(db: Db, chance: random.Random, job: int, name: str, kind: str = "batch") -> int:
    """Add a step, whose code matters only where a session executes it."""
    atomic = kind == "sql" and chance.random() < 0.3
    on_error = chance.choice(["fail", "ignore"] if atomic else ["fail", "success", "ignore"])
    step = int(call(db, "add_step", job, name, **{kind: CODE}, on_error=on_error, atomic=atomic))
    if chance.random() < 0.4:
        alter_step(db, step, retries=chance.randint(1, 3), retry_delay=chance.choice(["0 s", "0.1 s"]))
    return step
