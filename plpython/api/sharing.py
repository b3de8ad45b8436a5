"""What owners share, and none may use against the others: classes with limits and pauses, and groups."""

from __future__ import annotations

from ..ground.errors import PgAgentError
from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.vocabulary import NOT_OVER

# $1 job, $2 class that it is to have. Both classes count.
HELD_CLASSES = Statement(
    f"""
SELECT c.jclname FROM pgagent.pga_jobclass c
 WHERE c.jclid IN ($2, (SELECT j.jobjclid FROM pgagent.pga_job j WHERE j.jobid = $1 AND j.jobjclid <> $2))
   AND EXISTS (SELECT FROM pgagent.pga_job j WHERE j.jobid = $1 AND j.jobjclid <> $2)
   AND (EXISTS (SELECT FROM pgagent_py.job_limit l WHERE l.jclid = c.jclid)
        OR EXISTS (SELECT FROM pgagent_py.pause p WHERE p.jclid = c.jclid AND {NOT_OVER}))""",
    "int4",
    "int4",
)
# $1 job, $2 group. mine: its owner may use the group. taken: others do, or an administrator has given it a limit.
GROUP = Statement(
    """
SELECT r.rolname::text AS owner,
       EXISTS (SELECT FROM pgagent_py.group_grant g
                WHERE g.jobgroup = $2 AND pg_has_role(o.jobownerid, g.jobownerid, 'USAGE')) AS mine,
       EXISTS (SELECT FROM pgagent_py.group_grant g WHERE g.jobgroup = $2)
       OR EXISTS (SELECT FROM pgagent_py.job_limit l WHERE l.jobgroup = $2)
       OR EXISTS (SELECT FROM pgagent_py.job_option p
                   WHERE p.jobgroup = $2 AND p.jobownerid IS DISTINCT FROM o.jobownerid) AS taken
  FROM pgagent_py.job_option o JOIN pg_roles r ON r.oid = o.jobownerid
 WHERE o.jobid = $1 AND o.jobgroup IS DISTINCT FROM $2""",
    "int4",
    "text",
)
LET_IN = Statement(
    "INSERT INTO pgagent_py.group_grant (jobgroup, jobowner) VALUES ($1, $2) ON CONFLICT DO NOTHING",
    "text",
    "name",
)


def check_sharing(plpy: Plpy, job: int | None, jclid: int | None, group: str | None) -> None:
    """Refuse a class or group (None: it stays) that the owner of *job* may not give to it."""
    if jclid is not None and (held := HELD_CLASSES(plpy, job, jclid)):
        raise PgAgentError(
            f"class: class {held[0]['jclname']} has a limit or a pause",
            hint="Only a role that may edit pgagent's tables moves jobs into or out of it.",
            sqlstate="42501",
        )
    if not group:
        return
    for row in GROUP(plpy, job, group):
        if row["mine"]:
            return
        if row["taken"]:
            raise PgAgentError(
                f'group: group "{group}" is not one of role {row["owner"]}',
                hint="An administrator can let it in with grant_group().",
                sqlstate="42501",
            )
        LET_IN(plpy, group, row["owner"])
