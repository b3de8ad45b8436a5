"""What updates need: which versions there were, the frozen scripts of released ones, what a script leaves in place.

sql/released/ keeps, compressed, the scripts that users of a released version have: its install script and the update to
it. SHA256SUMS has the hashes of the uncompressed texts.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path

from .modules import RenderError


def released_script(top: Path, name: str) -> str | None:
    """Return the frozen script *name*, such as "pgagent_py--1.0.0.sql"; None if there is none. Its hash is checked."""
    path = top / "sql" / "released" / f"{name}.gz"
    if not path.exists():
        return None
    text = gzip.decompress(path.read_bytes())
    if hashlib.sha256(text).hexdigest() != hashes(top).get(name):
        raise RenderError(
            f"sql/released/{path.name} is not what SHA256SUMS says: a released script never changes"
        )
    return text.decode()


def hashes(top: Path) -> dict[str, str]:
    """Return the SHA-256 of each released script, by name."""
    path = top / "sql" / "released" / "SHA256SUMS"
    lines = path.read_text().splitlines() if path.exists() else []
    return {name: digest for digest, name in (line.split() for line in lines)}


def released_versions(top: Path) -> list[str]:
    """Return the released versions, oldest first."""
    found = [re.fullmatch(r"pgagent_py--([\d.]+)\.sql", name) for name in hashes(top)]
    return sorted((m[1] for m in found if m), key=lambda version: [int(part) for part in version.split(".")])


def check_kept(top: Path) -> None:
    """Raise RenderError unless the released scripts are all there, and as SHA256SUMS says."""
    files = {path.name.removesuffix(".gz") for path in (top / "sql" / "released").glob("*.gz")}
    if differ := sorted(files ^ hashes(top).keys()):
        raise RenderError(
            f"sql/released/ and its SHA256SUMS do not have the same scripts: {', '.join(differ)}"
        )
    for name in files:
        released_script(top, name)


def update_step(top: Path, old: str) -> str:
    """Return the version that follows *old* by the one sql/updates/<old>--<next>.sql there is."""
    steps = [path.stem.split("--")[1] for path in (top / "sql" / "updates").glob(f"{old}--*.sql")]
    if len(steps) != 1:
        raise RenderError(
            f"sql/updates/ must have one {old}--<next version>.sql, it has {len(steps)}: "
            "a version has an update file even if no table changes, then an empty one"
        )
    return steps[0]


def check_paths(top: Path, version: str) -> None:
    """Raise RenderError unless each released version has a way by sql/updates/ to *version*."""
    for old in released_versions(top):
        seen = [old]
        while seen[-1] != version:
            new = update_step(top, seen[-1])
            if new in seen:
                raise RenderError(f"sql/updates/ goes round in a circle: {' -> '.join([*seen, new])}")
            seen.append(new)


def check_released(top: Path, name: str, text: str) -> None:
    """Raise RenderError if *text* differs from the script that was released under this name."""
    if (released := released_script(top, name)) is not None and released != text:
        raise RenderError(
            f"{name} is released and frozen, and these sources make another: raise default_version in "
            "pgagent_py.control and add sql/updates/<released version>--<new version>.sql"
        )


def freeze(top: Path, name: str, text: str) -> None:
    """Keep *text* as the released script *name*."""
    check_released(top, name, text)
    directory = top / "sql" / "released"
    directory.mkdir(exist_ok=True)
    (directory / f"{name}.gz").write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    lines = hashes(top) | {name: hashlib.sha256(text.encode()).hexdigest()}
    sums = "".join(f"{digest}  {key}\n" for key, digest in sorted(lines.items()))
    (directory / "SHA256SUMS").write_text(sums)


FUNCTION = re.compile(r"(?m)^CREATE OR REPLACE FUNCTION pgagent_py\.(\w+)\(")
RESULT = re.compile(r"\s*RETURNS\s+(SETOF\s+)?(TABLE\s*\(|[\w.]+(?:\[\])?)")
VIEW = re.compile(r"(?m)^CREATE OR REPLACE VIEW pgagent_py\.(\w+)")
TRIGGER = re.compile(r"(?m)^ *CREATE (?:CONSTRAINT )?TRIGGER (\w+)\s[^;]*?\sON (pgagent(?:_py)?\.\w+)")


def what_remains(script: str) -> str:
    """Return, as JSON, the functions, views and triggers that *script* makes or replaces.

    Functions as sql/updating/drop_gone.sql.j2 compares them with the catalog: name, whether they return a set, type of the
    result (NULL for a table), and their arguments with the columns of a table behind: mode (i, t), name, type.
    """
    functions = [_function(script, found) for found in FUNCTION.finditer(script)]
    triggers = [f"{name} ON {table}" for name, table in TRIGGER.findall(script)]
    return json.dumps({"functions": functions, "views": VIEW.findall(script), "triggers": triggers})


def _function(script: str, found: re.Match[str]) -> dict[str, object]:
    arguments, end = _in_parentheses(script, found.end())
    result = RESULT.match(script, end)
    if not result:
        raise RenderError(f"function {found[1]} has no RETURNS that could be read")
    columns = [["i", *_name_and_type(argument)] for argument in arguments]
    is_table = result[2].startswith("TABLE")
    if is_table:
        columns += [["t", *_name_and_type(column)] for column in _in_parentheses(script, result.end())[0]]
    return {
        "name": found[1],
        "set": bool(result[1]) or is_table,
        "result": None if is_table else result[2],
        "columns": columns,
    }


def _in_parentheses(text: str, start: int) -> tuple[list[str], int]:
    """Return what stands between commas from *start*, behind a parenthesis, to the one that closes it; and its end."""
    parts, depth, quote = [""], 0, ""
    for place in range(start, len(text)):
        character = text[place]
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == ")" and depth == 0:
            return [part.strip() for part in parts if part.strip()], place + 1
        depth += 0 if quote else (character == "(") - (character == ")")
        if character == "," and not quote and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    raise RenderError(f"a parenthesis is not closed: {text[start : start + 60]}")


def _name_and_type(argument: str) -> list[str]:
    name, _, rest = re.sub(r"(?i)\s+DEFAULT\s.*", "", argument, flags=re.DOTALL).partition(" ")
    return [name.strip('"'), " ".join(rest.split())]
