"""A record of every claim, with the due time that it is for: it is kept whatever becomes of the log."""

from typing import Any

from .sql import Db, rows

# AFTER, and by OLD: so it is what the claim has found. A transaction that is rolled back takes its claim along. An order from the
# transaction in which the job has just run has the time of that run: it is another one all the same.
NOTE_CLAIMS = """
CREATE TABLE claim (claim serial PRIMARY KEY, job integer, due timestamptz, agent integer);
CREATE FUNCTION note_claim() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
    INSERT INTO public.claim (job, due, agent) VALUES (NEW.jobid, OLD.jobnextrun, NEW.jobagentid); RETURN NULL; END$$;
CREATE TRIGGER note_claim AFTER UPDATE ON pgagent.pga_job FOR EACH ROW
    WHEN (OLD.jobagentid IS NULL AND NEW.jobagentid IS NOT NULL AND OLD.jobnextrun IS DISTINCT FROM OLD.joblastrun)
    EXECUTE FUNCTION note_claim()"""


def note_claims(db: Db) -> None:
    """Keep a record of the claims from now on, in a table claim (claim, job, due, agent)."""
    db.execute(NOTE_CLAIMS)


def claimed_twice(db: Db) -> list[tuple[Any, ...]]:
    """Return jobs and due times that more than one run was for."""
    return rows(db, "SELECT job, due FROM claim GROUP BY job, due HAVING count(*) > 1")
