"""The served page: what it hands out and what it keeps, and how a real browser shows it."""

import http.client
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from report_fake import fake_entry
from tiny import command, environment, interruptible, write_config

from testbed.report import Entry, write_report
from testbed.report.serve import ReportServer

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)


@pytest.fixture(scope="module")
def served(entry: Entry, results: Path) -> Iterator[ReportServer]:
    write_report([entry, fake_entry(None, scale="gpu")], results / "shown.html")
    (results / "records.sqlite").write_bytes(b"records")
    with ReportServer(results, "shown.html") as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def get(server: ReportServer, path: str, host: str | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request("GET", path, headers={} if host is None else {"Host": host})
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_the_page_and_its_figures_are_handed_out(served: ReportServer, results: Path) -> None:
    page = (results / "shown.html").read_bytes()
    assert get(served, "/") == get(served, "/shown.html") == (200, page)
    csv = results / "figures" / "fake" / "loss_split.csv"
    assert get(served, "/figures/fake/loss_split.csv") == (200, csv.read_bytes())
    assert get(served, "/", f"localhost:{served.server_port}")[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/records.sqlite",
        "/figures/../records.sqlite",
        "/figures/%2e%2e/records.sqlite",
        "/figures/%2e%2e/%2e%2e/secret.json",
        "/figures//etc/x.json",
        "/figures/",
        "/figures/fake/",
        "/figures/.hidden.csv",
        "//etc/passwd",
        "/report.html",
    ],
)
def test_nothing_else_is(served: ReportServer, results: Path, path: str) -> None:
    (results.parent / "secret.json").write_text("{}")
    (results / "figures" / ".hidden.csv").write_text("")
    assert get(served, path)[0] == 404


@pytest.mark.parametrize("host", ["example.org", "127.0.0.1:1", ""])
def test_a_page_under_another_name_is_refused(served: ReportServer, host: str) -> None:
    assert get(served, "/", host)[0] == 404


@pytest.mark.slow
def test_the_command_serves_until_ctrl_c(tmp_path: Path) -> None:
    write_config(tmp_path)
    hidden = {name: value for name, value in environment().items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    done = subprocess.run(command("run", "tiny.toml"), cwd=tmp_path, env=hidden, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    given = command("report", "--serve")
    process = subprocess.Popen(
        given,
        cwd=tmp_path,
        env=hidden,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=interruptible,
    )
    assert process.stdout is not None
    line = next(line for line in process.stdout if line.startswith("serving"))
    port = int(line.split("127.0.0.1:")[1].split("/")[0])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/")
    assert b"<title>" in connection.getresponse().read()
    taken = subprocess.run(
        command("report", "--serve", "--port", port), cwd=tmp_path, env=hidden, capture_output=True, text=True
    )
    assert taken.returncode == 2
    assert f"--port: given {port}, which cannot be listened at" in taken.stderr
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert (process.returncode, said) == (0, "")


# ---- in a browser ----


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
    if CHROMIUM is None:
        pytest.skip("needs an installed Chromium or Chrome")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


class Visit:
    """The page as a browser shows it, with what it said and fetched meanwhile."""

    def __init__(self, browser: Any, address: str, width: int = 1200) -> None:
        self.tab = browser.new_page(viewport={"width": width, "height": 900})
        self.said: list[str] = []
        self.fetched: list[str] = []
        self.tab.on("console", lambda message: self.said.append(message.text))
        self.tab.on("pageerror", lambda error: self.said.append(str(error)))
        self.tab.on("request", lambda request: self.fetched.append(request.url))
        self.tab.goto(address)

    def count(self, selector: str) -> int:
        """How many elements are seen."""
        return sum(one.is_visible() for one in self.tab.query_selector_all(selector))


@pytest.fixture(params=["served", "file", "narrow"])
def visit(request: pytest.FixtureRequest, browser: Any, served: ReportServer, results: Path) -> Iterator[Visit]:
    address = (results / "shown.html").resolve().as_uri() if request.param == "file" else served.url
    one = Visit(browser, address, width=380 if request.param == "narrow" else 1200)
    yield one
    assert one.said == []
    assert [url for url in one.fetched if not url.startswith("data:")] == [address]
    one.tab.close()


def test_every_figure_is_seen(visit: Visit) -> None:
    images = visit.tab.query_selector_all("figure img")
    assert len(images) == 3
    for image in images:
        assert image.is_visible()
        assert image.evaluate("one => one.complete && one.naturalWidth > 100 && one.naturalHeight > 100")
        box = image.bounding_box()
        assert min(box["width"], box["height"]) > 100
    wide = visit.tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0  # what is wider than the page scrolls within it


@pytest.mark.slow
@pytest.mark.parametrize("name", ["paper", "verdict", "scale"])
def test_every_filter_leaves_what_it_names(visit: Visit, name: str) -> None:
    rows, articles = "table.summary tbody tr", "article.claim"
    everything = visit.count(rows), visit.count(articles)
    assert everything == (12, 12)
    select = visit.tab.query_selector(f"select[data-filter={name}]")
    options = [one.get_attribute("value") or one.inner_text() for one in select.query_selector_all("option")][1:]
    assert len(options) >= 2
    left = 0
    for option in options:
        select.select_option(option)
        matching = visit.tab.query_selector_all(f'tbody tr[data-{name}="{option}"]')
        assert visit.count(rows) == visit.count(articles) == len(matching) > 0
        assert all(one.is_visible() for one in matching)
        assert visit.tab.inner_text("#shown") == f"{len(matching)} shown"
        left += len(matching)
    assert left == 12  # every claim has one value
    select.select_option("")
    assert (visit.count(rows), visit.count(articles)) == everything


@pytest.mark.slow
def test_filters_meet(visit: Visit) -> None:
    visit.tab.select_option("select[data-filter=scale]", "gpu")
    assert visit.count("section.study") == 1
    visit.tab.select_option("select[data-filter=paper]", "Poe 2024, ICML")
    assert visit.count("article.claim") == 2
    visit.tab.select_option("select[data-filter=verdict]", "fails")
    seen = visit.count("article.claim")
    assert seen == visit.count("table.summary tbody tr") < 2


@pytest.mark.slow
def test_links_lead_somewhere(visit: Visit) -> None:
    for link in visit.tab.query_selector_all('a[href^="#"]'):
        assert visit.tab.query_selector(f'[id="{link.get_attribute("href")[1:]}"]') is not None
