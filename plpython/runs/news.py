"""News for the log of a launcher: which runs a turn has ended badly, and how many agents it has found gone.

A launcher sees only the steps that it executes itself. The news come as a notice, with the answer of run_due.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.vocabulary import ABORTED, FAILURE, KNOWS_NEWS, NEWS, PRINTABLE
from .rows import Ended

# Since they were told last: runs that have not ended well (jlgid), and agents that were found gone (pid). What was undone may
# stand here, too: the log tells.
_runs: set[int] = set()
_gone: set[int] = set()


def note_ended(ended: Iterable[Ended]) -> None:
    """Note those of the runs that have failed or were aborted."""
    _runs.update(run.jlgid for run in ended if run.status in (FAILURE, ABORTED))


def note_gone(pids: Iterable[int]) -> None:
    """Note agents whose runs this one closes."""
    _gone.update(pids)


WORDS = r"substring(rtrim(right(s.jsloutput, 1000), E'\n') FROM '[^\n]*$')"
# The reason stands last in the output of the step that came last.
NEWS_OF_RUNS = Statement(
    rf"""
SELECT l.jlgjobid AS job, {PRINTABLE.format("j.jobname")} AS name, l.jlgid AS run, s.jslid, t.jstid AS step,
       {PRINTABLE.format("t.jstname")} AS step_name, l.jlgstatus AS status, extract(epoch FROM l.jlgduration)::float8 AS seconds,
       {PRINTABLE.format(WORDS)} AS words
  FROM pgagent.pga_joblog l
  LEFT JOIN pgagent.pga_job j ON j.jobid = ANY (ARRAY[l.jlgjobid])
  LEFT JOIN LATERAL (
       SELECT * FROM pgagent.pga_jobsteplog k WHERE k.jsljlgid = l.jlgid ORDER BY k.jslid + 0 DESC LIMIT 1) s ON true
  LEFT JOIN pgagent.pga_jobstep t ON t.jstid = ANY (ARRAY[s.jsljstid])
 WHERE l.jlgid = ANY ($1) AND l.jlgstatus IN ('f', 'd')
 ORDER BY l.jlgid""",
    "int4[]",
)


def tell_news(plpy: Plpy, knows: Sequence[str]) -> None:
    """Send the news, if there are any and the agent *knows* what they are."""
    if KNOWS_NEWS in knows and (_runs or _gone):
        rows = [dict(row) for row in NEWS_OF_RUNS(plpy, list(_runs))] if _runs else []
        if rows or _gone:
            plpy.notice(NEWS, detail=json.dumps({"runs": rows, "gone": len(_gone)}))
    _runs.clear()
    _gone.clear()
