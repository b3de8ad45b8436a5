"""Addresses, and what every answer carries."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psycopg
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from . import door, rendering
from .headers import SecurityHeaders, SmallRequests
from .login import LoginError
from .pages import calendar, graph, job, jobs, overview, run, search, timeline
from .sessions import BusyError, Session, Sessions
from .settings import Settings
from .visit import BadRequestError, NotFoundError, Visit

Show = Callable[[Visit], Response]
Draw = Callable[[Visit], str]
LIVE_SECONDS = 2.0
TIDY_SECONDS = 10.0


def create_app(settings: Settings) -> Starlette:
    """Return the application for one database."""
    sessions = Sessions(settings)
    pages = Pages(settings, sessions)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        tidying = asyncio.create_task(_tidy_up(sessions))
        yield
        tidying.cancel()
        sessions.end_all()

    routes: list[BaseRoute] = [
        Route("/", pages.page(overview.show)),
        Route("/timeline", pages.page(timeline.show)),
        Route("/jobs", pages.page(jobs.show)),
        Route("/jobs/{id:int}", pages.page(job.show)),
        Route("/jobs/{id:int}/run", pages.page(job.run), methods=["POST"]),
        Route("/runs/{id:int}", pages.page(run.show)),
        Route("/runs/{id:int}/output/{step:int}", pages.page(run.show_output)),
        Route("/runs/{id:int}/cancel", pages.page(run.cancel), methods=["POST"]),
        Route("/calendar", pages.page(calendar.show)),
        Route("/graph", pages.page(graph.show)),
        Route("/search", pages.page(search.show)),
        Route("/live/overview", pages.live(overview.draw)),
        Route("/live/runs/{id:int}", pages.live(run.draw)),
        Route("/health", health),
        *door.routes(settings, sessions),
        Mount("/static", StaticFiles(directory=Path(__file__).parent / "static")),
    ]
    if settings.prefix:
        routes = [Mount(settings.prefix, routes=routes)]
    middleware = [
        Middleware(SecurityHeaders, secure=settings.secure),
        Middleware(GZipMiddleware, minimum_size=1000),
        Middleware(SmallRequests),
    ]
    return Starlette(routes=routes, middleware=middleware, lifespan=lifespan)


def health(_: Request) -> Response:
    """Say that this program answers. It asks no database: it has no password of its own."""
    return JSONResponse({"status": "ok"})


async def _tidy_up(sessions: Sessions) -> None:
    while True:
        await asyncio.sleep(TIDY_SECONDS)
        await run_in_threadpool(sessions.tidy_up)


class Pages:
    """Makes endpoints of pages: the session first, then a thread with its connection."""

    def __init__(self, settings: Settings, sessions: Sessions) -> None:
        """Serve those who are logged in."""
        self._settings = settings
        self._sessions = sessions

    def page(self, show: Show) -> Callable[[Request], Any]:
        """Return the endpoint of a page, or of a form."""

        async def endpoint(request: Request) -> Response:
            session = self._session(request)
            if session is None:
                return self._to_login(request)
            form = await request.form() if request.method == "POST" else FormData()
            return await run_in_threadpool(self._answer, show, request, session, form)

        return endpoint

    def live(self, draw: Draw) -> Callable[[Request], Any]:
        """Return the endpoint of a part of a page that is sent again whenever it has changed."""

        async def endpoint(request: Request) -> Response:
            if self._session(request, at_work=False) is None:
                return Response(status_code=204)  # tells the browser not to come again
            return StreamingResponse(
                self._changes(draw, request),
                media_type="text/event-stream",
                headers={"X-Accel-Buffering": "no"},
            )

        return endpoint

    def _session(self, request: Request, *, at_work: bool = True) -> Session | None:
        return self._sessions.find(request.cookies.get(door.COOKIE, ""), at_work=at_work)

    async def _changes(self, draw: Draw, request: Request) -> AsyncIterator[str]:
        before = None
        while (session := self._session(request, at_work=False)) and not await request.is_disconnected():
            begun = time.monotonic()
            part = await run_in_threadpool(self._part, draw, request, session)
            if part is None:
                yield "retry: 10000\n\n"
                return
            if part != before:
                before = part
                yield "".join(f"data: {line}\n" for line in part.splitlines()) + "\n"
            else:
                yield ": \n\n"
            # Where drawing is slow it happens seldom: a live page takes a twentieth of a core at most.
            await asyncio.sleep(max(LIVE_SECONDS, 20 * (time.monotonic() - begun)))

    def _part(self, draw: Draw, request: Request, session: Session) -> str | None:
        try:
            with self._sessions.connection(session) as connection:
                return draw(Visit(request, self._settings, session, connection, FormData()))
        except (psycopg.Error, BusyError, LoginError, BadRequestError):
            return None

    def _answer(self, show: Show, request: Request, session: Session, form: FormData) -> Response:
        try:
            with self._sessions.connection(session) as connection:
                visit = Visit(request, self._settings, session, connection, form)
                if request.method == "POST":
                    visit.check_csrf()
                return show(visit)
        except BadRequestError as error:
            return self._problem(404 if isinstance(error, NotFoundError) else 400, str(error))
        except BusyError:
            return self._problem(503, "All connections of this page are in use: try again in a moment.")
        except LoginError:
            self._sessions.end(request.cookies.get(door.COOKIE, ""))
            return self._to_login(request)
        except psycopg.errors.QueryCanceled:
            return self._problem(
                503, "The database took too long for this: choose a shorter span, or one job."
            )
        except psycopg.Error as error:
            return self._problem(*_explained(error))

    def _problem(self, status: int, text: str, hint: str = "") -> Response:
        context = {"prefix": self._settings.prefix, "text": text, "hint": hint}
        return HTMLResponse(rendering.render("problem.html", context), status)

    def _to_login(self, request: Request) -> Response:
        if request.method != "GET":
            return self._problem(403, "Your session is over: log in again.")
        there = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(door.address(self._settings, there), 303)


def _explained(error: psycopg.Error) -> tuple[int, str, str]:
    """Return status, sentence and hint for an error of the server."""
    if error.sqlstate is None:
        return 503, "The database can't be reached.", "This page comes back when it does."
    status = {"42501": 403, "22023": 404}.get(
        error.sqlstate, 400 if error.sqlstate[:2] in ("22", "55") else 500
    )
    return status, error.diag.message_primary or "The database refused this.", error.diag.message_hint or ""
