"""What tests share: servers, launchers, waiting for events, sizes, short words for SQL and for runs.

Beside it, for a few tests each, there are modules of their own to import.
"""

from tests.forms import for_all, forms

from .launcher import Launcher
from .runs import (
    Run,
    agents,
    alive_at_closing,
    check_sound,
    is_gone,
    output,
    process_of,
    run_statuses,
    run_to_end,
    serving,
    statuses,
    stop,
    wait_for_end,
    wait_for_start,
    watch_processes,
)
from .server import PASSWORD, WAIT, Cluster, pg_config
from .sql import (
    SLEEPING,
    Db,
    add_dependency,
    add_due_job,
    add_job,
    add_yearly_job,
    alter_job,
    alter_step,
    alter_steps,
    call,
    first_step,
    make_due,
    rows,
    run_due,
    run_now,
    value,
)
from .waiting import PATIENCE, wait_for, wait_for_row

__all__ = [
    "PASSWORD",
    "PATIENCE",
    "SLEEPING",
    "WAIT",
    "Cluster",
    "Db",
    "Launcher",
    "Run",
    "add_dependency",
    "add_due_job",
    "add_job",
    "add_yearly_job",
    "agents",
    "alive_at_closing",
    "alter_job",
    "alter_step",
    "alter_steps",
    "call",
    "check_sound",
    "first_step",
    "for_all",
    "forms",
    "is_gone",
    "make_due",
    "output",
    "pg_config",
    "process_of",
    "rows",
    "run_due",
    "run_now",
    "run_statuses",
    "run_to_end",
    "serving",
    "statuses",
    "stop",
    "value",
    "wait_for",
    "wait_for_end",
    "wait_for_row",
    "wait_for_start",
    "watch_processes",
]
