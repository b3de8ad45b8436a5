"""Arguments that are columns: which there are, how each is checked, how those that are given are written.

A verb that takes such arguments as **given names its tables of them. None leaves a column as it is, or at its default.
"""

from __future__ import annotations

import keyword
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..ground.errors import invalid
from ..ground.plan import Statement
from ..ground.plpy import Plpy, Row

# Gets plpy, the name of the argument and its value; returns the value to store, or raises an error that names the argument.
Check = Callable[[Plpy, str, Any], Any]
Values = dict[str, Any]  # by column


class Kind(NamedTuple):
    """How values come, and how they are stored: *type* is that of the statement's parameter."""

    type: str
    stored: str = "{}"  # the value of the column, made of the parameter
    nothing: str = ""  # the value that takes an option back


BOOLEAN = Kind("bool")
FLAGS = Kind("bool[]")
INTEGERS = Kind("int4[]", nothing="'{}'")
INTEGER = Kind("int4", nothing="0")
NUMBER = Kind("float8")
NAME = Kind("name")
TEXT = Kind("text", nothing="''")
TEXTS = Kind("text[]", nothing="'{}'")
JSON = Kind("jsonb", nothing="'{}'")
INSTANT = Kind("timestamptz", nothing="'infinity'")
INTERVAL = Kind("interval", nothing="'0'")
SECONDS = Kind("float8", "make_interval(secs => {})", nothing="'0'")


def python_name(argument: str) -> str:
    """Return what an argument is called in Python, where some names, such as class, can't be those of an argument."""
    return f"{argument}_" if keyword.iskeyword(argument) else argument


class Column(NamedTuple):
    """A column of a table, and the argument (by its name in SQL) that sets it; without one, the verb itself finds the value.

    *optional*: it may be NULL, and 0, '' or what else the kind has for it makes it so.
    """

    name: str
    kind: Kind
    argument: str = ""
    check: Check | None = None
    optional: bool = False

    def value(self, number: int) -> str:
        """Return SQL for what is stored when parameter *number* is the value."""
        value = self.kind.stored.format(f"${number}")
        return f"nullif({value}, {self.kind.nothing})" if self.optional else value


INSERT = "INSERT INTO {table} ({names}) VALUES ({values}) RETURNING {key} AS id"
UPDATE = "UPDATE {table} SET ({names}) = ROW({values}) WHERE {key} = $1"
PUT = """
INSERT INTO {table} ({key}, {names}) VALUES ($1, {values})
    ON CONFLICT ({key}) DO UPDATE SET ({names}) = ROW({excluded})"""


class Columns:
    """The columns of one of pgAgent's tables that verbs set.

    The statements set what is given and no other column: triggers are told which columns are in the statement. Each is made
    when it is first needed, and kept.
    """

    forms: tuple[str, ...] = (INSERT, UPDATE)

    def __init__(self, table: str, key: str, *columns: Column) -> None:
        self.table = table
        self.key = key
        self.columns = {column.name: column for column in columns}
        self.arguments = {python_name(column.argument): column for column in columns if column.argument}
        self._statements: dict[tuple[str, ...], Statement[Row]] = {}
        for form in self.forms:
            self._statement(form, list(self.columns))  # so that a test can prepare it

    def insert(self, plpy: Plpy, values: Values) -> int:
        """Insert a row; return its id."""
        names = self._given(values)
        id_: int = self._statement(INSERT, names)(plpy, *(values[name] for name in names))[0]["id"]
        return id_

    def write(self, plpy: Plpy, id_: int | None, values: Values) -> None:
        """Set what is given of the row *id_*."""
        names = self._given(values)
        if names:
            self._statement(self.forms[-1], names)(plpy, id_, *(values[name] for name in names))

    def _given(self, values: Values) -> list[str]:
        return [name for name in self.columns if values.get(name) is not None]

    def _statement(self, form: str, names: list[str]) -> Statement[Row]:
        key = (form, *names)
        if key not in self._statements:
            first = 1 if form == INSERT else 2  # $1 is the id
            sql = form.format(
                table=self.table,
                key=self.key,
                names=", ".join(names),
                values=", ".join(self.columns[name].value(n) for n, name in enumerate(names, first)),
                excluded=", ".join(f"excluded.{name}" for name in names),
            )
            types = ["int4"] * (first - 1) + [self.columns[name].kind.type for name in names]
            self._statements[key] = Statement(sql, *types)
        return self._statements[key]


class Options(Columns):
    """The columns of a table of options: it has a row only where one is set."""

    forms = (PUT,)


def checked(plpy: Plpy, given: Mapping[str, Any], *tables: Columns) -> list[Values]:
    """Return, for each of the *tables*, the values of the columns whose arguments are *given*, after their checks."""
    if unknown := given.keys() - {name for table in tables for name in table.arguments}:
        raise TypeError(f"unknown arguments: {', '.join(sorted(unknown))}")
    return [
        {
            column.name: value if column.check is None else column.check(plpy, column.argument, value)
            for name, column in table.arguments.items()
            if (value := given.get(name)) is not None
        }
        for table in tables
    ]


def number(least: float, most: float, unit: str = "") -> Check:
    """Return the check that refuses numbers that are not in the range."""

    def check(plpy: Plpy, argument: str, given: float | str) -> float:
        # JSON knows neither NaN nor infinity: they come as text. NaN is in no range.
        value = _number(given)
        if not least <= value <= most:
            hint = f"Give {least:g} to {most:.15g}{unit}."
            raise invalid(argument, f"{argument} can't be {given}{unit}", hint)
        return value

    return check


def _number(given: float | str) -> float:
    """Return the number that a text stands for; NaN if it is none."""
    try:
        return float(given) if isinstance(given, str) else given
    except ValueError:
        return math.nan


def seconds(least: float, most: float) -> Check:
    """Return the check that refuses intervals, as seconds, that are not in the range."""
    return number(least, most, " seconds")
