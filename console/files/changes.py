"""What has changed, for people."""

from __future__ import annotations

import difflib
import json
import re
from typing import Any

import click

from ..hide import hidden_target, masked
from ..output import plain
from ..session import Row

TARGET = re.compile(r"(^.[\s-]*target: )(.*)")
COLOURS = {"add": "green", "change": "yellow", "drop": "red", "same": None}


def show_changes(rows: list[Row]) -> None:
    """Write a line for each job and calendar, and one for each value that differs."""
    for row in rows:
        if row["action"] == "same":
            continue
        click.echo(
            click.style(f"{row['action']} {row['kind']} {plain(row['name'])}", fg=COLOURS[row["action"]])
        )
        for path, change in without_secrets(row["changes"] or {}).items():
            click.echo(f"  {plain(path)}: {_shown(change['from'])} -> {_shown(change['to'])}")
    counts = {
        action: sum(row["action"] == action for row in rows) for action in ("add", "change", "drop", "same")
    }
    click.echo(", ".join(f"{count} {action}" for action, count in counts.items() if count) or "nothing to do")


def without_secrets(changes: Any, name: str = "") -> Any:
    """Return what has changed without passwords, and without what may be a secret in the target of a message."""
    if isinstance(changes, dict):
        return {
            key: without_secrets(value, name if key in ("from", "to") else key)
            for key, value in changes.items()
        }
    if isinstance(changes, list):
        return [without_secrets(value) for value in changes]
    if not isinstance(changes, str):
        return changes
    if name.rpartition(".")[2] == "target":
        return hidden_target(changes)
    return masked(changes.encode()).decode() if "://" in changes or "password" in changes else changes


def _shown(value: Any) -> str:
    """Return a value on one line."""
    return plain(json.dumps(value, ensure_ascii=False)) if value is not None else "-"


def show_difference(before: str, after: str, aside: bool = False) -> None:
    """Write the lines that differ; *aside*: not among the answer."""
    for line in difflib.unified_diff(
        before.splitlines(), after.splitlines(), "before", "after", lineterm="", n=2
    ):
        shown = masked(plain(line).encode()).decode()
        shown = TARGET.sub(lambda found: found[1] + hidden_target(found[2]), shown)
        click.echo(click.style(shown, fg={"+": "green", "-": "red"}.get(line[:1])), err=aside)
