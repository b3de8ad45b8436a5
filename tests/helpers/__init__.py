"""What tests share: servers, launchers, waiting for events, sizes."""

from .forms import for_all, forms
from .launcher import Launcher
from .server import PASSWORD, WAIT, Cluster, pg_config
from .waiting import PATIENCE, wait_for, wait_for_row

__all__ = [
    "PASSWORD",
    "PATIENCE",
    "WAIT",
    "Cluster",
    "Launcher",
    "for_all",
    "forms",
    "pg_config",
    "wait_for",
    "wait_for_row",
]
