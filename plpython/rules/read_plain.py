"""Reads the rules of plain schedules, which most are: without options and exceptions, one table has all that there is of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..ground.plan import Statement
from ..ground.plpy import Plpy, Row
from ..ground.vocabulary import SETS
from .rule_row import RuleRow


def _set(name: str, size: int) -> str:
    """Return SQL for a set as text. To write out 135 flags takes longer than all the rest: most sets are empty."""
    empty = "{" + ",".join("f" * size) + "}"
    return f"CASE WHEN s.jsc{name} = '{empty}' THEN '{{}}' ELSE s.jsc{name}::text END AS jsc{name}"


READ_SETS = ", ".join(_set(name, last - first + 1) for name, (first, last) in SETS.items())
PLAIN = f"""
SELECT s.jscid, s.jscjobid, s.jscenabled, {READ_SETS},
       extract(epoch FROM s.jscstart)::float8 AS jscstart, extract(epoch FROM s.jscend)::float8 AS jscend,
       pgagent_py._micros(s.jscstart) AS start_micros, pgagent_py._micros(s.jscend) AS end_micros,
       z.value AS jsctimezone,
       s.ctid AS s_ctid, s.xmin AS s_xmin, s.cmin AS s_cmin, NULL::text AS options, z.value AS default_zone
  FROM pgagent.pga_schedule s
 CROSS JOIN (SELECT (SELECT t.value FROM pgagent_py.setting t WHERE t.name = 'timezone') AS value) z
 WHERE NOT EXISTS (SELECT FROM pgagent_py.problem p
                    WHERE p.jobid = ANY (ARRAY[s.jscjobid]) AND p.jscid = ANY (ARRAY[s.jscid])) AND"""
# Calendars, and exceptions in our own table, refer to options.
AND_PLAIN = """
       NOT EXISTS (SELECT FROM pgagent_py.schedule_option o WHERE o.jscid = ANY (ARRAY[s.jscid]))
   AND NOT EXISTS (SELECT FROM pgagent.pga_exception e WHERE e.jexscid = ANY (ARRAY[s.jscid]))"""
ONE = Statement(f"{PLAIN} s.jscid = $1", "int4")
# $1 schedule, $2 how many from there on.
FOLLOWING = Statement(
    f"""{PLAIN}
       s.jscid = ANY (ARRAY(
           SELECT f.jscid FROM pgagent.pga_schedule f WHERE f.jscid >= $1 AND f.jscenabled ORDER BY f.jscid LIMIT $2))
   AND {AND_PLAIN}
 ORDER BY s.jscid""",
    "int4",
    "int4",
)
OF_JOBS = Statement(f"{PLAIN} s.jscjobid = ANY ($1) AND s.jscenabled AND {AND_PLAIN}", "int4[]")

# What plain schedules do not have, of the columns of schedule_rule.
NOTHING: Row = dict.fromkeys(RuleRow.__annotations__) | {"jscreboot": False, "varies": False}


def read_plain(plpy: Plpy, jscid: int, count: int) -> Iterator[Row]:
    """Return the rules of a schedule that is plain, and of those following that are, with their versions: *count* at most.

    They have the columns of schedule_rule and schedule_version. A schedule with a problem is left out: it is read by itself.
    """
    rows = ONE(plpy, jscid) if count == 1 else FOLLOWING(plpy, jscid, count)
    return (NOTHING | row for row in rows)


def read_plain_of(plpy: Plpy, jobids: Sequence[int]) -> Iterator[Row]:
    """Return the rules of the enabled schedules of jobs, as far as they are plain."""
    return (NOTHING | row for row in OF_JOBS(plpy, jobids))
