"""One job with all that belongs to it."""

from __future__ import annotations

from typing import Any

import click

from ..cli import command
from ..hide import masked
from ..names import complete_job, find_job
from ..output import Table, block, cell, plain, when, write_json
from ..session import Session

JOB = "SELECT v.* FROM pgagent_py.visible_job v WHERE v.jobid = %s"
PARTS = {
    "status": "SELECT * FROM pgagent_py.job_status WHERE jobid = %s",
    "options": "SELECT * FROM pgagent_py.job_options WHERE jobid = %s",
    "steps": "SELECT * FROM pgagent_py.visible_step WHERE jobid = %s ORDER BY jstname, jstid",
    "step_options": "SELECT * FROM pgagent_py.step_options WHERE jobid = %s",
    "schedules": "SELECT * FROM pgagent_py.visible_schedule WHERE jobid = %s ORDER BY jscname, jscid",
    "exceptions": """SELECT e.* FROM pgagent_py.visible_schedule s JOIN pgagent_py.visible_exception e ON e.jscid = s.jscid
                      WHERE s.jobid = %s ORDER BY e.jexid""",
    "after": """SELECT d.*, v.jobname AS aftername FROM pgagent_py.dependencies d
                  LEFT JOIN pgagent_py.visible_job v ON v.jobid = d.jobafter WHERE d.jobid = %s""",
    "messages": "SELECT * FROM pgagent_py.job_message WHERE jobid = %s",
    "problems": "SELECT * FROM pgagent_py.problems WHERE jobid = %s",
    "next_runs": "SELECT r AS at FROM pgagent_py.next_runs(%s, 5) r",
    "last_runs": "SELECT * FROM pgagent_py.visible_run WHERE jobid = %s ORDER BY jlgid DESC LIMIT 5",
}
# Columns that say what stands elsewhere already, or that say nothing.
SHOWN_ELSEWHERE = {"job", "jobid", "step", "jstid", "name"}


@command("pgagentctl job nightly")
@click.argument("job", shell_complete=complete_job)
def job(session: Session, job: str) -> None:
    """Show a job: its definition, options, next and last runs."""
    jobid = find_job(session, job)["jobid"]
    answer: dict[str, Any] = session.row(JOB, jobid)
    answer |= {name: session.rows(query, jobid) for name, query in PARTS.items()}
    for step in answer["steps"]:
        if step["jstconnstr"]:
            step["jstconnstr"] = masked(step["jstconnstr"].encode()).decode()
    for name in ("status", "options"):
        answer[name] = answer[name][0] if answer[name] else None
    if session.json:
        write_json(answer)
    else:
        _show(answer)


def _show(job: dict[str, Any]) -> None:
    state = "running" if job["jobrunning"] else "enabled" if job["jobenabled"] else "disabled"
    click.echo(click.style(f"{plain(job['jobname'])} (job {job['jobid']}, {state})", bold=True))
    if job["jobdesc"]:
        click.echo(block(job["jobdesc"]))
    for name, label in (
        ("jobclass", "class"),
        ("jobowner", "owner"),
        ("jobrunas", "runs as"),
        ("jobhostagent", "host"),
    ):
        if job[name]:
            click.echo(f"  {label}: {plain(job[name])}")
    _options(job["options"])
    for schedule in job["schedules"]:
        cron = f"  [{schedule['cron']}]" if schedule.get("cron") else ""
        off = "" if schedule["jscenabled"] else "  (disabled)"
        click.echo(
            f"  schedule {plain(schedule['jscname'])}: {plain(schedule.get('words') or '')}{cron}{off}"
        )
    for wait in job["after"]:
        name = wait["aftername"] or wait["waits_for"] or f"job {wait['jobafter']}"
        there = "" if wait["jobafter"] else ", which is not there"
        click.echo(f"  after: {plain(name)}, on {wait['when']}{there}")
    for message in job["messages"]:
        to = f" to {plain(message['msgtarget'])}" if message["msgtarget"] else ""
        click.echo(f"  message {message['msgid']}: {message['msgkind']}{to}, when: {message['msgwhen']}")
    for problem in job["problems"]:
        click.echo(click.style(f"  problem: {plain(problem['error'])}", fg="red"))
    _show_steps(job)
    click.echo("  next runs: " + (", ".join(when(row["at"]) for row in job["next_runs"]) or "none"))
    if job["last_runs"]:
        click.echo("  last runs:")
        columns = {"jlgid": "RUN", "run_status": "STATUS", "jlgstart": "STARTED", "jlgduration": "TOOK"}
        Table(columns, indent=4).write([job["last_runs"]])


def _show_steps(job: dict[str, Any]) -> None:
    options = {row["jstid"]: row for row in job["step_options"]}
    for step in job["steps"]:
        place = step["jstdbname"] or ("a connection string" if step["jstconnstr"] else "")
        off = "" if step["jstenabled"] else ", disabled"
        click.echo(
            f"  step {plain(step['jstname'])} ({step['jstkind']}{f' in {plain(place)}' if place else ''}{off}):"
        )
        _options(options.get(step["jstid"]), "    ")
        click.echo(numbered(step["jstcode"], "    "))


def _options(options: dict[str, Any] | None, indent: str = "  ") -> None:
    for name, value in (options or {}).items():
        if name not in SHOWN_ELSEWHERE and value not in (None, False, [], {}):
            click.echo(f"{indent}{name}: {cell(value)}")


def numbered(code: str, indent: str = "") -> str:
    """Return code with the numbers of its lines."""
    lines = block(code).split("\n")
    return "\n".join(
        f"{indent}{number:>{len(str(len(lines)))}}  {line}" for number, line in enumerate(lines, 1)
    )
