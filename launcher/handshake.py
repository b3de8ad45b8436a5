"""The handshake: which extensions a launcher works with, and what it says to a DBA whose extension is another one.

Upgrade the extension first, then the launchers; nothing needs to stop. So a launcher works with a newer extension of
its own major version, and says that it does. It refuses an extension of another major version, and one that is older
than it needs.

At its start a launcher that is refused exits with status 1, as it does in a database without the extension. A DBA
sees the reason in the answer of ``systemctl start``, and systemd's Restart= starts the launcher again every few
seconds, so it serves soon after the extension has been updated. A launcher that has served already keeps trying, with
the same pauses as after any lost connection: it may have results to book.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import version

PGAGENT_NEEDED = "4.2"
EXTENSION_NEEDED = "1.1.0"  # the oldest pgagent_py that has all that this launcher calls
# What the extension may count on. "own places": this launcher takes steps beyond its workers, for owners with nothing running
# here. "news": it writes what the notice of that name says into its log. What a step may need of its launcher stands here, too:
# the extension hands out no step that needs more.
KNOWS: tuple[str, ...] = ("own places", "news", "separate statements")

# A row of `Installed`
INSTALLED = """
SELECT pg_catalog.pg_is_in_recovery(), current_database(),
       (SELECT e.extversion FROM pg_catalog.pg_extension e WHERE e.extname = 'pgagent'),
       (SELECT e.extversion FROM pg_catalog.pg_extension e WHERE e.extname = 'pgagent_py')"""


class CannotServeError(Exception):
    """The database can't be served, and trying again does not help."""


@dataclass(frozen=True, slots=True)
class Installed:
    """The database as the launcher finds it; extensions by their versions, None if they are missing."""

    standby: bool
    database: str
    pgagent: str | None
    extension: str | None


def launcher_version() -> str:
    """Return the version of this launcher; it is released together with the extension of the same version."""
    return version("pgagent_py")


def check_extensions(found: Installed) -> str:
    """Return a sentence for the log if the extension is newer than this launcher, else ''. Raise `CannotServeError`."""
    database, extension, launcher = found.database, found.extension, launcher_version()
    if extension is None:
        raise CannotServeError(
            f"database {database} does not have the extension pgagent_py: run CREATE EXTENSION pgagent_py CASCADE in it"
        )
    if found.pgagent is None or _numbers(found.pgagent) < _numbers(PGAGENT_NEEDED):
        raise CannotServeError(
            f"database {database} has pgagent {found.pgagent}, {PGAGENT_NEEDED} is needed: "
            "run ALTER EXTENSION pgagent UPDATE in it"
        )
    if _numbers(extension) < _numbers(EXTENSION_NEEDED):
        raise CannotServeError(
            f"database {database} has pgagent_py {extension}, {EXTENSION_NEEDED} is needed by launcher {launcher}: "
            "install it on the server and run ALTER EXTENSION pgagent_py UPDATE in the database "
            "(always the extension first, then the launchers; older ones go on meanwhile)"
        )
    if _numbers(extension)[:1] > _numbers(launcher)[:1]:
        raise CannotServeError(
            f"database {database} has pgagent_py {extension}, which launcher {launcher} does not know: upgrade the launcher"
        )
    if _numbers(extension) > _numbers(launcher):
        return (
            f"database {database} has pgagent_py {extension}, which is newer than launcher {launcher}: "
            "it is served all the same; upgrade the launcher for what is new"
        )
    return ""


def _numbers(text: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", text)]
