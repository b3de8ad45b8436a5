"""What the server says in words of SQL, in those of the command."""

from __future__ import annotations

import re
from collections.abc import Mapping

# What one calls here for a function that a hint names. All others are called in SQL.
COMMANDS = {
    "alter_job": "edit",
    "alter_step": "edit",
    "alter_schedule": "edit",
    "add_calendar": "apply",
    "alter_calendar": "apply",
    "add_window": "apply",
    "run_now": "run",
    "pause": "pause",
    "cancel_backfill": "backfill --cancel",
    "export_jobs": "export",
    "import_jobs": "apply",
}
# A name that could be a word of English needs its brackets.
FUNCTION = re.compile(rf"\b({'|'.join(COMMANDS)})\b(?:\([^()]*\)|(?<!pause))")
ARGUMENT = re.compile(r"""\"?([{}\w]+)\"? => ('[^']*'|[^\s',.;]+)""")
WORD = re.compile(r"'(\w+)'")


def in_own_words(text: str, options: Mapping[str, str]) -> str:
    """Return a hint of the server for a command with these *options*, by the names of the functions' arguments.

    An argument without an option of its own is a field of files.
    """
    found = FUNCTION.sub(lambda call: f"pgagentctl {COMMANDS[call[1]]}", text)
    if "=>" not in found:
        return found

    def argument(given: re.Match[str]) -> str:
        value = "TEXT" if given[2] == "'...'" else given[2]
        return f"{options[given[1]]} {value}" if given[1] in options else f"{given[1]}: {value}"

    return WORD.sub(r"\1", ARGUMENT.sub(argument, found))
