"""Crontabs taken apart for import: one text for each command, with the settings before it. System crontabs have a user column."""

from __future__ import annotations

import pwd
import re
from collections.abc import Iterator
from dataclasses import dataclass

from .extension.api.crontab import ENVIRONMENT, LINE, SYSTEM_USERS

MAILTO = re.compile(r"""(?m)^(\s*["']?MAILTO["']?\s*=\s*)(["']?)([^"'\n@]+?)\2\s*$""")
SYSTEM_PATHS = re.compile(r"/etc/crontab|/etc/cron\.d/.*")
COMMAND = re.compile(r"(\s*(?:@\w+|(?:\S+\s+){4}\S+)\s+)(\S+)(\s+.*)?", re.DOTALL)


@dataclass(frozen=True)
class Line:
    """A line of a crontab that is neither a comment nor a setting, as a crontab of its own. *user*: of a system crontab."""

    number: int
    shown: str
    text: str
    user: str | None


def local_mailto(text: str) -> list[str]:
    """Return the names that MAILTO has in a crontab and that have no host."""
    return list(dict.fromkeys(found[3].strip() for found in MAILTO.finditer(text)))


def split_crontab(text: str, system: bool, mailto: str | None) -> Iterator[Line]:
    """Yield the commands of a crontab. *mailto*: the address in place of names that have no host."""
    if mailto:
        text = MAILTO.sub(lambda found: f"{found[1]}{mailto}", text)
    settings: list[str] = []
    comment: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if not stripped:
            comment = []
        elif stripped.startswith("#"):
            comment.append(line)
        elif ENVIRONMENT.fullmatch(line):
            settings.append(line)
        else:
            user, given = _without_user(line) if system else (None, line)
            yield Line(number, stripped, "\n".join([*settings, *comment, given, ""]), user)
            comment = []


def _without_user(line: str) -> tuple[str | None, str]:
    """Return the user of a line of a system crontab, and the line without it."""
    found = COMMAND.fullmatch(line)
    return (found[2], f"{found[1]}{(found[3] or '').lstrip()}") if found else (None, line)


def looks_like_system(path: str, text: str) -> bool:
    """Return whether this may be a system crontab: by its place, or because all commands begin with users of a system."""
    if SYSTEM_PATHS.fullmatch(path):
        return True
    first = [
        found["command"].split(maxsplit=1)
        for line in text.split("\n")
        if line.strip()
        and not line.lstrip().startswith("#")
        and not ENVIRONMENT.fullmatch(line)
        and (found := LINE.fullmatch(line))
    ]
    return bool(first) and all(len(words) == 2 and is_user(words[0]) for words in first)


def is_user(name: str) -> bool:
    """Return whether this is a user of this system or of many."""
    if name in SYSTEM_USERS:
        return True
    try:
        pwd.getpwnam(name)
    except (KeyError, ValueError):
        return False
    return True


# What some crons read from a crontab, and to others, as here, is environment of the commands.
NOT_READ = ("MAILFROM", "RANDOM_DELAY")


def notes_on(line: Line) -> Iterator[str]:
    """Yield what of a line means something to its cron and nothing here."""
    *above, given = line.text.rstrip("\n").split("\n")
    names = {found["name"].strip("\"'") for text in above if (found := ENVIRONMENT.fullmatch(text))}
    for name in NOT_READ:
        if name in names:
            yield f"{name} is not heeded: it is only in the command's environment"
    if (found := LINE.fullmatch(given)) and found["command"].startswith("-"):
        yield "its command begins with -, which is an option to some crons, and part of the command here"


def has_zone(line: Line) -> bool:
    """Return whether a line says in which time zone its times are, or has no times."""
    return (
        bool(re.search(r"""(?m)^\s*["']?CRON_TZ["']?\s*=\s*["']?\S""", line.text))
        or "@reboot" in line.shown.lower()[:7]
    )
