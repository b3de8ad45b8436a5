"""Launchers: the labels that jobs ask of them, and draining. Verbs of the SQL API, as in jobs.py."""

from __future__ import annotations

from collections.abc import Sequence

from ..ground.errors import PgAgentError, invalid
from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.roles import is_operator, may_edit
from ..runs.wake import wake

MOST_LABELS, LONGEST_LABEL = 100, 200


def check_labels(plpy: Plpy, argument: str, labels: Sequence[str]) -> list[str]:
    """Refuse labels that no launcher can have; return each once."""
    if len(labels) > MOST_LABELS:
        raise invalid(argument, f"{argument} has {len(labels)} labels", f"Give {MOST_LABELS} at most.")
    for label in labels:
        if (
            not isinstance(label, str)
            or not label.strip()
            or len(label) > LONGEST_LABEL
            or not label.isprintable()
        ):
            hint = f"Give texts of 1 to {LONGEST_LABEL} characters, as pgagent-py --label takes them."
            raise invalid(argument, f"{argument} has a label that no launcher can have", hint)
    return list(dict.fromkeys(labels))


# $2 the role that asks.
FIND_LAUNCHER = Statement(
    """
SELECT a.jagrole = to_regrole(quote_ident($2)) AS own FROM pgagent_py.agent a WHERE a.agent = $1 AND a.jagall LIMIT 1""",
    "uuid",
    "text",
)
DRAIN = Statement("INSERT INTO pgagent_py.draining (agent) VALUES ($1) ON CONFLICT DO NOTHING", "uuid")
UNDRAIN = Statement("DELETE FROM pgagent_py.draining d WHERE d.agent = $1", "uuid")


def drain(plpy: Plpy, caller: str, launcher: str | None = None) -> None:
    """Let *launcher* finish the steps that it runs and take nothing more, for as long as it lives."""
    _check_launcher(plpy, caller, launcher)
    DRAIN(plpy, launcher)
    wake(plpy, "drain")


def undrain(plpy: Plpy, caller: str, launcher: str | None = None) -> None:
    """Let *launcher* take jobs again."""
    _check_launcher(plpy, caller, launcher)
    UNDRAIN(plpy, launcher)
    wake(plpy, "drain")


def _check_launcher(plpy: Plpy, caller: str, launcher: str | None) -> None:
    """Refuse a launcher that is not there, and a role that may not drain it. The role that it runs as may."""
    if launcher is None:
        raise invalid("launcher", "launcher is missing", "Give a launcher of the view pgagent_py.launchers.")
    found = FIND_LAUNCHER(plpy, launcher, caller)
    own = bool(found and found[0]["own"])
    if not own and not is_operator(plpy, caller) and not may_edit(plpy, caller):
        raise PgAgentError(
            f"role {caller} may not drain launchers",
            hint="Make it a member of pgagent_py_operator, or grant it the tables of schema pgagent.",
            sqlstate="42501",
        )
    if not found:
        raise invalid(
            "launcher",
            f"launcher {launcher} does not exist",
            "Give a launcher of the view pgagent_py.launchers.",
        )
