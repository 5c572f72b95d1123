"""A web server on this machine whose every address does what a test tells it to."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ibcore.tasks.downloads import RemoteFile


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        self.server.answers.get(self.path, status(404))(self)

    def log_message(self, *_):
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_):
        """Say nothing of those who hang up."""


def status(code: int) -> Callable:
    """Nothing but a status."""
    return lambda handler: handler.send_error(code)


def whole(content: bytes, announced: int | None = None, status: int = 200) -> Callable:
    """The content; `announced` bytes, where there are others, are what the header says."""

    def answer(handler):
        handler.send_response(status)
        handler.send_header("Content-Length", str(announced or len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def slow(handler):
    """Nothing for a while."""
    time.sleep(0.3)


class Server:
    """`answers` by path, and the paths `asked` for so far."""

    def __init__(self, served: ThreadingHTTPServer):
        self.answers, self.asked = served.answers, served.asked
        self.url = f"http://127.0.0.1:{served.server_port}"

    def file(self, name: str, content: bytes, answer: Callable | None = None) -> RemoteFile:
        """A file as it is known to be; the server gives it, or `answer`."""
        self.answers["/" + name] = whole(content) if answer is None else answer
        return described(name, content, f"{self.url}/{name}")


def described(name: str, content: bytes, *urls: str) -> RemoteFile:
    """A file of that content."""
    return RemoteFile(name, urls, len(content), "sha256:" + hashlib.sha256(content).hexdigest())


@contextmanager
def serving() -> Iterator[Server]:
    """A server while it lasts."""
    with _Server(("127.0.0.1", 0), _Handler) as served:
        served.answers, served.asked = {}, []
        thread = threading.Thread(target=served.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield Server(served)
        finally:
            served.shutdown()
            thread.join()
