"""Render the extension scripts from sql/ and plpython/.

    render.py                 writes pgagent_py--<version>.sql
    render.py --update 1.0.0  writes pgagent_py--1.0.0--<next>.sql from sql/updates/1.0.0--<next>.sql

Every file under sql/<section>/ is a Jinja2 template of one database object, named after it. Inside a
section the files come in alphabetical order, except that one with a line `-- requires: other, another`
comes after those.

What a template can use:

    version                   the version in pgagent_py.control
    build                     version + 12 hex digits of the SHA-256 over plpython/*.py
    python_call(f, *args)     the dollar-quoted body of a PL/Python function that returns f(plpy, *args),
                              f being module.function in plpython/
    python_modules()          the VALUES list of all modules in plpython/, for _code()
"""

import argparse
import ast
import hashlib
import re
import sys
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import jinja2

# Text that the server's extension loader substitutes wherever it stands, and the quote around a module.
FORBIDDEN = ("$py$", "@extschema", "@extowner", "MODULE_PATHNAME")


class RenderError(Exception):
    """The sources can't be made into an extension script."""


def read_version(top: Path) -> str:
    """Return default_version of pgagent_py.control in the checkout `top`."""
    found = re.search(r"(?m)^default_version = '([^']+)'", (top / "pgagent_py.control").read_text())
    if not found:
        raise RenderError("pgagent_py.control has no default_version")
    return found[1]


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


def imported_siblings(name: str, source: str) -> set[str]:
    """Return the names of the modules that the module imports from its own package."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source, f"plpython/{name}.py")):
        if isinstance(node, ast.ImportFrom) and node.level:
            names.update([node.module] if node.module else [alias.name for alias in node.names])
    return names


def check_module(name: str, source: str) -> None:
    """Raise RenderError when the extension loader would change or cut the module's source."""
    for text in FORBIDDEN:
        if text in source:
            raise RenderError(f"plpython/{name}.py contains {text}")
    if not source.isascii():
        line = next(number for number, text in enumerate(source.splitlines(), 1) if not text.isascii())
        raise RenderError(f"plpython/{name}.py:{line} is not ASCII")


def read_modules(top: Path) -> dict[str, str]:
    """Return name and source of the modules in plpython/, each after those that it imports."""
    sources = {path.stem: path.read_text(encoding="utf-8") for path in (top / "plpython").glob("*.py")}
    package = ast.parse(sources.pop("__init__", ""))
    if len(package.body) > 1 or (package.body and not ast.get_docstring(package)):
        raise RenderError("plpython/__init__.py may hold a docstring only: the server does not load it")
    for name, source in sources.items():
        check_module(name, source)
    imports = {name: imported_siblings(name, source) for name, source in sources.items()}
    for name, needs in imports.items():
        if missing := needs - sources.keys():
            raise RenderError(f"plpython/{name}.py imports {', '.join(sorted(missing))}, not in plpython/")
    return {name: sources[name] for name in in_order(imports)}


def build_id(version: str, modules: Mapping[str, str]) -> str:
    """Return the name under which a session keeps this code: it changes with every change of a module."""
    digest = hashlib.sha256()
    for name in sorted(modules):
        digest.update(f"{name}\0{modules[name]}\0".encode())
    return f"{version}+{digest.hexdigest()[:12]}"


class Renderer:
    """The templates of one checkout with what they can use."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.version = read_version(top)
        self.modules = read_modules(top)
        self.build = build_id(self.version, self.modules)
        self.templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(top / "sql"),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            keep_trailing_newline=True,
        )
        self.templates.globals.update(
            version=self.version,
            build=self.build,
            python_call=self.python_call,
            python_modules=self.python_modules,
            section=self.section,
        )

    def python_call(self, function: str, *arguments: str) -> str:
        """Return the quoted body that returns function(plpy, *arguments), function being "module.name"."""
        module, _, name = function.partition(".")
        if module not in self.modules or not re.search(rf"(?m)^(def|class) {name}\b", self.modules[module]):
            raise RenderError(f"python_call: plpython/{module}.py has no {name}")
        key = f'"pgagent_py/{self.build}"'
        return (
            f"$python$\nif {key} not in GD:\n"
            f'    plpy.execute("SELECT pgagent_py._load()")\n'
            f"return GD[{key}].{function}({', '.join(('plpy', *arguments))})\n$python$"
        )

    def python_modules(self) -> str:
        """Return VALUES ('pgagent_py.<module>', <source>), ... in the order in which they can be executed."""
        if not self.modules:
            raise RenderError("plpython/ holds no module")
        rows = [f"('pgagent_py.{name}', $py${source}$py$)" for name, source in self.modules.items()]
        return "VALUES\n" + ",\n".join(rows)

    def section(self, name: str) -> str:
        """Return the rendered files of sql/<name>/, in order."""
        sources = {path.stem: path.read_text() for path in (self.top / "sql" / name).glob("*.sql")}
        requires = {stem: re.findall(r"(?m)^-- requires: (.*)$", text) for stem, text in sources.items()}
        needs = {stem: re.split(r"[,\s]+", " ".join(lines)) for stem, lines in requires.items() if lines}
        for stem, others in needs.items():
            if missing := set(others) - sources.keys():
                raise RenderError(f"sql/{name}/{stem}.sql requires {', '.join(sorted(missing))}, not there")
        ordered = in_order({stem: needs.get(stem, []) for stem in sources})
        return "\n".join(self.file(f"{name}/{stem}.sql") for stem in ordered)

    def file(self, path: str) -> str:
        """Return one rendered file of sql/, headed by its path."""
        return f"\n-- sql/{path}\n{self.templates.get_template(path).render().strip()}\n"

    def install_script(self) -> str:
        """Return the text of pgagent_py--<version>.sql."""
        return self.templates.get_template("extension.sql.j2").render(update=False, to_current=True)

    def update_script(self, old: str, new: str) -> str:
        """Return the text of pgagent_py--<old>--<new>.sql.

        The step to the current version ends with what an install would run. An earlier step, which only
        leads up to it, consists of its sql/updates file: today's functions need not fit the tables of then.
        """
        return self.templates.get_template("extension.sql.j2").render(
            update=True, to_current=new == self.version, update_ddl=self.file(f"updates/{old}--{new}.sql")
        )


def update_step(top: Path, old: str) -> str:
    """Return the version that follows `old` by the one sql/updates/<old>--<next>.sql there is."""
    steps = [path.stem.split("--")[1] for path in (top / "sql" / "updates").glob(f"{old}--*.sql")]
    if len(steps) != 1:
        raise RenderError(f"sql/updates/ must have one {old}--<next version>.sql, it has {len(steps)}")
    return steps[0]


def main() -> int:
    """Write one script; return the exit status."""
    parser = argparse.ArgumentParser(description="Render the extension scripts of pgagent_py.")
    parser.add_argument("--update", metavar="OLD", help="the script that updates from version OLD")
    parser.add_argument("--top", type=Path, default=Path(__file__).resolve().parent.parent, help="checkout")
    options = parser.parse_args()
    try:
        renderer = Renderer(options.top)
        if options.update:
            new = update_step(options.top, options.update)
            versions, text = f"{options.update}--{new}", renderer.update_script(options.update, new)
        else:
            versions, text = renderer.version, renderer.install_script()
    except (RenderError, jinja2.TemplateError, SyntaxError) as error:
        where = f"{error.filename}:{error.lineno}: " if isinstance(error, jinja2.TemplateSyntaxError) else ""
        print(f"render.py: {where}{error}", file=sys.stderr)
        return 1
    (options.top / f"pgagent_py--{versions}.sql").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
