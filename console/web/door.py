"""Logging in and out."""

import secrets
from urllib.parse import urlencode, urlsplit

import psycopg
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from . import csrf, rendering
from .back_off import BackOff
from .login import LoginError
from .sessions import BusyError, Sessions
from .settings import Settings

COOKIE = "pgagent_py_session"
# Beside the form, the same random value is in this cookie: another site can set neither.
LOGIN_COOKIE = "pgagent_py_login"
LONGEST = 1000


def address(settings: Settings, there: str) -> str:
    """Return the address of the login that leads on to `there`."""
    home = f"{settings.prefix}/"
    return f"{settings.prefix}/login" + (f"?{urlencode({'next': there})}" if there != home else "")


def routes(settings: Settings, sessions: Sessions) -> list[Route]:
    """Return the addresses for logging in and out, and for the choice of the time zone."""
    door = Door(settings, sessions)
    return [
        Route("/login", door.show, methods=["GET"]),
        Route("/login", door.log_in, methods=["POST"]),
        Route("/logout", door.log_out, methods=["POST"]),
        Route("/zone", door.choose_zone, methods=["POST"]),
    ]


class Door:
    """The only way in: a role and its password."""

    def __init__(self, settings: Settings, sessions: Sessions) -> None:
        """Let people into these sessions."""
        self._settings = settings
        self._sessions = sessions
        self._roles = BackOff(free=5)
        self._addresses = BackOff(free=50)

    async def show(self, request: Request) -> Response:
        """Show the form."""
        return self._form(request, str(request.query_params.get("next", "")))

    async def log_in(self, request: Request) -> Response:
        """Begin a session, or show the form again with the reason why not."""
        form = await request.form()
        user, password, there = (str(form.get(name, "")) for name in ("user", "password", "next"))
        if not self._is_ours(request, str(form.get("csrf_token", ""))):
            return self._form(request, there, user, "This form was out of date: try again.", 400)
        if max(len(user), len(password)) > LONGEST:
            return self._form(request, there, "", "Role or password is too long.", 400)
        client = request.client.host if request.client else ""
        role = f"{client} {user}"
        seconds = max(self._roles.seconds_to_wait(role), self._addresses.seconds_to_wait(client))
        if seconds > 0:
            return self._form(
                request, there, user, f"Too many failed logins: wait {seconds:.0f} s and try again.", 429
            )
        try:
            token = await run_in_threadpool(self._sessions.begin, user, password)
        except LoginError as error:
            if user and password:
                self._roles.failed(role)
                self._addresses.failed(client)
            return self._form(request, there, user, str(error), 403)
        except BusyError:
            return self._form(
                request, there, user, "All connections of this page are in use: try again.", 503
            )
        except psycopg.Error:
            return self._form(request, there, user, "The database can't be reached.", 503)
        self._roles.succeeded(role)
        self._sessions.end(request.cookies.get(COOKIE, ""))
        answer = RedirectResponse(self._inside(there), 303)
        self._set_cookie(request, answer, COOKIE, token)
        answer.delete_cookie(LOGIN_COOKIE, path=self._path)
        return answer

    async def log_out(self, request: Request) -> Response:
        """End the session."""
        form = await request.form()
        token = request.cookies.get(COOKIE, "")
        session = self._sessions.find(token)
        if session:
            if not csrf.is_from(session.csrf, str(form.get("csrf_token", ""))):
                return RedirectResponse(self._path, 303)
            await run_in_threadpool(self._sessions.end, token)
        answer = RedirectResponse(f"{self._settings.prefix}/login", 303)
        answer.delete_cookie(COOKIE, path=self._path)
        return answer

    async def choose_zone(self, request: Request) -> Response:
        """Keep the choice of a time zone in a cookie, and go back."""
        form = await request.form()
        there = self._inside(str(form.get("next", "")))
        answer = RedirectResponse(there, 303)
        answer.set_cookie(
            "zone", str(form.get("zone", ""))[:20], path=self._path, samesite="strict", max_age=365 * 86400
        )
        return answer

    @property
    def _path(self) -> str:
        return f"{self._settings.prefix}/"

    def _set_cookie(self, request: Request, answer: Response, name: str, value: str) -> None:
        secure = self._settings.secure or request.url.scheme == "https"
        answer.set_cookie(name, value, path=self._path, httponly=True, samesite="strict", secure=secure)

    def _is_ours(self, request: Request, token: str) -> bool:
        cookie = request.cookies.get(LOGIN_COOKIE, "")
        return bool(cookie) and csrf.is_from(cookie.encode(), token)

    def _inside(self, there: str) -> str:
        """Return an address of this page's: the one to go on to, else the first page."""
        parts = urlsplit(there)
        inside = not parts.scheme and not parts.netloc and "\\" not in there and not there.startswith("//")
        return there if inside and there.startswith(self._path) else self._path

    def _form(
        self, request: Request, there: str, user: str = "", problem: str = "", status: int = 200
    ) -> Response:
        cookie = request.cookies.get(LOGIN_COOKIE) or secrets.token_urlsafe(32)
        context = {
            "prefix": self._settings.prefix,
            "user": user,
            "next": there,
            "problem": problem,
            "csrf_token": csrf.masked(cookie.encode()),
        }
        answer = HTMLResponse(rendering.render("login.html", context), status)
        self._set_cookie(request, answer, LOGIN_COOKIE, cookie)
        return answer
