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


UPDATE = "UPDATE {table} SET ({names}) = ROW({values}) WHERE {key} = $1"
PUT = """
INSERT INTO {table} ({key}, {names}) VALUES ($1, {values})
    ON CONFLICT ({key}) DO UPDATE SET ({names}) = ROW({excluded})"""


class Columns:
    """The columns of one of pgAgent's tables that verbs set.

    The statements set what is given and no other column: triggers are told which columns are in the statement. Each is made
    when it is first needed, and kept.
    """

    form = UPDATE

    def __init__(self, table: str, key: str, *columns: Column) -> None:
        self.table = table
        self.key = key
        self.columns = {column.name: column for column in columns}
        self.arguments = {python_name(column.argument): column for column in columns if column.argument}
        self._statements: dict[tuple[str, ...], Statement[Row]] = {}
        if columns:
            self._statement(tuple(self.columns))  # so that a test can prepare it

    def write(self, plpy: Plpy, id_: int | None, values: Values) -> None:
        """Set what is given of the row *id_*."""
        names = self.given(values)
        if names:
            self._statement(names)(plpy, id_, *(values[name] for name in names))

    def given(self, values: Values) -> tuple[str, ...]:
        """Return the columns that have a value."""
        return tuple(name for name in self.columns if values.get(name) is not None)

    def _statement(self, names: tuple[str, ...]) -> Statement[Row]:
        if names not in self._statements:
            sql = self.form.format(
                table=self.table,
                key=self.key,
                names=", ".join(names),
                values=", ".join(self.columns[name].value(n) for n, name in enumerate(names, 2)),
                excluded=", ".join(f"excluded.{name}" for name in names),
            )
            self._statements[names] = Statement(
                sql, "int4", *(self.columns[name].kind.type for name in names)
            )
        return self._statements[names]


class Options(Columns):
    """The columns of a table of options: it has a row only where one is set."""

    form = PUT


class New(NamedTuple):
    """A row to insert. *parts*: rows to insert with it, of which the column *of* is its id."""

    table: Columns
    values: Values
    of: str = ""
    parts: tuple[New, ...] = ()

    def under(self, id_: int) -> New:
        """Return the row as one by itself: it belongs to a row that there is."""
        return self._replace(values=self.values | {self.of: id_}, of="")

    def shape(self) -> tuple[Any, ...]:
        """Return what decides the statement: everything but the values."""
        return self.table, self.of, self.table.given(self.values), tuple(part.shape() for part in self.parts)

    def given(self) -> list[Any]:
        """Return the values in the order of the statement's parameters."""
        values = [self.values[name] for name in self.table.given(self.values)]
        return values + [value for part in self.parts for value in part.given()]


_inserts: dict[tuple[Any, ...], Statement[Row]] = {}


def insert(plpy: Plpy, new: New) -> int:
    """Insert a row and its parts by one statement; return the row's id. Each statement of PL/Python is a subtransaction."""
    shape = new.shape()
    if shape not in _inserts:
        steps: list[str] = []
        types: list[str] = []
        _inserting(shape, "", steps, types)
        _inserts[shape] = Statement(f"WITH {', '.join(steps)} SELECT n0.id FROM n0", *types)
    id_: int = _inserts[shape](plpy, *new.given())[0]["id"]
    return id_


def _inserting(shape: tuple[Any, ...], of: str, steps: list[str], types: list[str]) -> None:
    """Add to *steps* what inserts a row of this *shape* for that of step *of*, and to *types* those of its parameters."""
    table, parent, names, parts = shape
    me, columns = f"n{len(steps)}", [table.columns[name] for name in names]
    values = ([f"{of}.id"] if of else []) + [
        column.value(n) for n, column in enumerate(columns, len(types) + 1)
    ]
    into = ", ".join(([parent] if parent else []) + list(names))
    source = f" FROM {of}" if of else ""
    steps.append(
        f"{me} AS (INSERT INTO {table.table} ({into}) SELECT {', '.join(values)}{source} RETURNING {table.key} AS id)"
    )
    types += [column.kind.type for column in columns]
    for part in parts:
        _inserting(part, me, steps, types)


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
