"""Reads the Python modules of plpython/: which there are, in what order they can be executed, what they may import.

plpython/ has a ground and three wings. Arrows go down only: api -> runs -> rules -> ground.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

# A module may import from its own folder and from those that stand before it here.
WINGS = ("ground", "rules", "runs", "api")

# Text that the server's extension loader substitutes wherever it stands, and the quote around a module.
FORBIDDEN = ("$py$", "@extschema", "@extowner", "MODULE_PATHNAME")


class RenderError(Exception):
    """The sources can't be made into an extension script."""


def in_order(dependencies: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the names, each after those it depends on, else in alphabetical order."""
    sorter = TopologicalSorter({name: set(needs) for name, needs in dependencies.items()})
    ordered: list[str] = []
    try:
        sorter.prepare()
    except CycleError as error:
        raise RenderError(f"cycle: {' -> '.join(error.args[1])}") from error
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        ordered += ready
        sorter.done(*ready)
    return ordered


def path_of(module: str) -> str:
    """Return the path of the module *module*, such as "rules.clock", in the checkout."""
    return f"plpython/{module.replace('.', '/')}.py"


def imported_modules(module: str, source: str) -> Iterator[tuple[int, str]]:
    """Yield line and name, such as "rules.clock", of each module that *module* imports from the package."""
    package = module.split(".")[:-1]
    for node in ast.walk(ast.parse(source, path_of(module))):
        if isinstance(node, ast.ImportFrom) and node.level:
            above = package[: len(package) + 1 - node.level]
            path = [*above, *(node.module.split(".") if node.module else ())]
            if len(path) == 1:  # a wing: what is imported are its modules
                yield from ((node.lineno, f"{path[0]}.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, ".".join(path)


def check_source(module: str, source: str) -> None:
    """Raise RenderError when the extension loader would change or cut the module's source."""
    for text in FORBIDDEN:
        if text in source:
            raise RenderError(f"{path_of(module)} contains {text}")
    if not source.isascii():
        line = next(number for number, text in enumerate(source.splitlines(), 1) if not text.isascii())
        raise RenderError(f"{path_of(module)}:{line} is not ASCII")


def check_arrow(module: str, line: int, imported: str) -> None:
    """Raise RenderError when *module* may not import *imported*: arrows go down only."""
    wing, other = module.partition(".")[0], imported.partition(".")[0]
    if WINGS.index(other) > WINGS.index(wing):
        raise RenderError(
            f"{path_of(module)}:{line} imports {imported}, but {wing} may not import from {other}: "
            f"arrows go {' -> '.join(reversed(WINGS))} only"
        )


def check_packages(top: Path) -> None:
    """Raise RenderError unless the packages are those of WINGS, and hold nothing but docstrings themselves."""
    for path in sorted((top / "plpython").rglob("*.py")):
        name = path.relative_to(top)
        if path.name != "__init__.py":
            if path.parent.name not in WINGS or path.parent.parent != top / "plpython":
                raise RenderError(f"{name} belongs into one of plpython/{{{','.join(WINGS)}}}/")
            continue
        package = ast.parse(path.read_text(encoding="utf-8"))
        if len(package.body) > 1 or (package.body and not ast.get_docstring(package)):
            raise RenderError(f"{name} may hold a docstring only: the server does not load it")


def read_modules(top: Path) -> dict[str, str]:
    """Return name and source of the modules in plpython/, each after those that it imports."""
    check_packages(top)
    sources = {
        f"{path.parent.name}.{path.stem}": path.read_text(encoding="utf-8")
        for path in (top / "plpython").glob("*/*.py")
        if path.name != "__init__.py"
    }
    imports: dict[str, set[str]] = {}
    for module, source in sources.items():
        check_source(module, source)
        imports[module] = set()
        for line, imported in imported_modules(module, source):
            if imported not in sources:
                raise RenderError(f"{path_of(module)}:{line} imports {imported}, not in plpython/")
            check_arrow(module, line, imported)
            imports[module].add(imported)
    return {module: sources[module] for module in in_order(imports)}


def build_id(version: str, modules: Mapping[str, str]) -> str:
    """Return the name under which a session keeps this code: it changes with every change of a module."""
    digest = hashlib.sha256()
    for name in sorted(modules):
        digest.update(f"{name}\0{modules[name]}\0".encode())
    return f"{version}+{digest.hexdigest()[:12]}"
