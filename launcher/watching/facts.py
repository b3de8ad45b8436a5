"""Facts about the jobs of a database, for metrics: one query on a connection of its own, at most every few seconds.

The runs that have ended are counted as they end. So the counts begin with the launcher, and go on when history is deleted.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from ..confirmation import now
from ..conninfo import add_options, words_of
from ..log import Event
from ..vitals import Histogram, Vitals

logger = logging.getLogger("pgagent_py")

RUN_BOUNDS = (
    0.01,
    0.05,
    0.1,
    0.5,
    1.0,
    5.0,
    10.0,
    30.0,
    60.0,
    300.0,
    600.0,
    1800.0,
    3600.0,
    14400.0,
    86400.0,
)
LATE_BOUNDS = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 300.0, 3600.0)
CACHED_SECONDS, QUIET_SECONDS = 5.0, 60.0  # the second in a database in which nothing has run since
QUERY_SECONDS = 8.0  # for the connection and its query
OPTIONS = "-c statement_timeout=5000 -c lock_timeout=1000 -c default_transaction_read_only=on -c jit=off"
NOT_ALLOWED = "the launcher's role does not see all jobs: grant it pgagent_py_monitor"
SAFE_PATH = "SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false)"

# after: the last run that was looked at. open: earlier runs that were running then, and numbers that were missing: a run that got
# its number before others may be committed after them. A look takes so many runs at most, the rest is for the next one.
# A job with windows is due, and late, from when they let it start. pga_job is looked up by hand: to_regclass would take rights on
# its schema, which a launcher's role need not have.
FACTS = """
WITH windows AS MATERIALIZED (
    SELECT v.jobid, o."window" AS job, l."window" AS class FROM pgagent_py.visible_job v
      LEFT JOIN pgagent_py.job_options o ON o.jobid = v.jobid
      LEFT JOIN pgagent_py.limits l ON l.class = v.jobclass
     WHERE o."window" IS NOT NULL OR l."window" IS NOT NULL),
first AS MATERIALIZED (
    SELECT coalesce(%(after)s::int4, (SELECT r.jlgid FROM pgagent_py.visible_run r ORDER BY r.jlgid DESC LIMIT 1), 0) AS after),
fresh AS MATERIALIZED (
    SELECT r.jlgid, r.run_status, r.jlgduration FROM pgagent_py.visible_run r
     WHERE r.jlgid > (SELECT f.after FROM first f) - CASE WHEN %(after)s::int4 IS NULL THEN 5000 ELSE 0 END
     ORDER BY r.jlgid LIMIT 100000),
seen AS MATERIALIZED (
    SELECT f.jlgid, f.run_status, extract(epoch FROM f.jlgduration)::float8 AS seconds FROM fresh f
     UNION ALL
    SELECT r.jlgid, r.run_status, extract(epoch FROM r.jlgduration)::float8
      FROM pgagent_py.visible_run r WHERE r.jlgid = ANY (%(open)s::int4[])),
running AS MATERIALIZED (SELECT ARRAY(SELECT s.jlgid FROM seen s WHERE s.run_status = 'running') AS jlgids),
ended AS MATERIALIZED (
    SELECT s.run_status, width_bucket(s.seconds, %(bounds)s::float8[]) AS bin, s.seconds FROM seen s
     WHERE s.run_status <> 'running' AND %(after)s::int4 IS NOT NULL),
last AS MATERIALIZED (SELECT coalesce((SELECT max(f.jlgid) FROM fresh f), (SELECT f.after FROM first f)) AS last),
late AS MATERIALIZED (
    SELECT width_bucket(h.seconds, %(late)s::float8[]) AS bin, h.seconds
      FROM (SELECT DISTINCT h.jlgid,
                   greatest(extract(epoch FROM h.jlgstart)
                            - CASE WHEN w.jobid IS NULL OR h.trigger = 'run_now' THEN extract(epoch FROM h.due)
                                   ELSE pgagent_py._start_time(w.job, w.class, extract(epoch FROM h.due)::float8, false) END,
                            0)::float8 AS seconds
              FROM pgagent_py.run_history h LEFT JOIN windows w ON w.jobid = h.jobid
             WHERE h.jlgid > %(after)s::int4 AND h.jlgid <= (SELECT l.last FROM last l)
               AND h.trigger IS DISTINCT FROM 'backfill') h
     WHERE h.seconds IS NOT NULL)
SELECT json_build_object(
    'allowed', coalesce((SELECT has_table_privilege(c.oid, 'SELECT') FROM pg_class c
                          WHERE c.relnamespace = (SELECT n.oid FROM pg_namespace n WHERE n.nspname = 'pgagent')
                            AND c.relname = 'pga_job'), false)
               OR coalesce(pg_has_role(to_regrole('pgagent_py_monitor'), 'MEMBER'), false),
    'last', l.last,
    'open', array_cat(r.jlgids, ARRAY(
        SELECT g FROM generate_series(greatest(%(after)s::int4, l.last - 1000) + 1, l.last) g
         WHERE NOT EXISTS (SELECT FROM fresh f WHERE f.jlgid = g))),
    'runs', (SELECT json_object_agg(e.run_status, e.n) FROM (SELECT e.run_status, count(*) AS n FROM ended e GROUP BY 1) e),
    'bins', (SELECT json_object_agg(e.bin, e.n) FROM (SELECT e.bin, count(*) AS n FROM ended e WHERE e.bin >= 0 GROUP BY 1) e),
    'sum', (SELECT coalesce(sum(e.seconds), 0) FROM ended e),
    'late_bins', (SELECT json_object_agg(e.bin, e.n) FROM (SELECT e.bin, count(*) AS n FROM late e GROUP BY 1) e),
    'late_sum', (SELECT coalesce(sum(e.seconds), 0) FROM late e),
    'running', cardinality(r.jlgids),
    'waiting', (SELECT count(*) FROM (
        SELECT FROM pgagent_py.run_history h WHERE h.jlgid = ANY (r.jlgids)
         GROUP BY h.jlgid HAVING bool_and(h.step_status IS DISTINCT FROM 'running')) w),
    'due', j.due, 'held', j.held, 'overdue', j.overdue, 'jobs', j.jobs,
    'unsent', (SELECT count(*) FROM pgagent_py.unsent_message m WHERE NOT m.given_up),
    'given_up', (SELECT count(*) FROM pgagent_py.unsent_message m WHERE m.given_up),
    'problems', (SELECT count(*) FROM pgagent_py.problems),
    'each', (SELECT json_agg(s) FROM (
        SELECT s.jobid, s.jobname, s.last_status, extract(epoch FROM s.last_duration)::float8 AS seconds, s.failures_in_a_row,
               extract(epoch FROM s.next_run)::float8 AS next_run
          FROM pgagent_py.job_status s WHERE s.jobenabled AND %(each)s > 0 ORDER BY s.jobid LIMIT %(each)s) s))::text
  FROM last l CROSS JOIN running r
 CROSS JOIN (
       SELECT count(*) AS jobs, count(*) FILTER (WHERE v.start <= v.now) AS due, count(*) FILTER (WHERE v.start > v.now) AS held,
              coalesce(max(v.now - v.start) FILTER (WHERE v.start <= v.now), 0)::float8 AS overdue
         FROM (SELECT extract(epoch FROM clock_timestamp()) AS now,
                      CASE WHEN v.jobenabled AND NOT v.jobrunning AND v.jobnextrun <= now()
                           THEN CASE WHEN w.jobid IS NULL THEN extract(epoch FROM v.jobnextrun)
                                     ELSE pgagent_py._start_time(w.job, w.class, extract(epoch FROM v.jobnextrun)::float8, false)
                                      END END AS start
                 FROM pgagent_py.visible_job v LEFT JOIN windows w ON w.jobid = v.jobid) v) j"""


class Facts:
    """What the last query has said, and the sums of all until now."""

    def __init__(self, conninfo: str, each: int) -> None:
        """*conninfo* leads to the database; *each*: how many jobs to tell of one by one."""
        given = conninfo_to_dict(conninfo)
        attributes = {"target_session_attrs": "read-write"} if "," in str(given.get("host", "")) else {}
        self._conninfo = make_conninfo("", **(attributes | given | add_options(given, OPTIONS)))
        self._each = each
        self.asked_at = -QUIET_SECONDS
        self._asking: asyncio.Task[None] | None = None
        self._name = ""
        self._after: int | None = None
        self._open: list[int] = []
        self.known: dict[str, Any] = {}  # the answer; empty while there is none
        self.error = ""
        self.runs: Counter[str] = Counter(dict.fromkeys(("success", "failure", "aborted"), 0))
        self.seconds = Histogram(RUN_BOUNDS)
        self.lateness = Histogram(LATE_BOUNDS)

    async def refresh(self, vitals: Vitals) -> None:
        """Ask, unless the answer is new enough or somebody asks already: then wait for that. *vitals*: of the database."""
        self._name = vitals.database
        quiet = vitals.quiet_since < self.asked_at and not self.error
        seconds = QUIET_SECONDS if quiet else CACHED_SECONDS
        if self._asking is None and now() >= self.asked_at + seconds:
            self._asking = asyncio.create_task(self._ask())
        if self._asking is not None:
            await asyncio.shield(self._asking)

    async def _ask(self) -> None:
        try:
            async with asyncio.timeout(QUERY_SECONDS):
                self._take(json.loads(await self._query()))
            self._note("" if self.known["allowed"] else NOT_ALLOWED)
        except (psycopg.Error, OSError, TimeoutError, UnicodeError) as error:
            self.known = {}
            self._note(words_of(error))
        finally:
            self.asked_at = now()
            self._asking = None

    def _note(self, error: str) -> None:
        if error and error != self.error:
            logger.warning(Event("metrics", f"no figures of the jobs: {error}", database=self._name))
        self.error = error

    async def _query(self) -> str:
        connection = await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True)
        try:
            await connection.execute(SAFE_PATH)
            parameters = {
                "after": self._after,
                "open": self._open,
                "bounds": list(RUN_BOUNDS),
                "late": list(LATE_BOUNDS),
                "each": self._each,
            }
            cursor = await connection.execute(FACTS, parameters)
            ((text,),) = await cursor.fetchall()
            return str(text)
        finally:
            await connection.close()

    def _take(self, answer: dict[str, Any]) -> None:
        self._after, self._open = answer["last"], answer["open"]
        self.runs.update(answer["runs"] or {})
        for histogram, bins, seconds in (
            (self.seconds, "bins", "sum"),
            (self.lateness, "late_bins", "late_sum"),
        ):
            for bin_, count in (answer[bins] or {}).items():
                histogram.bins[int(bin_)] += count
            histogram.sum += answer[seconds]
        self.known = answer
