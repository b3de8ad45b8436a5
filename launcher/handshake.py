"""The handshake: what launcher and extension must agree on before they work together."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import version

PGAGENT_NEEDED = "4.2"
# What a step may need of its launcher. The extension hands out no step that needs more.
KNOWS: tuple[str, ...] = ()

# A row of `Installed`
INSTALLED = """
SELECT pg_catalog.pg_is_in_recovery(), current_database(),
       (SELECT e.extversion FROM pg_catalog.pg_extension e WHERE e.extname = 'pgagent'),
       (SELECT e.extversion FROM pg_catalog.pg_extension e WHERE e.extname = 'pgagent_py')"""


class CannotServeError(Exception):
    """The database can't be served, and trying again does not help."""


@dataclass(frozen=True, slots=True)
class Installed:
    """What a launcher finds when it has connected: extensions by their versions, None if they are missing."""

    standby: bool
    database: str
    pgagent: str | None
    extension: str | None


def launcher_version() -> str:
    """Return the version of this launcher; it is released together with the extension of the same version."""
    return version("pgagent_py")


def check_extensions(found: Installed) -> str:
    """Return what is to be said about an extension that is newer than this launcher, else ''. Raise `CannotServeError`."""
    database = found.database
    if found.extension is None:
        raise CannotServeError(
            f"database {database} does not have the extension pgagent_py: run CREATE EXTENSION pgagent_py CASCADE in it"
        )
    if found.pgagent is None or _numbers(found.pgagent) < _numbers(PGAGENT_NEEDED):
        raise CannotServeError(
            f"database {database} has pgagent {found.pgagent}, {PGAGENT_NEEDED} is needed: "
            "run ALTER EXTENSION pgagent UPDATE in it"
        )
    return ""


def _numbers(text: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", text)]
