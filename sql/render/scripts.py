"""The scripts that install and update the extension.

Every file under sql/<section>/ is a Jinja2 template of one database object, named after it. Inside a
section the files come in alphabetical order, except that one comes after those that it needs (order.py).

What a template can use:

    version                   the version in pgagent_py.control
    build                     version + 12 hex digits of the SHA-256 over the modules in plpython/
    python_call(f, *args)     the dollar-quoted body of a PL/Python function that returns f(plpy, *args),
                              f being wing.module.function in plpython/; first=g calls g(plpy) before
    python_modules()          the VALUES list of all modules in plpython/, for _code()
    python_constant(name)     the value of wing.module.NAME in plpython/, of a module that imports nothing
    text | argument           the argument of a verb that text declares (verbs.py)
    prose | literal           prose as a string of SQL, its lines joined
    section(name)             the files of a folder; comments(name): their COMMENTs only
    new("tables/agent")       in an update file: the object of that file, which the old version does not have
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jinja2

from .modules import RenderError, build_id, path_of, read_modules
from .order import files_in_order
from .updates import check_paths, check_released, released_script, what_remains
from .verbs import literal, read_argument

COMMENT = re.compile(r"^COMMENT ON [^']+(?:'(?:[^']|'')*'\s*)+;", re.MULTILINE)


def read_version(top: Path) -> str:
    """Return default_version of pgagent_py.control in the checkout `top`."""
    found = re.search(r"(?m)^default_version = '([^']+)'", (top / "pgagent_py.control").read_text())
    if not found:
        raise RenderError("pgagent_py.control has no default_version")
    return found[1]


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
            python_constant=self.python_constant,
            section=self.section,
            comments=self.comments,
            new=lambda name: self.file(f"{name}.sql"),
        )
        self.templates.filters.update(argument=read_argument, literal=literal)

    def python_call(self, function: str, *arguments: str, first: str = "") -> str:
        """Return the quoted body that returns function(plpy, *arguments), function being "wing.module.name".

        *first*: a function that is called with plpy before.
        """
        module, _, name = function.rpartition(".")
        if module not in self.modules or not re.search(rf"(?m)^(def|class) {name}\b", self.modules[module]):
            raise RenderError(f"python_call: {path_of(module)} has no {name}")
        key = f'"pgagent_py/{self.build}"'
        return (
            f"$python$\nif {key} not in GD:\n"
            f'    plpy.execute("SELECT pgagent_py._load()")\n'
            f"{f'GD[{key}].{first}(plpy)' + chr(10) if first else ''}"
            f"return GD[{key}].{function}({', '.join(('plpy', *arguments))})\n$python$"
        )

    def python_modules(self) -> str:
        """Return VALUES ('pgagent_py.<module>', <source>), ... in the order in which they can be executed."""
        if not self.modules:
            raise RenderError("plpython/ holds no module")
        rows = [f"('pgagent_py.{name}', $py${source}$py$)" for name, source in self.modules.items()]
        return "VALUES\n" + ",\n".join(rows)

    def python_constant(self, name: str) -> Any:
        """Return the value of a constant, "wing.module.NAME"."""
        module, _, constant = name.rpartition(".")
        values: dict[str, Any] = {}
        exec(self.modules.get(module, ""), values)
        if constant not in values:
            raise RenderError(f"python_constant: {path_of(module)} has no {constant}")
        return values[constant]

    def section(self, name: str) -> str:
        """Return the rendered files of sql/<name>/, in order."""
        scripts = {
            path.stem: self.file(f"{name}/{path.name}") for path in (self.top / "sql" / name).glob("*.sql")
        }
        return "\n".join(scripts[stem] for stem in files_in_order(f"sql/{name}", scripts))

    def comments(self, name: str) -> str:
        """Return the COMMENTs of sql/<name>/: an update changes them as an install makes them."""
        return "\n".join(COMMENT.findall(self.section(name)))

    def file(self, path: str) -> str:
        """Return one rendered file of sql/, headed by its path."""
        return f"\n-- sql/{path}\n{self.templates.get_template(path).render().strip()}\n"

    def install_script(self) -> str:
        """Return the text of pgagent_py--<version>.sql."""
        check_paths(self.top, self.version)
        text = self.templates.get_template("extension.sql.j2").render(update=False)
        check_released(self.top, f"pgagent_py--{self.version}.sql", text)
        return text

    def update_script(self, old: str, new: str) -> str:
        """Return the text of pgagent_py--<old>--<new>.sql.

        The step to the current version makes, behind its sql/updates file, what an install makes. An earlier step is the
        script that was released.
        """
        name = f"pgagent_py--{old}--{new}.sql"
        if new != self.version:
            released = released_script(self.top, name)
            if released is None:
                raise RenderError(f"sql/released/{name}.gz is missing: {new} is no current version")
            return released
        self.templates.globals["what_remains"] = what_remains(self.install_script())
        text = self.templates.get_template("extension.sql.j2").render(
            update=True, update_file=self.file(f"updates/{old}--{new}.sql")
        )
        check_released(self.top, name, text)
        return text
