"""What keeps the program to this machine and its person: settings of Streamlit, and middleware."""

from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import config

UPLOAD_MB = 50
"""What is uploaded is held in memory; larger runs are opened by their path."""


def refusal() -> str | None:
    """The setting that is too open and where it was set, in one line; None where all are safe."""
    for key, (is_safe, allowed) in _RULES.items():
        value = config.get_option(key)
        if not is_safe(value):
            place = config.get_where_defined(key)
            wrong = f"{key}: {value!r} is not allowed; use {allowed}"
            return f"The app did not start: {wrong} (set by: {place})"
    return None


def middleware() -> list[Middleware]:
    """Refuse requests for other hosts; Streamlit itself checks only WebSockets."""
    hosts = config.get_option("server.allowedHosts")
    return [Middleware(TrustedHostMiddleware, allowed_hosts=hosts), Middleware(Unframed)]


class Unframed:
    """Let no page of another site show the program inside itself."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_header(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Content-Security-Policy"] = "frame-ancestors 'none'"
            await send(message)

        await self.app(scope, receive, send_with_header)


_NAMES = ("127.0.0.1", "localhost")
"""What this machine calls itself; requests for any other name are refused."""


_RULES: dict[str, tuple[Callable[[object], bool], str]] = {
    "server.address": (lambda address: address in _NAMES, " or ".join(_NAMES)),
    "server.allowedHosts": (
        lambda hosts: bool(hosts) and {*hosts} <= {*_NAMES},
        "localhost, 127.0.0.1 or both",
    ),
    "server.enableCORS": (lambda on: on is True, "true"),
    "server.corsAllowedOrigins": (lambda origins: not origins, "an empty list"),
    "server.enableXsrfProtection": (lambda on: on is True, "true"),
    "server.maxUploadSize": (lambda size: size <= UPLOAD_MB, f"at most {UPLOAD_MB} (MB)"),
    "client.allowedOrigins": (lambda origins: not origins, "an empty list"),
    "server.baseUrlPath": (lambda path: not path, "nothing"),
    "browser.gatherUsageStats": (lambda on: on is False, "false"),
}
