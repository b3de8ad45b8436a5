"""What has changed, for people."""

from __future__ import annotations

import difflib
import json
from typing import Any

import click

from ..hide import masked
from ..output import plain
from ..session import Row

COLOURS = {"add": "green", "change": "yellow", "drop": "red", "same": None}


def show_changes(rows: list[Row]) -> None:
    """Write a line for each job and calendar, and one for each value that differs."""
    for row in rows:
        if row["action"] == "same":
            continue
        click.echo(
            click.style(f"{row['action']} {row['kind']} {plain(row['name'])}", fg=COLOURS[row["action"]])
        )
        for path, change in (row["changes"] or {}).items():
            click.echo(f"  {plain(path)}: {_shown(change['from'])} -> {_shown(change['to'])}")
    counts = {
        action: sum(row["action"] == action for row in rows) for action in ("add", "change", "drop", "same")
    }
    click.echo(", ".join(f"{count} {action}" for action, count in counts.items() if count) or "nothing to do")


def _shown(value: Any) -> str:
    """Return a value on one line, without the password of a connection string."""
    text = plain(json.dumps(value, ensure_ascii=False)) if value is not None else "-"
    return masked(text.encode()).decode() if "://" in text or "password" in text else text


def show_difference(before: str, after: str) -> None:
    """Write the lines that differ."""
    for line in difflib.unified_diff(
        before.splitlines(), after.splitlines(), "before", "after", lineterm="", n=2
    ):
        click.echo(click.style(plain(line), fg={"+": "green", "-": "red"}.get(line[:1])))
