"""A real HTTP server on a free port of loopback, for as long as a block lasts."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class LoopbackServer:
    """The server of a handler, which logs nothing; the block gets the address of ``path``."""

    def __init__(self, handler: type[BaseHTTPRequestHandler], path: str) -> None:
        class Quiet(handler):
            def log_message(self, *_: object) -> None:
                """Silent."""

        self._server, self._path = ThreadingHTTPServer(("127.0.0.1", 0), Quiet), path
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}{self._path}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
