"""The man page of the launcher, made from its command line: PYTHONPATH=. python -m deploy.man, with a Python that has it."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator

from launcher.handover import PING_VARIABLE
from launcher.handshake import launcher_version
from launcher.options import parser
from launcher.smtp import SETTINGS_PREFIX

DESCRIPTION = """
pgagent-py runs the jobs of a PostgreSQL database that has the extension pgagent_py: it asks the database for steps that are
due, executes them, and reports how they ended. It takes the place of pgAgent's daemon, with the same options and connection
string.

It stays in the foreground. Any number of launchers may serve one database; each run is executed once.
"""
SECTIONS: dict[str, list[tuple[str, str]]] = {
    "SIGNALS": [
        (
            "SIGTERM, SIGINT",
            "Stop: take no more steps, let the running ones end for the time of --grace, then end them. A second one hurries.",
        ),
        ("SIGHUP", "Open the log file again."),
        (
            "SIGUSR1",
            "Drain: finish the running steps and take nothing more. With --exit-when-drained, end then, with status 0.",
        ),
    ],
    "EXIT STATUS": [
        ("0", "It was told to stop, or it was drained and has --exit-when-drained."),
        ("1", "The database can't be served; the log says why."),
        ("2", "An option is wrong."),
    ],
    "ENVIRONMENT": [
        (
            "PGPASSWORD, PGPASSFILE, PGSERVICE, ...",
            "As for every program that uses libpq. Steps do not get PGPASSWORD.",
        ),
        (
            f"{SETTINGS_PREFIX}HOST, _PORT, _SECURITY, _USER, _PASSWORD, _FROM",
            "The mail server. Steps do not get them.",
        ),
        (PING_VARIABLE, "As --ping. Steps do not get it."),
    ],
    "FILES": [
        ("/etc/pgagent-py/default.conf", "The settings of the service pgagent-py."),
        ("/etc/pgagent-py/NAME.conf", "The settings of the service pgagent-py@NAME."),
        ("~/.pgpass", "Passwords, as for every program that uses libpq."),
    ],
    "EXAMPLES": [
        ("pgagent-py 'host=db.example.org dbname=jobs user=scheduler'", "Serve the database jobs."),
        (
            "pgagent-py -s /var/log/pgagent-py/jobs.log --metrics :9187 dbname=jobs",
            "With a log file, and metrics on loopback.",
        ),
    ],
}


def escaped(text: str) -> str:
    """Return *text* as roff shows it."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return re.sub(r"(?m)^([.'])", r"\\&\1", text)


def page() -> Iterator[str]:
    """Yield the lines of the page."""
    command = parser()
    yield f'.TH PGAGENT\\-PY 1 "" "pgagent_py {launcher_version()}" "pgagent_py"'
    yield ".SH NAME"
    yield "pgagent\\-py \\- run the pgAgent jobs of a PostgreSQL database"
    yield ".SH SYNOPSIS"
    yield ".nh"
    yield escaped(re.sub(r"\s+", " ", command.format_usage().removeprefix("usage: ")).strip())
    yield ".hy"
    yield ".SH DESCRIPTION"
    for paragraph in DESCRIPTION.strip().split("\n\n"):
        yield from (".PP", escaped(paragraph))
    yield ".SH OPTIONS"
    for action in command._actions:
        yield from _option(action)
    for title, entries in SECTIONS.items():
        yield f".SH {title}"
        for name, text in entries:
            yield from (".TP", f"\\fB{escaped(name)}\\fP", escaped(text))
    yield ".SH SEE ALSO"
    yield "pgagentctl(1), psql(1), systemctl(1)"


def _option(action: argparse.Action) -> Iterator[str]:
    value = action.metavar or (action.choices and "|".join(map(str, action.choices))) or action.dest.upper()
    names = [f"\\fB{escaped(name)}\\fP" for name in action.option_strings]
    if action.nargs == 0:
        yield from (".TP", ", ".join(names))
    else:
        shown = f"\\fI{escaped(str(value))}\\fP"
        yield from (".TP", f"{', '.join(names)} {shown}" if names else shown)
    text = (action.help or "") % {"default": action.default, "prog": "pgagent-py"}
    yield escaped(text[:1].upper() + text[1:] + ".")


if __name__ == "__main__":
    sys.stdout.write("\n".join(page()) + "\n")
