"""The benches that read while a store is published see a planted mixed read, and nothing where there is none."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from benchmarks import app, readers
from benchmarks.app import NUMBER, Person, numbers_of

PAGE = "<p>publish-{}-</p> in memory, <td>publish-{}-</td> by a query"


@pytest.mark.parametrize("planted", [0, 3])
def test_a_planted_mixed_read_is_counted(planted: int) -> None:
    answers = [(7, 7, 7)] * 5 + [(7, 8, 7)] * planted
    read = iter(answers)
    left = iter(range(len(answers)))
    readings = readers.read({"one": lambda: lambda: next(read)}, 1, lambda: next(left, None) is not None, 0)["one"]
    assert (readings.mixed, readings.errors, len(readings.took)) == (planted, [], len(answers))
    assert readings.seen == ({7, 8} if planted else {7})


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    """A workbench that shows two publishes on one page, or one."""

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(PAGE.format(4, request.param).encode())

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answering) as made:
        Thread(target=made.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.shutdown()


@pytest.mark.parametrize("server", [4, 5], indirect=True)
def test_a_page_of_two_publishes_is_counted(server: str, request: pytest.FixtureRequest) -> None:
    seen = request.node.callspec.params["server"]
    readings = app.look(server, [Person("S0001", "auditor", "token")], 0.1, 0)
    for name in ("start", "worklist", "audit"):
        assert readings[name].mixed == (len(readings[name].took) if seen == 5 else 0)
        assert readings[name].took and not readings[name].errors


def test_every_mark_is_one_that_pages_are_searched_for() -> None:
    assert all(NUMBER.search(mark.format(number=12)).group(1) == "12" for mark in app.MARKS.values())
    assert numbers_of("nothing") == set()
