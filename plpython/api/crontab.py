"""Crontabs: the text of one, as its user edits it, taken apart into jobs. Pure: no server."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from ..ground.errors import invalid

ENVIRONMENT = re.compile(r"""\s*(?P<name>[A-Za-z_]\w*|"[^"]*"|'[^']*')\s*=\s*(?P<value>.*?)\s*""")
LINE = re.compile(r"\s*(?P<cron>@\w+|(?:\S+\s+){4}\S+)\s+(?P<command>\S.*)", re.DOTALL)
NAME_LENGTH = 60
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
        lines = ["#!/bin/sh"]
        lines += [f"export {name}={shlex.quote(value)}" for name, value in self.environment]
        lines.append("cd || exit")
        line = f"exec {shlex.quote(self.shell)} -c {shlex.quote(self.command)}"
        if self.stdin is None:
            return "\n".join([*lines, line]) + "\n"
        end = "END_OF_INPUT"
        while end in self.stdin.split("\n"):
            end += "_"
        return "\n".join([*lines, f"{line} <<'{end}'", self.stdin, end]) + "\n"


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
            if not re.fullmatch(r"[A-Za-z_]\w*", name):
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
    """Return the command and its input, None when it has none: % parts them, and the input's lines; \\% is a percent sign."""
    parts = [part.replace("\\%", "%") for part in re.split(r"(?<!\\)%", command)]
    return parts[0], "\n".join(parts[1:]) if len(parts) > 1 else None
