"""Where the primary is: all hosts of the launcher's connection string are tried at the same time, the first primary wins.

An attempt may hang: a frozen server, or a network that swallows everything, never answers. So each look begins a new
attempt at every host. The oldest attempt at a host lasts as long as connect_timeout says, since the server may only be
slow. A younger one makes room for the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import psycopg
from psycopg.conninfo import make_conninfo

from .conninfo import (
    CONTROL_OPTIONS,
    Params,
    add_options,
    is_resolved,
    parse_conninfo,
    place_of,
    resolve,
    split_hosts,
)
from .refusals import refuses_options
from .threads import in_thread

Connection: TypeAlias = "psycopg.AsyncConnection[Any]"

PRIMARY: Params = {
    "target_session_attrs": "primary"
}  # wanted of several hosts, unless the user wants something else
STANDBY = "the server is a standby: waiting for it to become the primary"
RESOLVE_SECONDS = 2.0  # after which the addresses that a host had before are tried


class Found(NamedTuple):
    """A connection, and what of its connection string leads to this host and to no other."""

    connection: Connection
    place: Params


Attempt: TypeAlias = "asyncio.Task[Found]"


class PrimarySearch:
    """Connects to the primary."""

    def __init__(self, conninfo: str, on_found: Callable[[], object]) -> None:
        """*on_found* is called when the primary has been found after a look was over: the next look has it at once."""
        self._params = parse_conninfo(conninfo)
        self._on_found = on_found
        self._attempts: dict[str, list[Attempt]] = {}  # by host, oldest first
        self._addresses: dict[str, list[Params]] = {}  # by host, as they were resolved last

    async def look(self, seconds: float) -> Found:
        """Return a connection to the primary, if there is one within so many seconds. Raise psycopg.Error otherwise."""
        failures: dict[str, psycopg.Error] = {}
        if (found := self._sort_out(failures)) is not None:
            return found
        hosts = split_hosts(self._params)
        for host in hosts:
            self._begin(host if len(hosts) == 1 else PRIMARY | host)
        deadline = asyncio.get_running_loop().time() + seconds
        while pending := [attempt for attempts in self._attempts.values() for attempt in attempts]:
            left = max(deadline - asyncio.get_running_loop().time(), 0.0)
            done, _ = await asyncio.wait(pending, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if (found := self._sort_out(failures)) is not None:
                return found
            if not done:
                break
        # What can't be resolved is perhaps no name: a mistyped connection string may have its password there.
        silent = [
            host if host in self._addresses else "a host"
            for host, attempts in self._attempts.items()
            if attempts and host not in failures
        ]
        raise _together(
            [*failures.values(), *(psycopg.OperationalError(f"{host}: no answer yet") for host in silent)]
        )

    def stop(self) -> None:
        """End all attempts."""
        for attempts in self._attempts.values():
            for attempt in attempts:
                _drop(attempt)
        self._attempts.clear()

    def _begin(self, params: Params) -> None:
        """Begin an attempt at a host, in place of all but the oldest."""
        attempts = self._attempts.setdefault(_name(params), [])
        for attempt in attempts[1:]:
            _drop(attempt)
        attempts[1:] = [asyncio.get_running_loop().create_task(self._connect(params))]
        attempts[-1].add_done_callback(lambda attempt: None if _failed(attempt) else self._on_found())

    def _sort_out(self, failures: dict[str, psycopg.Error]) -> Found | None:
        """Forget the attempts that have failed; if one has succeeded, stop and return its connection."""
        for host, attempts in self._attempts.items():
            for attempt in [attempt for attempt in attempts if attempt.done()]:
                attempts.remove(attempt)
                error = attempt.exception()
                if error is None:
                    self.stop()
                    return attempt.result()
                if not isinstance(
                    error, psycopg.Error
                ):  # of a strange host name Python's resolver raises anything
                    error = psycopg.OperationalError(f"failed to resolve a host: {type(error).__name__}")
                failures[host] = error
        return None

    async def _connect(self, params: Params) -> Found:
        """Connect to a host, at all of its addresses at the same time."""
        addresses = await self._resolve(params)
        attempts = {asyncio.create_task(_connect_to(params | address)) for address in addresses}
        errors: list[psycopg.Error] = []
        try:
            while attempts:
                done, _ = await asyncio.wait(attempts, return_when=asyncio.FIRST_COMPLETED)
                attempt = done.pop()
                attempts.remove(attempt)
                try:
                    return attempt.result()
                except psycopg.Error as error:
                    errors.append(error)
            raise _together(errors)
        finally:
            for attempt in attempts:
                _drop(attempt)

    async def _resolve(self, host: Params) -> list[Params]:
        """Return the addresses of a host; those that it had before, if its name can't be resolved now."""
        name = _name(host)
        if is_resolved(host):
            self._addresses[name] = [place_of(host)]
            return self._addresses[name]
        known = self._addresses.get(name)
        try:
            async with asyncio.timeout(RESOLVE_SECONDS if known else None):
                known = await in_thread(resolve, [host])
        except (psycopg.OperationalError, TimeoutError):
            if known is None:
                raise
        self._addresses[name] = known
        return known


async def _connect_to(params: Params) -> Found:
    """Connect to one address."""
    try:
        connection = await _connect_by(params | add_options(params, CONTROL_OPTIONS))
    except psycopg.OperationalError as error:
        if not refuses_options(str(error)):
            raise
        connection = await _connect_by(params)
    if connection.pgconn.parameter_status(b"in_hot_standby") == b"on":
        await connection.close()
        raise psycopg.OperationalError(STANDBY)
    return Found(connection, place_of(params))


async def _connect_by(params: Params) -> Connection:
    return await psycopg.AsyncConnection.connect(
        make_conninfo("", **params), autocommit=True, prepare_threshold=None
    )


def _drop(attempt: Attempt) -> None:
    """End an attempt that is not needed any more."""
    if not attempt.cancel() and not _failed(attempt):
        attempt.result().connection.pgconn.finish()


def _failed(attempt: Attempt) -> bool:
    return attempt.cancelled() or attempt.exception() is not None


def _name(params: Params) -> str:
    """Return how a message calls a host."""
    place = place_of(params)
    name = place["host"] or place["hostaddr"] or "the server"
    return f"{name}, port {place['port']}" if place["port"] else str(name)


def _together(errors: list[psycopg.Error]) -> psycopg.Error:
    """Return one error for all."""
    if len(errors) == 1:
        return errors[0]
    words = dict.fromkeys(str(error).strip() for error in errors)
    return psycopg.OperationalError("\n".join(words))
