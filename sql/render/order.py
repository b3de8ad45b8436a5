"""The order of the files of a folder of sql/: each comes after those that make what it needs when it is executed."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .modules import RenderError, in_order

# What the server does not look into when it executes a script: comments, strings, bodies between $tag$ and $tag$.
OPAQUE = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\$(\w*)\$(.*?)\$\1\$", re.DOTALL)
# It does look into bodies with these tags. Those of other languages are compiled when they are first called.
CHECKED = ("sql", "do")
# Except for the types of variables that plpgsql takes from a table or view.
TYPE = re.compile(r"pgagent_py\.\w+(?=%(?:row)?type)", re.IGNORECASE)


def executed(script: str) -> str:
    """Return the parts of *script* in which names are looked up while it is executed."""

    def replace(found: re.Match[str]) -> str:
        tag, body = found.groups()
        return executed(body) if tag in CHECKED else " ".join(TYPE.findall(body or ""))

    return OPAQUE.sub(replace, script)


def files_in_order(folder: str, scripts: Mapping[str, str]) -> list[str]:
    """Return the names of the files, each behind those whose objects, pgagent_py.NAME, its script mentions."""
    mentioned = {
        name: set(re.findall(r"\bpgagent_py\.(\w+)", executed(script))) & scripts.keys() - {name}
        for name, script in scripts.items()
    }
    try:
        return in_order(mentioned)
    except RenderError as error:
        raise RenderError(f"{folder}: {error}") from error
