"""Jobs of a crontab become jobs here. A verb of the SQL API, as in jobs.py."""

from __future__ import annotations

from ..ground.errors import PgAgentError
from ..ground.plpy import Plpy, Row
from .crontab import Entry, parse_crontab
from .jobs import add_job
from .messages import add_message, are_addresses

# cron mails what a command writes, and nothing when it writes nothing.
OUTPUT = "{% for step in steps %}{{ step.output or '' }}{% endfor %}"


def import_crontab(plpy: Plpy, caller: str, crontab: str | None = None) -> list[Row]:
    """Add a job with a batch step for each command in *crontab*, a user's; return their ids and names."""
    added = []
    for entry in parse_crontab(crontab or ""):
        try:
            job = _add_entry(plpy, caller, entry)
        except PgAgentError as error:
            raise PgAgentError(
                f"crontab: line {entry.number}: {error.message}", error.hint, error.sqlstate
            ) from None
        added.append({"job": job, "name": entry.name})
    return added


def _add_entry(plpy: Plpy, caller: str, entry: Entry) -> int:
    job = add_job(
        plpy,
        caller,
        name=entry.name,
        batch=entry.script(),
        cron=entry.cron,
        timezone=entry.timezone,
        description=entry.comment or None,
    )
    if entry.mailto and not are_addresses(entry.mailto):
        plpy.notice(
            f'crontab: line {entry.number}: no e-mail for MAILTO "{entry.mailto}", which names no host'
        )
    elif entry.mailto:
        add_message(plpy, caller, job=job, kind="email", target=entry.mailto, when="finish", text=OUTPUT)
    return job
