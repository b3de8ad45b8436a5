"""All verbs of the SQL API: the name of each, the function that answers it, who may call it.

A new verb is a function in the file of its noun, a line here, and a file in sql/functions/. The function gets the calling role,
then the arguments of the SQL function by name, as JSON values (timestamps in ISO 8601); None stands for the default.
"""

from __future__ import annotations

import enum
import inspect
import keyword
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..runs.adopt import note_engine_job
from ..runs.agents import start_agent, start_session, stop_agent
from ..runs.book import finish_step
from ..runs.cancel import cancel_run
from ..runs.hand_back import hand_back
from . import jobs, schedules, steps
from .backfill import backfill, cancel_backfill
from .bounds import set_bound
from .calendars import add_calendar, alter_calendar, attach_calendar, detach_calendar, drop_calendar
from .dependencies import add_dependency, drop_dependency
from .email import email_room, queue_email, set_email_domains
from .engines import set_engine
from .exceptions import add_exception, drop_exception
from .export_jobs import export_jobs
from .history import purge_history
from .import_crontab import import_crontab
from .import_dbms_scheduler import import_dbms_scheduler
from .import_jobs import import_jobs
from .import_pg_cron import import_pg_cron
from .import_sql_server_agent import import_sql_server_agent
from .jobs import add_job, alter_job, drop_job
from .kinds import kind_of_column
from .launchers import drain, undrain
from .limits import grant_group, pause, resume, set_limit
from .messages import add_message, drop_message, finish_messages, take_messages
from .options import Columns
from .reports import report_launcher
from .runs import run_now
from .schedules import add_schedule, alter_schedule
from .settings import set_default_timezone, set_notify_runs, set_retention, set_serve_subscribed
from .skip import skip_next_run, unskip_next_run
from .step_rows import keep_rows
from .steps import add_step, alter_step
from .upkeep import upkeep
from .windows import add_window, drop_window

Handler = Callable[..., Any]


class Callers(enum.Enum):
    """Who may call a verb. The gate checks it, and some verbs check more themselves."""

    # Members of pgagent_py_user, for the jobs that they own; roles that may edit pgAgent's tables, for all jobs.
    USERS = "users"
    # Roles that may edit pgAgent's tables. Operators, as far as FOR_OPERATORS says.
    EDITORS = "editors"
    # Launchers, sessions that run jobs, operators. The gate lets all roles pass: each of these verbs checks the caller itself.
    AGENTS = "agents"


class Verb(NamedTuple):
    """A verb: *arguments* are those that it can have, their kinds by their names in SQL, *required* those that it must have.

    *operated*: those that an operator may give, for any job.
    """

    name: str
    handler: Handler
    callers: Callers
    arguments: Mapping[str, str]
    required: frozenset[str]
    operated: frozenset[str]

    def is_operated(self, arguments: Mapping[str, Any]) -> bool:
        """Return whether this is a call that an operator may make for any job."""
        return (
            bool(self.operated)
            and {name for name, value in arguments.items() if value is not None} <= self.operated
        )


FOR_USERS: tuple[Handler, ...] = (
    add_dependency,
    add_exception,
    add_job,
    add_message,
    add_schedule,
    add_step,
    alter_job,
    alter_schedule,
    alter_step,
    attach_calendar,
    backfill,
    cancel_backfill,
    cancel_run,
    detach_calendar,
    drop_dependency,
    drop_exception,
    drop_job,
    drop_message,
    import_crontab,
    run_now,
    skip_next_run,
    unskip_next_run,
)
FOR_EDITORS: tuple[Handler, ...] = (
    add_calendar,
    add_window,
    alter_calendar,
    drop_calendar,
    drop_window,
    export_jobs,
    grant_group,
    import_dbms_scheduler,
    import_jobs,
    import_pg_cron,
    import_sql_server_agent,
    pause,
    resume,
    set_bound,
    set_default_timezone,
    set_email_domains,
    set_engine,
    set_limit,
    set_notify_runs,
    set_retention,
    set_serve_subscribed,
)
FOR_AGENTS: tuple[Handler, ...] = (
    drain,
    finish_messages,
    finish_step,
    hand_back,
    keep_rows,
    note_engine_job,
    purge_history,
    queue_email,
    email_room,
    report_launcher,
    start_agent,
    start_session,
    stop_agent,
    take_messages,
    undrain,
    upkeep,
)


# What members of pgagent_py_operator may do with every job, and with which arguments. Not parameters: they could lead the owner's
# code to do something else.
FOR_OPERATORS: dict[Handler, frozenset[str]] = {
    alter_job: frozenset({"job", "enabled"}),
    backfill: frozenset({"job", "from", "until", "stop_on_failure"}),
    cancel_backfill: frozenset({"backfill"}),
    cancel_run: frozenset({"run"}),
    pause: frozenset({"class", "from", "until"}),
    resume: frozenset({"class"}),
    run_now: frozenset({"job", "from_step", "only_step", "due"}),
    skip_next_run: frozenset({"job", "count"}),
    unskip_next_run: frozenset({"job"}),
}

# The tables of the arguments that a verb takes as **given, beside those that its signature names.
GIVEN: dict[Handler, tuple[Columns, ...]] = {
    add_job: (jobs.JOB,),
    alter_job: (jobs.JOB, jobs.OPTIONS),
    add_step: (steps.STEP,),
    alter_step: (steps.STEP, steps.OPTIONS),
    add_schedule: (schedules.SCHEDULE, schedules.OPTIONS),
    alter_schedule: (schedules.SCHEDULE, schedules.OPTIONS),
}


def sql_name(parameter: str) -> str:
    """Return what the parameter of a handler is called in SQL."""
    return parameter[:-1] if keyword.iskeyword(parameter[:-1]) else parameter


def _verb(handler: Handler, callers: Callers) -> Verb:
    _, _, *parameters = inspect.signature(handler).parameters.values()  # without plpy and caller
    named = {sql_name(p.name): p for p in parameters if p.kind is not p.VAR_KEYWORD}
    required = {name for name, p in named.items() if p.default is p.empty}
    kinds = {name: str(p.annotation) for name, p in named.items()}
    for table in GIVEN.get(handler, ()):
        kinds |= {sql_name(name): kind_of_column(column) for name, column in table.arguments.items()}
    operated = FOR_OPERATORS.get(handler, frozenset())
    return Verb(handler.__name__, handler, callers, kinds, frozenset(required), operated)


VERBS = {
    handler.__name__: _verb(handler, callers)
    for callers, handlers in (
        (Callers.USERS, FOR_USERS),
        (Callers.EDITORS, FOR_EDITORS),
        (Callers.AGENTS, FOR_AGENTS),
    )
    for handler in handlers
}
