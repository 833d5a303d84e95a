"""Every dashboard in a real Superset and a real browser: no error, every chart answers, figures equal the store's.

`make test-bi` alone runs these. They look at the store that ``C360_WAREHOUSE`` names, or at that of `make demo`, and
write the pictures of the docs if it is the latter.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from time import monotonic
from uuid import uuid4

import duckdb
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Response, sync_playwright

from c360 import metrics
from c360.bi.assets import make_assets
from c360.bi.importing import KINDS, Server
from c360.bi.specs import Chart, Words, read_dashboards
from lakehouse import warehouse
from lakehouse.errors import Stop
from lakehouse.language import LANGUAGES, words
from lakehouse.settings import PROJECT, Settings
from lakehouse.warehouse import dbt
from tests.pipeline.test_metrics import EXPECTED

pytestmark = [pytest.mark.bi, pytest.mark.timeout(1800)]

PICTURES = PROJECT / "docs" / "images"
SHOWN = {"board-en", "board-zh", "fund_flow-en"}  # in docs/DASHBOARDS.md
TIMES: dict[str, float] = {}
HANGS = 10.0  # seconds of one chart
CHART_SECONDS = 180  # of a dashboard on a busy machine; what one chart takes is measured alone
SPECS = read_dashboards()
SLUGS = [f"{name}-{language}" for name in SPECS for language in LANGUAGES]
CHARTS = {name: sum(map(len, spec.rows)) for name, spec in SPECS.items()}
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def demo_environment() -> Mapping[str, str]:
    """The variables of the demonstration's bank, unless the environment names another."""
    if "C360_WAREHOUSE" in os.environ:
        return {}
    lines = (PROJECT / "var" / "demo" / "env").read_text().splitlines()
    return dict(line.replace("'", "").split("=", 1) for line in lines)


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A copy of the bank, with its files as links: one test publishes to it."""
    folder = tmp_path_factory.mktemp("bank")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in demo_environment().items():
            patch.setenv(name, value)
        given = Settings.from_env()
        shutil.copytree(given.published, folder / "published", copy_function=os.link)
        shutil.copytree(dbt.target_path(given), folder / "build.dbt" / given.target)
        shutil.copyfile(given.warehouse, folder / "warehouse.duckdb")
        for name in ("published", "warehouse.duckdb", "build.duckdb"):
            patch.setenv(f"C360_{name.partition('.')[0].upper()}", str(folder / name))
        copied = Settings.from_env()
        warehouse.relocate(copied)
        yield copied


@dataclass(frozen=True)
class Running:
    """What `make bi` says."""

    address: str
    paths: tuple[str, ...]
    password: str
    folder: Path


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture(scope="module")
def running(bank: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Superset as `make bi` leaves it, on a folder of its own."""
    folder, port = tmp_path_factory.mktemp("bi"), free_port()
    began = monotonic()
    command = ["make", "--silent", "bi", f"SERVE=--folder {folder} --port {port}"]
    server = subprocess.Popen(
        command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert server.stdout and server.stderr
    address, said = f"http://127.0.0.1:{port}", []
    for line in server.stdout:
        if "account admin" in line:
            break
        said.append(line.strip())
    else:
        pytest.fail(server.stderr.read())
    password_file = Path(re.search(r"password in (\S+);", line)[1])
    print(f"\nmake bi: {monotonic() - began:.0f} s to its address, Superset installed before")
    paths = tuple(one.removeprefix(address) for one in said if one.startswith(address))
    assert [one.partition(",")[0] for one in said[len(paths) :]] == ["account reader"]
    yield Running(address, paths, password_file.read_text(), folder)
    os.killpg(server.pid, signal.SIGTERM)
    server.communicate(timeout=60)


@dataclass
class Seen:
    """What a browser met."""

    errors: list[str] = field(default_factory=list)
    answers: list[Response] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("response", self.heard)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(message.text)

    def heard(self, response: Response) -> None:
        if "/api/v1/chart/data" in response.url:
            self.answers.append(response)
        elif response.status >= 400:
            self.errors.append(f"{response.status} {response.url}")


@dataclass(frozen=True)
class Placed:
    """A chart as it was imported, in one language."""

    title: str
    chart: Chart
    keys: set[str]  # columns of its answer that are no figures


@pytest.fixture(scope="module")
def numbers(running: Running, bank: Settings) -> Mapping[int, Placed]:
    """The title and the definition of each chart, by Superset's number of it."""
    assets = make_assets(bank)
    with Server(running.address, running.password) as server:
        known = server.numbers("chart")
    found = {}
    for name, spec in SPECS.items():
        for row, charts in enumerate(spec.rows):
            for place, chart in enumerate(charts):
                for language in LANGUAGES:
                    asset = assets.files[PurePosixPath("charts", f"{name}_{row}_{place}_{language}.yaml")]
                    parameters = asset["params"]
                    keys = {parameters.get("x_axis"), *parameters.get("groupby", [])}
                    found[known[asset["uuid"]]] = Placed(asset["slice_name"], chart, keys)
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.fail("no Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def page(browser: Browser, running: Running) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 1000}, base_url=running.address)
    context.set_default_timeout(1000 * CHART_SECONDS)
    page = context.new_page()
    sign_in(page, "admin", running.password)
    yield page
    context.close()


def sign_in(page: Page, account: str, password: str) -> None:
    page.goto("/login/")
    page.fill("#username", account)
    page.fill("#password", password)
    page.keyboard.press("Enter")
    page.wait_for_url("**/superset/welcome/**")


def test_make_bi_ends_with_the_addresses_and_keeps_secrets_closed(running: Running) -> None:
    assert running.paths == tuple(f"/superset/dashboard/{slug}/" for slug in SLUGS)
    for name in ("password", "reader_password", "secret_key"):
        assert (running.folder / name).stat().st_mode & 0o777 == 0o600
    assert running.folder.stat().st_mode & 0o777 == 0o700


def test_nobody_reads_without_logging_in(running: Running, browser: Browser) -> None:
    context = browser.new_context(base_url=running.address)
    page = context.new_page()
    page.goto(running.paths[0])
    assert "/login" in page.url
    assert context.request.get("/api/v1/chart/").status == 401
    context.close()


def opened(page: Page, slug: str) -> tuple[Seen, dict[int, Response]]:
    """Open a dashboard down to its last chart; returns the answer of each chart by its number."""
    name, _, language = slug.rpartition("-")
    page.request.get(f"/lang/{language}", max_redirects=0)  # the session remembers it
    seen = Seen()
    seen.watch(page)
    page.goto(f"/superset/dashboard/{slug}/")
    grid = page.locator('[data-test="chart-grid-component"]')
    grid.nth(CHARTS[name] - 1).wait_for()
    grid.last.scroll_into_view_if_needed()
    until = monotonic() + CHART_SECONDS
    charts: dict[int, Response] = {}
    while monotonic() < until and (len(charts) < CHARTS[name] or page.locator(".loading").count()):
        page.wait_for_timeout(500)
        for answer in seen.answers:
            if number := re.search(r"slice_id%22%3A(\d+)", answer.url):
                charts[int(number[1])] = answer
    page.wait_for_timeout(1500)  # bars grow
    page.remove_listener("response", seen.heard)
    return seen, charts


# Before all others: a page writes down the colours of a dashboard only if nobody has opened it yet.
def test_a_reader_sees_dashboards_and_changes_nothing(
    browser: Browser, running: Running, bank: Settings, numbers: Mapping[int, Placed]
) -> None:
    password = (running.folder / "reader_password").read_text()
    before = told(running)
    context = browser.new_context(viewport={"width": 1440, "height": 1000}, base_url=running.address)
    context.set_default_timeout(1000 * CHART_SECONDS)
    reading = context.new_page()
    written: list[str] = []
    reading.on("request", lambda request: written.append(request.url) if request.method == "PUT" else None)
    sign_in(reading, "reader", password)
    for slug in ("board-en", "risk-zh"):
        seen, charts = opened(reading, slug)
        assert not seen.errors
        assert len(charts) == CHARTS[slug.partition("-")[0]]
        for number, answer in charts.items():
            (query,) = answer.json()["result"]
            assert_equal(bank, numbers[number].chart, numbers[number].keys, query["data"])
    context.close()
    assert any("/colors" in url for url in written)  # which the page does for whoever looks
    assert told(running) == before
    assert_changes_nothing(running, password)


def told(running: Running) -> dict[int, str]:
    """What Superset keeps of every dashboard beside its charts: its colours, among others."""
    with Server(running.address, running.password) as admin:
        numbers = sorted(admin.numbers("dashboard").values())
        return {number: admin.ask("GET", f"dashboard/{number}")["result"]["json_metadata"] for number in numbers}


def assert_changes_nothing(running: Running, password: str) -> None:
    with Server(running.address, running.password) as admin:
        dashboard, chart, dataset = (min(admin.numbers(kind).values()) for kind in KINDS)
        (database,) = admin.ask("GET", "database/")["result"]
        before = counts(admin)
    title, made = {"dashboard_title": "changed"}, {"slice_name": "new", "datasource_id": dataset}
    with Server(running.address, password, "reader") as reader:
        assert counts(reader) == before
        for method, path, given in (
            ("PUT", f"dashboard/{dashboard}", title),
            ("PUT", f"dashboard/{dashboard}/colors", {"label_colors": {"changed": "#000000"}}),
            ("POST", "dashboard/", title),
            ("DELETE", f"dashboard/{dashboard}", {}),
            ("PUT", f"chart/{chart}", {"slice_name": "changed"}),
            ("POST", "chart/", made | {"datasource_type": "table"}),
            ("DELETE", f"chart/{chart}", {}),
            ("PUT", f"dataset/{dataset}", {"sql": "select 1"}),
            ("DELETE", f"dataset/{dataset}", {}),
            ("POST", "sqllab/execute/", {"database_id": database["id"], "sql": "select 1", "client_id": "1"}),
            ("POST", "assets/import/", {}),
            ("GET", "database/", {}),
            ("GET", "dashboard/export/?q=!(1)", {}),
        ):
            with pytest.raises(Stop, match=r": (403|404) "):
                reader.ask(method, path, json=given)


@pytest.mark.parametrize("slug", SLUGS)
def test_a_dashboard_opens_without_an_error_and_shows_the_figures_of_the_store(
    page: Page, bank: Settings, numbers: Mapping[int, Placed], slug: str
) -> None:
    name, _, language = slug.rpartition("-")
    seen, charts = opened(page, slug)
    assert len(charts) == CHARTS[name]
    assert page.locator(f"text={SPECS[name].title.of(language)}").count() > 0
    assert not seen.errors
    empty = 0
    for number, answer in charts.items():
        assert answer.status == 200
        (query,) = answer.json()["result"]
        assert query["error"] is None
        empty += not query["rowcount"]
        assert_equal(bank, numbers[number].chart, numbers[number].keys, query["data"])
    assert page.locator('[data-test="chart-container"] .ant-empty, [data-test="chart-container"] img').count() >= empty
    for number, answer in charts.items():
        seconds = []
        for _ in range(2):
            began = monotonic()
            assert page.request.post(answer.url, data=answer.request.post_data_json).ok
            seconds.append(monotonic() - began)
        TIMES[f"{slug}: {numbers[number].title}"] = min(seconds)
    if slug in SHOWN and bank.lake.parent.name == "demo":
        page.locator('[data-test="chart-grid-component"]').first.scroll_into_view_if_needed()
        page.mouse.wheel(0, -10_000)
        page.wait_for_timeout(1000)
        page.screenshot(path=PICTURES / f"dashboard_{slug.replace('-', '_')}.png", full_page=True)


def assert_equal(bank: Settings, chart: Chart, keys: set[str], rows: list[dict[str, object]]) -> None:
    """What a chart shows is what SQL of its own says, or the command `c360 metrics query`."""
    if chart.kind == "number" and chart.metrics:
        (metric,) = chart.metrics
        ((expected,),) = asked(bank, f"select ({EXPECTED[metric]}) as figure")
        assert number_of(rows[0][metric]) == pytest.approx(number_of(expected), rel=1e-9), metric
    elif chart.metrics and not (chart.days or chart.where):
        by = [*([chart.over] if chart.over else []), *chart.by]
        figures = metrics.query_metrics(bank, chart.metrics, by)
        expected = sorted(number_of(value) for row in figures.rows for value in row[len(by) :] if value)
        assert sorted(shown_values(rows, keys)) == pytest.approx(expected, rel=1e-9), chart
    elif chart.columns or chart.counted:
        where = f"where {chart.where}" if chart.where else ""
        ((count,),) = asked(bank, f"select count(*) as figure from {chart.table} {where}")
        shown = len(rows) if chart.columns else sum(shown_values(rows, keys))
        assert shown == (min(count, chart.limit) if chart.columns else count), chart.title
    elif chart.latest:
        ((last,),) = asked(bank, f"select max({chart.latest}) as figure from {chart.table}")
        assert datetime.fromtimestamp(next(iter(rows[0].values())) / 1000, UTC).date() == last
    for column in chart.sums:
        ((total,),) = asked(bank, f"select sum({column}) as figure from {chart.table} where {chart.where or 'true'}")
        title = words("columns")[column]
        shown = [row.get(title["en"], row.get(title["zh"])) for row in rows]
        assert sum(number_of(one) for one in shown if one) == pytest.approx(number_of(total), rel=1e-9)


def shown_values(rows: list[dict[str, object]], keys: set[str]) -> list[float]:
    """The figures of an answer, whether a series has a column of its own or not; nothing stands for nothing."""
    return [number_of(value) for row in rows for name, value in row.items() if name not in keys and value]


def asked(bank: Settings, statement: str) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in warehouse.query_serving(bank, statement).to_pylist()]


def number_of(value: object) -> float:
    return 0.0 if value is None else float(value)


def test_times_of_charts() -> None:
    """Printed, for the docs: each chart alone, the better of two; the goal is a second on the largest bank."""
    slowest = sorted(TIMES.items(), key=lambda one: -one[1])
    if not TIMES:
        pytest.skip("no dashboard was opened")
    print(f"\n{len(TIMES)} charts, median {sorted(TIMES.values())[len(TIMES) // 2]:.2f} s; the slowest:")
    for title, seconds in slowest[:12]:
        print(f"  {seconds:.2f} s  {title}")
    assert slowest[0][1] < HANGS


def counts(server: Server) -> dict[str, int]:
    return {kind: len(server.numbers(kind)) for kind in KINDS}


def titles(server: Server) -> set[str]:
    return {
        row["dashboard_title"] for row in server.ask("GET", "dashboard/", params={"q": "(page_size:100)"})["result"]
    }


def asked_in_sql_lab(server: Server, statement: str) -> int:
    """The figure that an analyst's question gives; raises `Stop` if it is refused."""
    (database,) = server.ask("GET", "database/")["result"]
    question = {"database_id": database["id"], "sql": statement, "runAsync": False, "client_id": uuid4().hex[:10]}
    return next(iter(server.ask("POST", "sqllab/execute/", json=question)["data"][0].values()))


def test_a_second_import_replaces_all_and_an_edit_comes_through(running: Running, bank: Settings) -> None:
    changed = read_dashboards()
    board = changed["board"]
    title = Words(en="Board, edited", zh="董事会（改）")
    changed["board"] = board.model_copy(update={"title": title, "rows": board.rows[:-1]})
    del changed["quality"]
    with Server(running.address, running.password) as server:
        before = counts(server)
        again = server.put(make_assets(bank))
        assert counts(server) == before
        assert (again.replaced, again.removed) == (sum(before.values()), 0)
        fewer = server.put(make_assets(bank, changed))
        after = counts(server)
        assert fewer.removed == sum(before.values()) - sum(after.values()) > 0
        assert after["dashboard"] == before["dashboard"] - 2
        assert {title.en, title.zh} <= titles(server)
        server.put(make_assets(bank))
        assert counts(server) == before
        assert not {title.en, title.zh} & titles(server)


def test_a_question_can_read_nothing_but_the_store(running: Running, tmp_path: Path) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_text("a\n1\n")
    with Server(running.address, running.password) as server:
        assert asked_in_sql_lab(server, "select count(*) as n from marts.customer_360") > 0
        for forbidden in (
            f"select count(*) as n from read_csv('{outside}')",
            f"copy (select 1) to '{tmp_path / 'out.csv'}'",
            f"attach '{tmp_path / 'other.duckdb'}' as other",
            "delete from store.ops.publications",
            "set enable_external_access = true",
        ):
            with pytest.raises(Stop):
                asked_in_sql_lab(server, forbidden)
    assert list(tmp_path.iterdir()) == [outside]


def test_the_next_publish_is_seen_by_the_next_question(running: Running, bank: Settings) -> None:
    """The file is replaced, as a publish does it, while the server goes on."""
    question = "select count(*) as n from ops.publications"
    following = bank.warehouse.with_suffix(".next")
    with Server(running.address, running.password) as server:
        before = asked_in_sql_lab(server, question)
        shutil.copyfile(bank.warehouse, following)
        with duckdb.connect(str(following)) as connection:
            connection.execute("insert into ops.publications select * from ops.publications limit 1")
        following.replace(bank.warehouse)
        assert asked_in_sql_lab(server, question) == before + 1
