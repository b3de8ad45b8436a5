"""The types of what PL/Python gives to a function: the module plpy, results, errors. Nothing here is executed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, NoReturn, Protocol, TypeVar

# A row of a result: SQL's values by column name, as PL/Python turns them into Python's.
Row = dict[str, Any]

R_co = TypeVar("R_co", covariant=True)


class SPIError(Exception):
    """plpy.SPIError: an error of the server. PL/Python makes the class; this one names its attributes."""

    sqlstate: str
    spidata: tuple[Any, ...] | None


class SPIExceptions(Protocol):
    """plpy.spiexceptions: a class for each SQLSTATE. Named here are those that this package tells apart."""

    InvalidParameterValue: type[SPIError]
    LockNotAvailable: type[SPIError]
    QueryCanceled: type[SPIError]
    UniqueViolation: type[SPIError]


class Plan(Protocol):
    """What plpy.prepare returns."""


class Result(Protocol[R_co]):
    """What plpy.execute returns: a sequence of rows, and what the server says of the statement."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[R_co]: ...

    def __getitem__(self, number: int) -> R_co: ...

    def nrows(self) -> int:
        """Return the number of rows that the statement has returned or changed."""

    def colnames(self) -> list[str]:
        """Return the names of the columns of rows; an error where the statement returns none."""

    def status(self) -> int:
        """Return SPI's code for the kind of statement."""


class Plpy(Protocol):
    """The module plpy."""

    SPIError: type[SPIError]
    spiexceptions: SPIExceptions

    def prepare(self, query: str, types: Sequence[str], /) -> Plan:
        """Return the plan of a statement with parameters of the SQL *types*."""

    def execute(self, query: str | Plan, arguments: Sequence[Any] = ..., /) -> Result[Row]:
        """Execute a statement or a plan in a subtransaction of its own."""

    def quote_literal(self, text: str, /) -> str:
        """Return *text* as an SQL literal."""

    def subtransaction(self) -> AbstractContextManager[object]:
        """Return a context that undoes what was done in it when it is left by an exception."""

    def notice(self, message: str, /, *, detail: str = ..., hint: str = ...) -> None:
        """Send a notice to the client."""

    def warning(self, message: str, /, *, detail: str = ..., hint: str = ...) -> None:
        """Send a warning to the client, and to the server's log."""

    def error(self, message: str, /, *, detail: str = ..., hint: str = ..., sqlstate: str = ...) -> NoReturn:
        """Raise an error of the server."""
