"""One request: who asks, in which time zone, and what the database answers that role."""

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, LiteralString
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from psycopg import Connection
from psycopg.rows import namedtuple_row
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from . import csrf, rendering
from .sessions import Session
from .settings import Settings

# Ids are int4.
MOST = 2**31 - 1
ZONES = {"browser": "browser's time", "database": "database's time", "UTC": "UTC"}


class BadRequestError(Exception):
    """The address or form is wrong; the text says what."""


class NotFoundError(BadRequestError):
    """There is no such thing, or the role may not see it."""


@dataclass
class Visit:
    """What a page gets to answer with."""

    request: Request
    settings: Settings
    session: Session
    connection: Connection[Any]
    form: FormData

    def rows(self, query: LiteralString, **values: Any) -> list[Any]:
        """Return the rows of a query, with columns as attributes."""
        with self.connection.cursor(row_factory=namedtuple_row) as cursor:
            return cursor.execute(query, values).fetchall()

    def row(self, query: LiteralString, **values: Any) -> Any:
        """Return the first row of a query, None without one."""
        found = self.rows(query, **values)
        return found[0] if found else None

    def value(self, query: LiteralString, **values: Any) -> Any:
        """Return the first column of the first row."""
        found = self.row(query, **values)
        return found[0] if found else None

    def call(self, function: LiteralString, **arguments: Any) -> None:
        """Call a function of the extension's that changes something, with named arguments."""
        named = {name: value for name, value in arguments.items() if value is not None}
        given = ", ".join(f"{name} => %({name})s" for name in named)
        # Pages only read; what is asked for by a form may write.
        with self.connection.transaction():
            self.connection.execute("SET TRANSACTION READ WRITE")
            self.connection.execute(f"SELECT pgagent_py.{function}({given})".encode(), named)

    @property
    def zone_choice(self) -> str:
        """Which of ZONES the person has chosen."""
        choice = self.request.cookies.get("zone", "browser")
        return choice if choice in ZONES else "browser"

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone to show times in: that of the address, else of the person's choice."""
        given = self.request.query_params.get("zone")
        if given:
            zone = zone_named(given)
            if zone is None:
                raise BadRequestError(f"There is no time zone {given[:80]!r}.")
            return zone
        if self.zone_choice == "browser":
            zone = zone_named(self.request.cookies.get("browser_zone", ""))
            if zone:
                return zone
        if self.zone_choice != "UTC":
            return zone_named(self.value("SELECT pgagent_py.default_timezone()") or "") or ZoneInfo("UTC")
        return ZoneInfo("UTC")

    @property
    def now(self) -> datetime:
        """The time of the server."""
        return self.value("SELECT clock_timestamp()").astimezone(UTC)  # type: ignore[no-any-return]

    def url(self, path: str = "", **query: object) -> str:
        """Return an address of this page's; a value None is left out."""
        given = {name: value for name, value in query.items() if value is not None}
        return f"{self.settings.prefix}/{path}" + (f"?{urlencode(given)}" if given else "")

    def number(self, name: str) -> int:
        """Return a number of the address."""
        number = int(self.request.path_params[name])
        if number > MOST:
            raise NotFoundError(f"There is no {name} so large.")
        return number

    def parameter(self, name: str, default: str = "") -> str:
        """Return a parameter of the address, without a NUL, which no text of PostgreSQL has."""
        return self.request.query_params.get(name, default).replace("\0", "")

    def check_csrf(self) -> None:
        """Raise BadRequestError unless the form came from a page of this session."""
        if not csrf.is_from(self.session.csrf, str(self.form.get("csrf_token", ""))):
            raise BadRequestError(
                "This form is out of date: go back, load the page again, and send it once more."
            )

    def show(self, template: str, *, status: int = 200, **context: Any) -> Response:
        """Return a page."""
        return HTMLResponse(self.render(template, **context), status)

    def render(self, template: str, **context: Any) -> str:
        """Return the text of a template."""
        common: dict[str, Any] = {
            "visit": self,
            "url": self.url,
            "user": self.session.user,
            "csrf_token": csrf.masked(self.session.csrf),
            "zone": self.zone,
            "zones": ZONES,
            "zone_choice": self.zone_choice,
            "path": self.request.url.path,
        }
        return rendering.render(template, common | context)

    def go_to(self, path: str) -> Response:
        """Return the answer that leads on to another page after a form."""
        return RedirectResponse(self.url(path), 303)


def zone_named(name: str) -> ZoneInfo | None:
    """Return a time zone, None if this machine does not know it."""
    if not name or name.startswith(("/", ".")) or len(name) > 100:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def json_object(text: str) -> Mapping[str, Any] | None:
    """Return the object that a form's field holds, None if it is empty."""
    if not text.strip():
        return None
    try:
        value = json.loads(text)
    except ValueError as error:
        raise BadRequestError(f"parameters must be a JSON object: {error}") from None
    if not isinstance(value, dict):
        raise BadRequestError('parameters must be a JSON object, such as {"day": "2030-01-01"}')
    return value


def same(one: str, other: str) -> bool:
    """Compare two secrets in a time that tells nothing."""
    return hmac.compare_digest(one.encode(), other.encode())
