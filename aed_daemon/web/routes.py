"""Routes: the page, what it asks for, and what the neighbours offer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from aed_daemon.errors import AedError
from aed_daemon.web.access import COOKIE, Access
from aed_daemon.web.gate import Gate, problem
from aed_daemon.web.hub import Hub
from aed_daemon.web.memory import Memory
from aed_daemon.web.messages import server_sent
from aed_daemon.web.neighbours import Neighbours
from aed_daemon.web.sounds import BadRequestError, mark, query_of

STATIC = Path(__file__).with_name("static")

_MAX_BODY = 16_384
_YEAR_S = 31_536_000
_CLIP_TYPES = {".flac": "audio/flac", ".wav": "audio/wav", ".png": "image/png"}
_REFUSAL = ("<!-- refusal -->", '<p class="banner" role="alert">That is not the token.</p>')
_REVALIDATE = {"Cache-Control": "no-cache"}


class Routes:
    """Answers requests.

    Parameters
    ----------
    access : Access
        Who may ask.
    hub : Hub
        What is sent to pages as it happens.
    memory : Memory
        The last sounds.
    state : callable
        Returns everything that a page has to know before it is told what happens, as JSON takes it.
    health : callable
        Returns whether the daemon does its work, and the details as JSON takes them.
    neighbours : Neighbours
        What else is there.
    """

    def __init__(
        self,
        access: Access,
        hub: Hub,
        memory: Memory,
        state: Callable[[], dict[str, Any]],
        health: Callable[[], tuple[bool, dict[str, Any]]],
        neighbours: Neighbours,
    ) -> None:
        self._access, self._hub, self._memory = access, hub, memory
        self._state, self._health, self._neighbours = state, health, neighbours

    def app(self) -> ASGIApp:
        """Return the whole application."""
        inner = Starlette(
            routes=[
                Route("/", self.page),
                Route("/login", self.login, methods=["GET", "POST"]),
                Route("/logout", self.logout, methods=["POST"]),
                Route("/live", self.live),
                Route("/api/state", self.state),
                Route("/api/sounds", self.sounds),
                Route("/api/labels", self.labels, methods=["POST"]),
                Route("/clips/{path:path}", self.clip),
                Route("/metrics", self.metrics),
                Route("/healthz", self.healthz),
                Mount("/static", _Static(directory=STATIC)),
            ],
            exception_handlers={HTTPException: _refused, BadRequestError: _bad_request, AedError: _unable},
        )
        self._gate = Gate(inner, self._access)
        return self._gate

    # The page

    async def page(self, _: Request) -> Response:
        """Return the page; everything in it comes later."""
        return FileResponse(STATIC / "index.html", headers=_REVALIDATE)

    async def login(self, request: Request) -> Response:
        """Return the form that asks for the token, or take the token."""
        if request.method == "GET":
            if request.scope["aed_admitted"]:
                return RedirectResponse("/", 303)
            return _login(refused=False)
        form = parse_qs((await _body(request)).decode("utf-8", "replace"), max_num_fields=4)
        if not self._access.may_enter(form.get("token", [""])[0].strip()):
            self._gate.tell("web_wrong_token", request.scope)
            return _login(refused=True)
        answer = RedirectResponse("/", 303)
        secure = request.headers.get("x-forwarded-proto") == "https"
        answer.set_cookie(
            COOKIE, self._access.session, max_age=_YEAR_S, httponly=True, samesite="strict", secure=secure
        )
        return answer

    async def logout(self, _: Request) -> Response:
        """Have the browser forget the token."""
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer

    # What it asks for

    async def live(self, _: Request) -> Response:
        """Stream what happens."""
        if self._hub.full:
            return problem(503, "too many pages are open", {"Retry-After": "10"})
        return StreamingResponse(
            self._hub.chunks(lambda: server_sent("hello", self._state())),
            media_type="text/event-stream",
            headers={"X-Accel-Buffering": "no"},
        )

    def state(self, _: Request) -> Response:
        """Return what the page has to know first."""
        return JSONResponse(self._state())

    def sounds(self, request: Request) -> Response:
        """Return past sounds, the newest first."""
        query = query_of(request.query_params)
        history = self._neighbours.history
        if history is None:
            return JSONResponse(
                {"sounds": self._memory.sounds(query.limit), "next": None, "kept": "in memory"}
            )
        page = history.sounds(query)
        return JSONResponse(
            {"sounds": [sound.as_json() for sound in page.sounds], "next": page.next, "kept": "on disk"}
        )

    async def labels(self, request: Request) -> Response:
        """Keep what somebody says of a sound."""
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return problem(415, "labels are sent as application/json")
        history = self._neighbours.history
        if history is None:
            return problem(404, "no history is kept; set history.enabled = true")
        try:
            given = json.loads(await _body(request))
        except ValueError:
            return problem(400, "the body is not JSON")
        said = await run_in_threadpool(mark, history, given)
        self._hub.tell(server_sent("label", said))
        return JSONResponse(said)

    # What the neighbours offer

    def clip(self, request: Request) -> Response:
        """Return a recording, or its spectrogram."""
        recordings = self._neighbours.recordings
        found = recordings.resolve(request.path_params["path"]) if recordings else None
        if found is None or found.suffix not in _CLIP_TYPES:
            return problem(404, "there is no such clip")
        return FileResponse(found, media_type=_CLIP_TYPES[found.suffix], headers=_REVALIDATE)

    def metrics(self, _: Request) -> Response:
        """Return the figures for Prometheus."""
        if self._neighbours.measured is None:
            return problem(404, "no metrics are kept")
        text, content_type = self._neighbours.measured.exposition()
        return Response(text, media_type=content_type)

    def healthz(self, request: Request) -> Response:
        """Return whether the daemon does its work; why not, only to those who may know."""
        healthy, details = self._health()
        told = details if request.scope["aed_admitted"] else {"healthy": healthy}
        return JSONResponse(told, 200 if healthy else 503)


class _Static(StaticFiles):
    """Files that browsers ask for again only where they have changed."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        answer = super().file_response(*args, **kwargs)
        answer.headers.update(_REVALIDATE)
        return answer


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY:
            raise HTTPException(413, f"a body has at most {_MAX_BODY} bytes")
    return body


def _login(*, refused: bool) -> Response:
    form = (STATIC / "login.html").read_text(encoding="utf-8")
    return HTMLResponse(form.replace(*_REFUSAL), 401) if refused else HTMLResponse(form)


def _refused(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers: Mapping[str, str] | None = error.headers if isinstance(error, HTTPException) else None
    return problem(status, getattr(error, "detail", "") or "refused", dict(headers) if headers else None)


def _bad_request(_: Request, error: Exception) -> Response:
    return problem(400, str(error))


def _unable(request: Request, error: Exception) -> Response:
    asked = request.method == "POST" or "cursor" in request.query_params
    return problem(400 if asked else 503, str(error))
