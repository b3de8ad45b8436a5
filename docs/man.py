"""Write the man page of pgagentctl from its parser: python -m docs.man > docs/pgagentctl.1 (make man)."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click

from console.cli import pgagentctl
from sql.render.scripts import read_version

TOP = Path(__file__).resolve().parents[1]


def escaped(text: str) -> str:
    """Return text as troff takes it literally."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"(?m)^([.'])", r"\\&\1", text)


def usage(path: str, command: click.Command) -> str:
    """Return how a command is called."""
    context = click.Context(command, info_name=path)
    return " ".join([path, *command.collect_usage_pieces(context)])


def commands(path: str, group: click.Command) -> Iterator[tuple[str, click.Command]]:
    """Yield all commands below one, with the words that call them."""
    if isinstance(group, click.Group):
        context = click.Context(group, info_name=path)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if command is not None:
                yield f"{path} {name}", command
                yield from commands(f"{path} {name}", command)


def options(path: str, command: click.Command) -> Iterator[str]:
    """Yield the options of a command."""
    context = click.Context(command, info_name=path)
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record is not None and not ({"conninfo", "json"} & {str(parameter.name)} and path != "pgagentctl"):
            yield f".TP\n\\fB{escaped(record[0])}\\fR\n{escaped(record[1])}"


def page() -> str:
    """Return the man page."""
    text = inspect.cleandoc(pgagentctl.help or "")
    lines = [
        f'.TH PGAGENTCTL 1 "" "pgagent_py {read_version(TOP)}"',
        ".SH NAME",
        "pgagentctl \\- see and change the jobs of pgAgent by their names",
        f".SH SYNOPSIS\n\\fB{escaped(usage('pgagentctl', pgagentctl))}\\fR",
        f".SH DESCRIPTION\n{escaped(text)}",
        ".SH OPTIONS\nThey may stand after the command, too.",
        *options("pgagentctl", pgagentctl),
        ".SH COMMANDS",
    ]
    for path, command in commands("pgagentctl", pgagentctl):
        lines.append(f".SS {escaped(usage(path, command).removeprefix('pgagentctl '))}")
        lines.append(escaped(inspect.cleandoc(command.help or "")))
        lines += options(path, command)
        if command.epilog:
            lines.append(f".PP\n{escaped(command.epilog)}")
    lines.append(".SH SEE ALSO\n.BR psql (1),\ndocs/pgagentctl.md of pgagent_py")
    return re.sub(r"\n\n+", "\n.PP\n", "\n".join(lines)) + "\n"


if __name__ == "__main__":
    print(page(), end="")
