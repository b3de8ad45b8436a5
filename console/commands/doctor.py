"""What an experienced colleague would look at."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click
import psycopg

from ..checks import BAD, JOBS, LAUNCHERS, NOTE, SERVER, Check
from ..cli import command
from ..output import plain, write_json
from ..session import Session
from .status import SEES_LAUNCHERS

CHECKS = (*LAUNCHERS, *JOBS, *SERVER)
MOST_SKEW_SECONDS = 2.0

Finding = dict[str, Any]


@command("pgagentctl doctor")
def doctor(session: Session) -> int:
    """Look for what is wrong, with the remedy for each. Status 1 when something is."""
    findings: list[Finding] = []
    unchecked: list[str] = []
    for finding in _all_findings(session, unchecked):
        findings.append(finding)
        if not session.json:
            _show(finding)
    wrong = any(finding["level"] == BAD for finding in findings)
    if session.json:
        write_json({"findings": findings, "unchecked": unchecked})
        return int(wrong)
    if unchecked:
        click.echo(f"not checked, the role may not look: {', '.join(unchecked)}")
    done, found = len(CHECKS) + 3 - len(unchecked), len(findings)
    well = "all else is well" if unchecked else "all is well"
    click.echo(f"{done} checks, {found} finding{'s' * (found != 1)}" if findings else well)
    return int(wrong)


def _all_findings(session: Session, unchecked: list[str]) -> Iterator[Finding]:
    """Yield what the checks find; append the names of those that the role may not make."""
    sees_launchers = session.value(SEES_LAUNCHERS)
    for check in CHECKS:
        if not sees_launchers and "pgagent_py.launchers" in check.query:
            unchecked.append(check.name)  # to this role the view is empty, whatever is at work
            continue
        found = _look(session, check)
        if found is None:
            unchecked.append(check.name)
        yield from found or ()
    for look in (_clocks, _pooled):
        yield from look(session)
    differences = _differs_from_pgagent(session)
    if differences is None:
        unchecked.append("pgAgent differs")
    yield from differences or ()


def _show(finding: Finding) -> None:
    colour = "red" if finding["level"] == BAD else "yellow"
    click.echo(click.style(f"{finding['check']}: ", fg=colour, bold=True) + plain(finding["what"]))
    click.echo(f"  remedy: {finding['remedy']}")
    sys.stdout.flush()


def _look(session: Session, check: Check) -> list[Finding] | None:
    """Return what a check finds; None if the role may not look."""
    try:
        with session.connection.transaction():
            if not session.value("SELECT " + check.right):
                return None
            rows = session.rows(check.query)
    except psycopg.errors.InsufficientPrivilege:
        return None
    return [_finding(check.name, check.level, row["what"], check.remedy) for row in rows]


def _finding(name: str, level: str, what: str, remedy: str) -> Finding:
    return {"check": name, "level": level, "what": what, "remedy": remedy}


def _clocks(session: Session) -> list[Finding]:
    """Compare this host's clock with the server's, as near as the way between them allows."""
    before = datetime.now().astimezone()
    there = session.value("SELECT clock_timestamp()")
    after = datetime.now().astimezone()
    skew = max((there - after).total_seconds(), (before - there).total_seconds())
    if skew <= MOST_SKEW_SECONDS:
        return []
    what = f"the clocks of this host and of the server differ by {skew:.1f} seconds"
    return [_finding("clocks", BAD, what, "Let NTP or chrony set both.")]


def _pooled(session: Session) -> list[Finding]:
    """A pooler gives clients another process id than that of the backend."""
    if session.value("SELECT pg_backend_pid()") == session.connection.info.backend_pid:
        return []
    what = "this connection goes through a connection pooler"
    return [
        _finding(
            "pooler", NOTE, what, "pgagentctl watch may miss notifications: connect to the server itself."
        )
    ]


MAY_ASK_PGAGENT = """
SELECT has_schema_privilege(c.relnamespace, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
  FROM pg_class c WHERE c.relname = 'pga_schedule' AND c.relnamespace = to_regnamespace('pgagent')"""
SCHEDULES = """
SELECT s.jscid, s.jscjobid, s.jscname FROM pgagent_py.visible_schedule s
  LEFT JOIN pgagent_py.schedule_options o ON o.jscid = s.jscid
 WHERE s.jscenabled AND s.jscstart <= now() AND (s.jscend IS NULL OR s.jscend > now())
   AND o.every IS NULL AND o.at IS NULL AND o.reboot IS NOT TRUE ORDER BY s.jscid LIMIT 200"""
BOTH = """
SELECT pgagent_py.next_run(s.jscid) AS ours,
       pgagent.pga_next_schedule(s.jscid, s.jscstart, s.jscend, s.jscminutes, s.jschours, s.jscweekdays, s.jscmonthdays,
                                 s.jscmonths) AS theirs
  FROM pgagent.pga_schedule s WHERE s.jscid = %s"""


def _differs_from_pgagent(session: Session) -> list[Finding] | None:
    """Compare the next runs with what pgAgent's own function says, which fails for some schedules. None: no right to look."""
    if not session.value(MAY_ASK_PGAGENT):
        return None
    findings: list[Finding] = []
    for schedule in session.rows(SCHEDULES):
        try:
            with session.connection.transaction():
                both = session.rows(BOTH, schedule["jscid"])
        except psycopg.OperationalError:
            raise
        except psycopg.Error:
            both = [{"ours": None, "theirs": "an error"}]
        if both and both[0]["ours"] != both[0]["theirs"]:
            what = f'schedule "{schedule["jscname"]}" ({schedule["jscid"]}) of job {schedule["jscjobid"]}: pgAgent would say '
            what += f"{both[0]['theirs'] or 'never'} for its next run, not {both[0]['ours'] or 'never'}"
            findings.append(
                _finding("pgAgent differs", NOTE, what, "docs/next-run.md says which rules hold.")
            )
    return findings
