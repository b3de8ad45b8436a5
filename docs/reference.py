"""Make docs/reference.md from the comments in a database: `make reference` writes the page, a test compares it.

docs/reference.md.j2 has the headings and their order. It must name everything that is public, and nothing else.
"""

from __future__ import annotations

import re
import tempfile
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jinja2
import psycopg

from tests.helpers import Cluster

DOCS = Path(__file__).parent
WIDTH = 126

# What a role without rights of its own may call or read: kind, name, result, comment, and {name, type, default} of each
# argument or column
OBJECTS = r"""
SELECT 'function' AS kind, p.proname AS name, pg_get_function_result(p.oid), obj_description(p.oid, 'pg_proc'),
       ARRAY(SELECT ARRAY[quote_ident(p.proargnames[n]), format_type(p.proargtypes[n - 1], NULL),
                          coalesce(pg_get_function_arg_default(p.oid, n), '')]
               FROM generate_series(1, p.pronargs) n ORDER BY n)
  FROM pg_proc p
 WHERE p.pronamespace = 'pgagent_py'::regnamespace AND p.proname NOT LIKE '\_%'
UNION ALL
SELECT CASE c.relkind WHEN 'v' THEN 'view' ELSE 'type' END, c.relname, '',
       coalesce(obj_description(c.oid, 'pg_class'), obj_description(c.reltype, 'pg_type')),
       ARRAY(SELECT ARRAY[quote_ident(a.attname), format_type(a.atttypid, a.atttypmod), '']
               FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum)
  FROM pg_class c
 WHERE c.relnamespace = 'pgagent_py'::regnamespace
   AND (c.relkind = 'c' OR c.relkind = 'v' AND has_any_column_privilege('public', c.oid, 'SELECT'))
UNION ALL
SELECT 'role', r.rolname, '', '', '{}' FROM pg_roles r WHERE r.rolname LIKE 'pgagent\_py\_%'
"""
SHORT = {
    "timestamp with time zone": "timestamptz",
    "time without time zone": "time",
    "double precision": "float8",
}

# What the launcher gives to steps
SETTING = re.compile(
    r"\bSET (?:\{0\} )?(pgagent_py\.\w+)|set_config\('(pgagent_py\.\w+)'|\"(PGAGENT_(?!PY_)\w+|TRACEPARENT)\""
)


class PageError(Exception):
    """The template and the database do not agree."""


class Page:
    """The page while it is rendered: what there is to name, and what the template has named so far."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.objects = {(kind, name): rest for kind, name, *rest in connection.execute(OBJECTS).fetchall()}
        for path in sorted((DOCS.parent / "launcher").rglob("*.py")):
            names = [name for pair in SETTING.findall(path.read_text()) for name in pair if name]
            self.objects |= {("setting", name): [] for name in names}
        self.sqlstates = set(re.findall(r"(?m)^## ([0-9A-Z]{5})$", (DOCS / "errors.md").read_text()))
        self.named: set[tuple[str, str]] = set()

    def render(self) -> str:
        """Return the page; raise PageError unless it names everything that is public."""
        templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(DOCS), undefined=jinja2.StrictUndefined, keep_trailing_newline=True
        )
        text = templates.get_template("reference.md.j2").render(
            functions=lambda *names: self.entries("function", names),
            views=lambda *names: self.entries("view", names),
            types=lambda *names: self.entries("type", names),
            known=self.known,
        )
        if missing := sorted(self.objects.keys() - self.named):
            raise PageError(
                f"docs/reference.md.j2 does not name the {' '.join(missing[0])}: add it to a section"
            )
        return text

    def known(self, kind: str, name: str) -> str:
        """Return *name*; raise PageError when there is no such object."""
        if (kind, name) not in self.objects:
            raise PageError(f"docs/reference.md.j2 names the {kind} {name}, but there is none")
        self.named.add((kind, name))
        return name

    def entries(self, kind: str, names: Iterable[str]) -> str:
        """Return the entries of some objects: heading, signature or columns, comment."""
        return "\n\n".join(self.entry(kind, self.known(kind, name)) for name in names)

    def entry(self, kind: str, name: str) -> str:
        """Return the entry of one object."""
        result, comment, parts = self.objects[kind, name]
        if not comment:
            raise PageError(f"the {kind} {name} has no comment")
        rows = [(part, short(type_), default_of(value)) for part, type_, value in parts]
        shape = signature(name, rows, short(result)) if kind == "function" else in_columns(rows, "")
        return f"### {name}\n\n```sql\n{shape}\n```\n\n{self.prose(comment)}"

    def prose(self, comment: str) -> str:
        """Return a comment as Markdown. Functions, pages and SQLSTATEs become links."""
        text = re.sub(r"([*<])", r"\\\1", comment)
        text = re.sub(r"\bdocs/([\w-]+\.md)", r"[\1](\1)", text)
        text = re.sub(r"\b[0-9A-Z]{5}\b", lambda found: self.link(found[0]), text)
        text = re.sub(r"\b(\w+)\(\)", lambda found: self.link(found[1], found[0]), text)
        text = re.sub(r"(?m)^- ([\w, ]+): ", lambda found: f"- {in_code(found[1])}: ", text)
        return "\n".join(wrapped(line) for line in text.strip().splitlines())

    def link(self, name: str, text: str = "") -> str:
        """Return a link to a function, which shows *text*, or to an SQLSTATE; else what was there."""
        if ("function", name) in self.objects:
            return f"[`{text}`](#{name})"
        return f"[{name}](errors.md#{name.lower()})" if name in self.sqlstates else text or name


def in_code(names: str) -> str:
    """Return names that are separated by commas, each as code."""
    return ", ".join(f"`{name}`" for name in names.split(", "))


def wrapped(line: str) -> str:
    """Return a paragraph, or an item of a list, in lines that are not too long."""
    indent = "  " if line.startswith("- ") else ""
    return textwrap.fill(
        line, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def signature(name: str, rows: list[tuple[str, str, str]], result: str) -> str:
    """Return how a function is called: on one line if it is short, else with a line for each argument."""
    line = f"{name}({', '.join(' '.join(filter(None, row)) for row in rows)}) -> {result}"
    if len(line) <= 90 and len(rows) < 4:
        return line
    if len(result) > WIDTH - 10:
        result = textwrap.fill(result, WIDTH - 10, subsequent_indent="    ", break_on_hyphens=False)
    return f"{name}(\n{in_columns(rows, ',', 4)}\n) -> {result}"


def in_columns(rows: list[tuple[str, str, str]], separator: str, indent: int = 0) -> str:
    """Return names, types and defaults below one another."""
    wide, wider = (max(len(row[column]) for row in rows) for column in (0, 1))
    lines = (
        f"{'':{indent}}{name:{wide}} {type_:{wider}} {default}".rstrip() for name, type_, default in rows
    )
    return f"{separator}\n".join(lines)


def short(type_: str) -> str:
    """Return a type by the name that one would write."""
    return re.sub("|".join(SHORT), lambda found: SHORT[found[0]], type_)


def default_of(value: str) -> str:
    """Return the DEFAULT of an argument, without the cast that the server adds."""
    return "DEFAULT " + re.sub(r"::[a-z_. ]+(\[\])?$", "", value) if value else ""


def main() -> None:
    """Print the page, made on a server of its own."""
    with tempfile.TemporaryDirectory() as directory:
        cluster = Cluster(Path(directory))
        cluster.initialise()
        cluster.start()
        try:
            with cluster.connect() as connection:
                connection.execute("CREATE EXTENSION pgagent_py CASCADE")
                print(Page(connection).render(), end="")
        finally:
            cluster.stop()


if __name__ == "__main__":
    main()
