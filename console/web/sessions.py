"""Who is logged in: kept in this process only, each with one connection, which closes when it is not used."""

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

from . import login
from .settings import Settings

UNUSED_SECONDS = 60
PLACE_SECONDS = 5


class BusyError(Exception):
    """All connections are in use."""


@dataclass
class Session:
    """A person who has logged in. The password lives as long as this does, and is shown by nothing."""

    user: str
    password: str = field(repr=False)
    began: float
    used: float
    csrf: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    connection: psycopg.Connection[Any] | None = field(default=None, repr=False)
    connection_used: float = 0.0


class Sessions:
    """The sessions, by the random token in the person's cookie."""

    def __init__(self, settings: Settings) -> None:
        """Begin without any."""
        self._settings = settings
        self._sessions: dict[str, Session] = {}
        self._places = threading.BoundedSemaphore(settings.connections)

    def begin(self, user: str, password: str) -> str:
        """Return the token of a new session. Raises what login.connect raises, and BusyError."""
        now = time.monotonic()
        session = Session(user, password, began=now, used=now)
        with session.lock:
            self._connect(session)
        token = secrets.token_urlsafe(32)
        self._sessions[token] = session
        return token

    def find(self, token: str, *, at_work: bool = True) -> Session | None:
        """Return the session of a token, unless it has timed out. `at_work`: the person does something, a live page does not."""
        session = self._sessions.get(token)
        now = time.monotonic()
        if session and self._is_over(session, now):
            self.end(token)
            return None
        if session and at_work:
            session.used = now
        return session

    def end(self, token: str) -> None:
        """End a session: its connection closes, its password is forgotten."""
        if session := self._sessions.pop(token, None):
            with session.lock:
                self._disconnect(session)

    @contextmanager
    def connection(self, session: Session) -> Iterator[psycopg.Connection[Any]]:
        """Yield the session's connection, to one request at a time."""
        with session.lock:
            if session.connection is not None and session.connection.closed:
                self._disconnect(session)
            if session.connection is None:
                self._connect(session)
            assert session.connection is not None
            try:
                yield session.connection
            finally:
                session.connection_used = time.monotonic()
                if session.connection.closed:
                    self._disconnect(session)

    def tidy_up(self) -> None:
        """End what has timed out, close connections that nobody uses. Called every few seconds."""
        now = time.monotonic()
        for token, session in list(self._sessions.items()):
            if self._is_over(session, now):
                self.end(token)
        self._close_unused(now - UNUSED_SECONDS, len(self._sessions))

    def end_all(self) -> None:
        """End all sessions."""
        for token in list(self._sessions):
            self.end(token)

    def _close_unused(self, since: float, most: int) -> None:
        """Close connections that no request has used since then, the longest unused first."""
        for session in sorted(self._sessions.values(), key=lambda one: one.connection_used):
            if most and session.connection_used <= since and session.lock.acquire(blocking=False):
                try:
                    most -= session.connection is not None
                    self._disconnect(session)
                finally:
                    session.lock.release()

    def _is_over(self, session: Session, now: float) -> bool:
        settings = self._settings
        return now - session.used > settings.idle_seconds or now - session.began > settings.session_seconds

    def _connect(self, session: Session) -> None:
        if not self._places.acquire(blocking=False):
            self._close_unused(time.monotonic(), 1)
            if not self._places.acquire(timeout=PLACE_SECONDS):
                raise BusyError
        try:
            session.connection = login.connect(self._settings, session.user, session.password)
        except BaseException:
            self._places.release()
            raise
        session.connection_used = time.monotonic()

    def _disconnect(self, session: Session) -> None:
        if session.connection is not None:
            session.connection.close()
            session.connection = None
            self._places.release()
