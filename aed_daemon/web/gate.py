"""Gate: what every request passes before it reaches a route, and what every answer carries."""

from __future__ import annotations

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aed_daemon.sinks.ratelimit import OncePer
from aed_daemon.web.access import Access, is_foreign

_log = structlog.get_logger(__name__)

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; media-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

_OPEN = ("/login", "/healthz")
_OPEN_BELOW = "/static/"


class Gate:
    """Refuses strangers and requests that other sites' pages make, each logged at most once a minute.

    Parameters
    ----------
    app : ASGIApp
        The routes.
    access : Access
        Who may ask.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access
        self._quiet = OncePer()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] != "http":
            return

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        headers = Headers(scope=scope)
        refused = self._refusal(scope, headers)
        scope["aed_admitted"] = self._access.admits(headers.get("authorization"), headers.get("cookie"))
        if refused is None and not scope["aed_admitted"] and not _is_open(scope["path"]):
            refused = self._ask_for_token(scope, headers)
        try:
            await (refused or self._app)(scope, receive, dressed)
        except Exception as error:  # a defect, and answered with 500 by now; the others go on
            held = self._quiet.due(f"{type(error).__name__} {scope['path'][:20]}")
            if held is not None:
                _log.error("web_failed", path=scope["path"][:200], not_shown=held, exc_info=error)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._access.knows(hosts[0]):
            name = ", ".join(hosts)
            self.tell("web_unknown_host", scope, host=name, hint="Add it to web.names if it is yours.")
            return problem(421, f"this daemon is not known as {name!r}; its owner can list it in web.names")
        if is_foreign(
            hosts[0], headers.get("origin"), headers.get("sec-fetch-site"), headers.get("sec-fetch-mode")
        ):
            self.tell("web_foreign_origin", scope, origin=headers.get("origin"))
            return problem(403, "requests from other sites' pages are refused")
        return None

    def _ask_for_token(self, scope: Scope, headers: Headers) -> Response:
        if "authorization" in headers:
            self.tell("web_wrong_token", scope)
        if scope["path"] == "/" and scope["method"] == "GET":
            return RedirectResponse("/login", 303)
        return problem(401, "a token is needed", {"WWW-Authenticate": "Bearer"})

    def tell(self, what: str, scope: Scope, **more: str | None) -> None:
        """Log that a request was refused, at most once a minute for each reason."""
        held = self._quiet.due(what)
        if held is not None:
            client = scope["client"][0] if scope.get("client") else None
            shown = {name: None if value is None else value[:200] for name, value in more.items()}
            _log.warning(what, client=client, path=scope["path"][:200], not_shown=held, **shown)


def problem(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    """Return an answer that says what is wrong."""
    return JSONResponse({"error": text}, status, headers)


def _is_open(path: str) -> bool:
    return path in _OPEN or path.startswith(_OPEN_BELOW)
