"""Engines: where batch steps are executed, and with which options. Verbs of the SQL API, as in jobs.py."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from typing import Any

from ..ground.errors import invalid
from ..ground.plan import Statement
from ..ground.plpy import Plpy
from ..ground.vocabulary import LOCAL_ENGINE, NEVER_ALLOWED
from ..runs.wake import wake

NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
OPTION = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,62}")
LONGEST_VALUE = 1000

FIND = Statement("SELECT e.allowed_options, e.enabled FROM pgagent_py.engines e WHERE e.engine = $1", "text")
SET = Statement(
    """
INSERT INTO pgagent_py.engine (engname, engoptions, engenabled) VALUES ($1, $2, $3)
    ON CONFLICT (engname) DO UPDATE SET engoptions = excluded.engoptions, engenabled = excluded.engenabled""",
    "text",
    "text[]",
    "bool",
)


def set_engine(
    plpy: Plpy,
    caller: str,
    engine: str | None = None,
    allowed_options: Sequence[str] | None = None,
    enabled: bool | None = None,
) -> None:
    """Let batch steps use *engine*, with these options; None leaves as it is."""
    if engine is None or not NAME.fullmatch(engine):
        raise invalid(
            "engine", f'engine "{engine}" can\'t be one', "Give the name of an engine, such as slurm."
        )
    if engine == LOCAL_ENGINE:
        hint = "It is the launcher itself; see pgagent_py_batch for who may have batch steps."
        raise invalid("engine", "engine local has no options, and can't be disabled", hint)
    found = FIND(plpy, engine)
    if allowed_options is None:
        allowed_options = found[0]["allowed_options"] if found else []
    if enabled is None:
        enabled = bool(found[0]["enabled"]) if found else True
    for option in allowed_options:
        _check_allowed(engine, option)
    SET(plpy, engine, list(dict.fromkeys(allowed_options)), enabled)
    wake(plpy)


def _check_allowed(engine: str, option: str | None) -> None:
    """Refuse options that no step may have. A word that a command would take for one of these is none, either."""
    if option is None or not OPTION.fullmatch(option):
        raise invalid(
            "allowed_options", "allowed_options has no name of an option", "Give names such as mem."
        )
    never = NEVER_ALLOWED.get(engine, ())
    if any(word.startswith(option.lower()) for word in never):
        hint = f"These are the launcher's: {', '.join(never)}."
        raise invalid("allowed_options", f"allowed_options: {option} can never be allowed", hint)


def check_engine(plpy: Plpy, argument: str, engine: str) -> str:
    """Refuse an engine that is unknown or disabled. It may come with options: slurm --mem=8G --exclusive."""
    name, options = split_engine(engine)
    if name in ("", LOCAL_ENGINE) and not options:
        return engine
    found = FIND(plpy, name)
    if not found or not found[0]["enabled"]:
        raise invalid("engine", f'engine "{name}" is not enabled', "Look at the view pgagent_py.engines.")
    return engine


def split_engine(text: str) -> tuple[str, dict[str, Any]]:
    """Return the name of the engine and the options behind it; one without a value is true."""
    try:
        name, *words = shlex.split(text) or [""]
    except ValueError as error:
        raise invalid("engine", f"engine can't be read: {error}", "Write slurm --mem=8G.") from None
    options: dict[str, Any] = {}
    for word in words:
        option, is_given, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or not OPTION.fullmatch(option):
            raise invalid(
                "engine", f'engine has the word "{word}"', "Write options as --mem=8G or --exclusive."
            )
        options[option] = value if is_given else True
    return name, options


def check_engine_options(plpy: Plpy, argument: str, options: str) -> str:
    """Refuse options (JSON text) that are no object of texts, numbers and booleans."""
    try:
        found = json.loads(options)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        hint = """Give an object, such as '{"mem": "8G"}'."""
        raise invalid("engine_options", "engine_options is no JSON object", hint)
    for name, value in found.items():
        text = str(value)
        if (
            not isinstance(value, (str, int, float, bool))
            or len(text) > LONGEST_VALUE
            or not text.isprintable()
        ):
            hint = "Give a text, a number, true or false."
            raise invalid("engine_options", f"engine_options: {name} has a value that it can't have", hint)
    return options


def engine_columns(plpy: Plpy, present: str | None, is_batch: bool, given: dict[str, Any]) -> dict[str, Any]:
    """Return the columns jstengine and jstengineoptions for what is *given* of them, which were checked one by one.

    *present*: the step's engine until now.
    """
    if not given:
        return {}
    engine = present or ""
    options: dict[str, Any] = {}
    if "jstengine" in given:
        engine, options = split_engine(given["jstengine"])
        engine = "" if engine == LOCAL_ENGINE else engine
    if engine and not is_batch:
        raise invalid("engine", "engine is given for an sql step", "Engines are for batch steps.")
    options.update(json.loads(given.get("jstengineoptions", "{}")))
    if options and not engine:
        raise invalid("engine_options", "engine_options is given, but no engine", "Give engine too.")
    if options:
        allowed = FIND(plpy, engine)[0]["allowed_options"]
        for name in sorted(options.keys() - set(allowed)):
            hint = f"It has: {', '.join(allowed) or 'none'}. See set_engine()."
            raise invalid("engine_options", f'engine_options: {engine} has no option "{name}" here', hint)
    return {"jstengine": engine, "jstengineoptions": json.dumps(options)}
