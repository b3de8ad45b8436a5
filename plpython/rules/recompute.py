"""Next runs of many jobs again, after a change that concerns them all: a calendar, the default time zone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.problems import is_passing
from ..ground.vocabulary import SLEEPING
from .kept_rules import hold, let_go
from .next_run import READ_VERSIONS, read_rules, version_of
from .rule_row import VersionedRuleRow, rule_of

# Of schedules with exceptions or calendars.
READ_VARYING = Statement(
    f"{READ_VERSIONS} (v.exceptions OR r.varies) AND v.jscjobid = ANY ($1)", "int4[]", row=VersionedRuleRow
)
# Due jobs stay due.
RECOMPUTE = Statement(
    f"UPDATE pgagent.pga_job j SET jobnextrun = NULL WHERE {SLEEPING} AND j.jobid = ANY ($1)", "int4[]"
)
# A run that is just being ended may have seen the rules from before. Its transaction has the job locked; when it is over, the job
# sleeps, and RECOMPUTE finds it.
AWAIT_ENDS = Statement(
    "SELECT FROM pgagent.pga_job j WHERE j.jobagentid IS NOT NULL AND j.jobid = ANY ($1) FOR SHARE", "int4[]"
)
# Rules that are held in memory at a time: a calendar may have thousands of days.
TOGETHER = 256


def recompute(plpy: Plpy, jobids: Sequence[int]) -> None:
    """Give the sleeping ones of *jobids* their next runs again. One by one the trigger would take several times as long."""
    for first in range(0, len(jobids), TOGETHER):
        some = jobids[first : first + TOGETHER]
        AWAIT_ENDS(plpy, some)
        with _rules_read(plpy, some):
            RECOMPUTE(plpy, some)


@contextmanager
def _rules_read(plpy: Plpy, jobids: Sequence[int]) -> Iterator[None]:
    read_rules(plpy, jobids)
    try:
        for row in READ_VARYING(plpy, jobids):
            try:
                hold(row["jscid"], row["jscjobid"], version_of(row), rule_of(plpy, row))
            except Exception as error:  # the trigger finds it, too, and notes it
                if is_passing(plpy, error):
                    raise
        yield
    finally:
        let_go()
