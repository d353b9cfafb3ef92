"""The page on a port of this machine: for looking at a results folder, and nothing else of it."""

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

SHOWN = frozenset({".pdf", ".png", ".csv", ".json"})
"""Files beside the page that are handed out."""
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
"""The page holds all that it shows: the browser need not, and may not, fetch anything."""


class ReportServer(ThreadingHTTPServer):
    """Serves `page` of a folder, and the figures that it links to, to browsers on this machine.

    folder   the results folder; of its files only the page and those of `SHOWN` below `figures` are given
    port     0: any free one
    OSError where the port cannot be had.
    """

    daemon_threads = True

    def __init__(self, folder: Path, page: str, port: int = 0) -> None:
        self.page = page
        super().__init__(("127.0.0.1", port), partial(_Handler, directory=str(folder.resolve())))

    @property
    def url(self) -> str:
        """The page's address."""
        return f"http://127.0.0.1:{self.server_port}/"

    def hands_out(self, path: str) -> bool:
        """Whether a request's path names the page or one of its figures' files."""
        parts = PurePosixPath(unquote(urlsplit(path).path)).parts[1:]
        if parts in ((), (self.page,)):
            return True
        hidden = any(part.startswith(".") for part in parts)
        return parts[0] == "figures" and not hidden and PurePosixPath(parts[-1]).suffix in SHOWN

    def asked_here(self, host: str | None) -> bool:
        """Whether the browser asked for this machine by name: a page elsewhere cannot lead it here under its own."""
        return host in (f"127.0.0.1:{self.server_port}", f"localhost:{self.server_port}")


class _Handler(SimpleHTTPRequestHandler):
    server: ReportServer

    def send_head(self) -> Any:
        if not self.server.asked_here(self.headers.get("Host")) or not self.server.hands_out(self.path):
            self.send_error(404)
            return None
        if urlsplit(self.path).path == "/":
            self.path = "/" + self.server.page
        return super().send_head()

    def end_headers(self) -> None:
        if self.path == "/" + self.server.page:
            self.send_header("Content-Security-Policy", POLICY)
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        """Silence: the terminal shows the address and nothing more."""
