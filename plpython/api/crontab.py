"""Crontabs: the text of one, as its user edits it, taken apart into jobs. Pure: no server."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from ..ground.errors import invalid

ENVIRONMENT = re.compile(r"""\s*(?P<name>[^\W\d]\w*|"[^"]*"|'[^']*')\s*=\s*(?P<value>.*?)\s*""")
LINE = re.compile(r"\s*(?P<cron>@\w+|(?:\S+\s+){4}\S+)\s+(?P<command>\S.*)", re.DOTALL)
NAME_LENGTH = 60
END_OF_COMMAND = re.compile(r"^((?:[^%\\]|\\.)*)%", re.DOTALL)
# As cron sets them, whatever the launcher has: HOME is that of its user, where an unset HOME leads the shell's ~USER.
CRON_ENVIRONMENT = (
    "export PATH=/usr/bin:/bin SHELL=/bin/sh",
    'export LOGNAME="$(id -un)"',
    'eval "export HOME=~$LOGNAME"',
)
# Users that system crontabs run commands as, and no commands.
SYSTEM_USERS = {
    "amavis",
    "apache",
    "clamav",
    "daemon",
    "debian-spamd",
    "logcheck",
    "munin",
    "nagios",
    "nobody",
    "postgres",
    "root",
    "smmsp",
    "uucp",
    "www-data",
    "zabbix",
}
# A field of cron in the place of the command, such as * or 1-5 or mon-fri.
_DAY = "(?:sun|mon|tue|wed|thu|fri|sat)"
SIXTH_FIELD = re.compile(rf"[\d*?][\d*?/,#-]*|{_DAY}(?:[-,]{_DAY})+", re.IGNORECASE)
# Bash, where it is /bin/sh, refuses to set these.
READ_ONLY = {"BASHOPTS", "BASH_VERSINFO", "EUID", "PPID", "SHELLOPTS", "UID"}
# What these mean to cron they mean to the job; the rest is environment of the command.
OURS = {"CRON_TZ", "MAILTO"}


@dataclass(frozen=True)
class Entry:
    """One line that runs a command. *mailto* None is cron's default, which is to mail the user."""

    number: int
    cron: str
    command: str
    stdin: str | None
    comment: str
    shell: str
    timezone: str | None
    mailto: str | None
    environment: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        """Return a name for the job: the beginning of its command."""
        first = " ".join(self.command.split())
        return first if len(first) <= NAME_LENGTH else first[: NAME_LENGTH - 3] + "..."

    def script(self) -> str:
        """Return a batch step's code that does what cron would: in the home directory, with the line's environment."""
        lines = ["#!/bin/sh", *CRON_ENVIRONMENT]
        lines += [f"export {name}={shlex.quote(value)}" for name, value in self.environment]
        lines.append("cd || exit")
        line = f"exec {shlex.quote(self.shell)} -c {shlex.quote(self.command)}"
        if not self.stdin:
            return "\n".join([*lines, line if self.stdin is None else f"{line} </dev/null"]) + "\n"
        end = "END_OF_INPUT"
        while end in self.stdin.split("\n"):
            end += "_"
        return "\n".join([*lines, f"{line} <<'{end}'", f"{self.stdin}{end}"]) + "\n"


def parse_crontab(text: str) -> list[Entry]:
    """Return the commands in *text*; `PgAgentError` names the line that is none of a crontab's."""
    entries: list[Entry] = []
    environment: dict[str, str] = {}
    comment: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if not stripped:
            comment = []
        elif stripped.startswith("#"):
            comment.append(stripped.lstrip("#").strip())
        elif setting := ENVIRONMENT.fullmatch(line):
            name = _unquote(setting["name"])
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or name in READ_ONLY:
                raise invalid("crontab", f"crontab: line {number}: {name!r} can't be the name of a variable")
            environment[name] = _unquote(setting["value"])
        else:
            entries.append(_entry(number, line, " ".join(comment).strip(), environment))
            comment = []
    return entries


def _unquote(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return text


def _entry(number: int, line: str, comment: str, environment: dict[str, str]) -> Entry:
    found = LINE.fullmatch(line)
    if not found:
        raise invalid(
            "crontab",
            f"crontab: line {number} is neither a comment, a setting nor a schedule with a command",
            "A line is: minute hour day month weekday command, as in a user's crontab.",
        )
    first, *more = found["command"].split(maxsplit=1)
    if SIXTH_FIELD.fullmatch(first):
        hint = "A crontab has five fields, none for seconds or years."
        raise invalid("crontab", f"crontab: line {number} has six fields: {first!r} is no command", hint)
    if first in SYSTEM_USERS and more:
        hint = "That is a system crontab, such as /etc/crontab. Leave the user out, and import it by a launcher of that user."
        raise invalid("crontab", f"crontab: line {number} has a column for the user: {first!r}", hint)
    command, stdin = split_input(found["command"].rstrip("\r"))
    return Entry(
        number=number,
        cron=found["cron"],
        command=command.strip(),
        stdin=stdin,
        comment=comment,
        shell=environment.get("SHELL") or "/bin/sh",
        timezone=environment.get("CRON_TZ") or None,
        mailto=environment.get("MAILTO"),
        environment=tuple((name, value) for name, value in environment.items() if name not in OURS),
    )


def split_input(command: str) -> tuple[str, str | None]:
    """Return the command and its input, None when it has none, as Debian's cron reads them.

    The first % ends the command, another one a line of the input. In the command, a backslash before % or a backslash goes away;
    in the input, one before %. The input ends with a newline, unless it is empty.
    """
    found = END_OF_COMMAND.search(command)
    code, given = (command[: found.end(1)], command[found.end() :]) if found else (command, None)
    code = re.sub(r"\\([%\\])", r"\1", code)
    if given is None:
        return code, None
    lines = re.sub(r"(\\*)%", _input_percent, given)
    return code, lines if not lines or lines.endswith("\n") else lines + "\n"


def _input_percent(found: re.Match[str]) -> str:
    return f"{found[1][:-1]}%" if found[1] else "\n"
