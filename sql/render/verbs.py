"""The arguments of the verbs, the changing functions of the API: each stands once, in the verb's file in sql/functions/."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .modules import RenderError

# How the request carries a value; the others are as jsonb_build_object() makes them.
FORMS = {"seconds": "extract(epoch FROM {})", "text": "{}::text"}

ARGUMENT = re.compile(r"(\w+) (.+?)(?: AS (\w+))?(?: DEFAULT (.+))?")


@dataclass(frozen=True)
class Argument:
    """An argument as SQL declares it, and how the request carries it."""

    name: str
    type: str
    form: str | None
    default: str | None

    @property
    def declaration(self) -> str:
        """Return what stands for it in CREATE FUNCTION; quoted, since "end" and others are words of SQL."""
        return f'"{self.name}" {self.type}' + (f" DEFAULT {self.default}" if self.default else "")

    def value(self, verb: str) -> str:
        """Return the SQL expression of what the request carries, inside the function *verb*."""
        return FORMS.get(self.form or "", "{}").format(f"{verb}.{self.name}")


def read_argument(text: str) -> Argument:
    """Return the argument that *text* declares: NAME TYPE [AS seconds | AS text] [DEFAULT VALUE]."""
    found = ARGUMENT.fullmatch(text)
    if not found or (found[3] and found[3] not in FORMS):
        raise RenderError(f'"{text}" is not NAME TYPE [AS {" | AS ".join(FORMS)}] [DEFAULT VALUE]')
    return Argument(*found.groups())


def literal(prose: str) -> str:
    """Return *prose* as a string of SQL. Its lines are joined, but an empty one stays, and "- " begins a new one."""
    lines = [""]
    for line in map(str.strip, prose.strip().splitlines()):
        if line and lines[-1] and not line.startswith("- "):
            lines[-1] += f" {line}"
        else:
            lines.append(line)
    return "'" + "\n".join(lines[1:]).replace("'", "''") + "'"
