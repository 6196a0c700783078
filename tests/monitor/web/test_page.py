"""
The page in a real browser, before a real ``twistd``: one of each for all tests of this file.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import txremote.blocking
from tests.monitor.web.made_up import HOSTILE
from tests.processes import PATIENCE, Program, script

webdriver = pytest.importorskip("selenium.webdriver", reason="no selenium: pip install selenium")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no browser: apt-get install chromium chromium-driver"
)

PLAN = """\
pool = "threads:2"
admin = "tcp:0:interface=127.0.0.1"
admin-token = "TOKEN"
admin-write = WRITE
slow = 0.05
WORKERS

[[server]]
service = "tests.monitor.web.busy.Shop"
listen = "tcp:0:interface=127.0.0.1"
auth = ["memory:USER:secret", "memory:bob:secret", "memory:carol:secret"]

[[console]]
name = "night shift"
container = "tests.monitor.web.busy.Stock"
listen = "unix:FOLDER/console.sock"

[[server]]
tasks = "night shift"
listen = "unix:FOLDER/tasks.sock"
"""

VIEWS = {
    "overview": "Servers",
    "connections": "Connections",
    "calls": "Under way",
    "objects": "Exported objects",
    "pools": "Pools",
    "tasks": "Tasks",
    "log": "Warnings and errors",
    "certificates": "Certificates",
    "topics": "Topics",
}


class Server:
    """A ``twistd txremote`` with an admin site, and clients of it."""

    def __init__(self, folder: Path, write: bool, workers: int = 0) -> None:
        self.token_file = folder / "token"
        plan = PLAN.replace("TOKEN", str(self.token_file)).replace("WRITE", str(write).lower())
        plan = plan.replace("WORKERS", f"workers = {workers}" if workers else "")
        plan = plan.replace("USER", HOSTILE).replace("FOLDER", str(folder))
        (folder / "site.toml").write_text(plan)
        words = "--pidfile=", "-n", "txremote", "--config", folder / "site.toml"
        self.program = Program(script("twistd"), *words)
        try:
            self.url = self.program.wait_for(r"admin site is on (http://\S+), its token in")[1]
            port = self.program.wait_for(r"serves on 127\.0\.0\.1:(\d+) ")[1]
        except BaseException:
            self.program.kill()
            raise
        self.clients: list[Any] = []
        self.held: list[Any] = []
        self._thread = ThreadPoolExecutor(1)  # this one is the reactor's, where nothing may block
        self.port, self.tasks = int(port), str(folder / "tasks.sock")

    @property
    def token(self) -> str:
        """The token in the file that the log names."""
        return self.token_file.read_text().strip()

    def do(self, function: Callable[..., Any], *arguments: object) -> Any:
        """Call something that blocks."""
        return self._thread.submit(function, *arguments).result(PATIENCE)

    def login(self, user: str) -> Any:
        """Return the shop as a user has it, on a connection of its own."""
        conn = self.do(txremote.blocking.connect, "127.0.0.1", self.port)
        self.clients.append(conn)
        return self.do(lambda: conn.root.login(user, "secret"))

    def fill(self, what: str) -> Any:
        """Start a task."""
        conn = self.do(txremote.blocking.unix_connect, self.tasks)
        self.clients.append(conn)
        return self.do(lambda: conn.root.submit(f"fill {what}"))

    def be_busy(self) -> None:
        """Have two clients, whose users are hostile and bob, a call that waits, and a task."""
        hostile, bob = self.login(HOSTILE), self.login("bob")
        self.fill("tea")

        def call() -> None:
            self.held = [hostile.basket() for _ in range(3)]
            for _ in range(5):
                bob.price("tea")
            bob.stock(0.1)
            with pytest.raises(ValueError, match="broken"):
                hostile.break_something()
            txremote.blocking.async_(bob.wait)()
            self.held += [iter(bob.ticks()), bob.news.subscribe()]
            assert next(self.held[-2]) == 1
            bob.tell(3)

        self.do(call)

    def stop(self) -> None:
        """End it, and its clients."""
        for conn in self.clients:
            self.do(conn.close)
        self._thread.shutdown()
        self.program.kill()


class Page:
    """The browser's window, with the page in it."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def until(self, check: Callable[[], Any]) -> Any:
        """Wait until a function gives something true, and return that."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                found = check()
            except Exception as problem:  # it was drawn anew meanwhile
                found, last = None, problem
            else:
                last = None
            if found:
                return found
            assert time.monotonic() < deadline, last or self.text
            time.sleep(0.02)

    @property
    def text(self) -> str:
        """All that can be read."""
        return str(self.driver.execute_script("return document.body.innerText"))

    def all(self, selector: str) -> list[Any]:
        """Return elements by a CSS selector."""
        return list(self.driver.find_elements("css selector", selector))

    def one(self, selector: str) -> Any:
        """Return an element, as soon as there is one."""
        return self.until(lambda: self.all(selector))[0]

    def keys(self, *keys: str) -> None:
        """Type something where the focus is."""
        self.driver.switch_to.active_element.send_keys(*keys)

    def rows(self, table: str) -> list[str]:
        """Return the rows of a table, as they can be read."""
        line = "return [...document.querySelectorAll(arguments[0])].map((row) => row.innerText)"
        selector = f"[data-table={table}] tbody tr"
        return [" ".join(each.split()) for each in self.driver.execute_script(line, selector)]

    def open(self, server: Server, view: str = "overview") -> None:
        """Open a view of a server's page, logged in."""
        self.driver.get(f"{server.url}#/{view}")
        if self.until(lambda: self.all("#token, main table, main figure"))[0].tag_name == "input":
            self.one("#token").send_keys(server.token + "\n")
        self.show(view)

    def show(self, view: str) -> None:
        """Show a view."""
        self.driver.execute_script("location.hash = arguments[0]", f"#/{view}")
        self.until(lambda: self.all(f".{view}") and not self.all("main[aria-busy]"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that has something to show."""
    server = Server(tmp_path_factory.mktemp("busy"), write=True)
    try:
        server.be_busy()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    # --no-sandbox: Chromium's own does not start for root, nor in containers
    for word in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage"):
        options.add_argument(f"--{word}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.chrome.service.Service(DRIVER)
    driver = webdriver.Chrome(options=options, service=service)
    driver.set_window_size(1400, 1000)
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture
def page(browser: Any) -> Iterator[Page]:
    """The page; nothing that it does may be a mistake in its own words."""
    browser.get_log("browser")
    yield Page(browser)
    mistakes = [each["message"] for each in browser.get_log("browser")]
    # a refused request and a lost connection are told by the browser itself
    assert not [each for each in mistakes if not re.search(r"Failed to load|net::ERR", each)]


def test_a_wrong_token_and_the_right_one(server: Server, page: Page) -> None:
    """The page asks once; the cookie holds from then on, and scripts cannot read it."""
    page.driver.get(server.url)
    page.one("#token").send_keys("0123456789abcdef\n")
    page.until(lambda: "This is not the token." in page.text)
    page.keys(server.token + "\n")
    page.until(lambda: "serving, up" in page.text)
    page.driver.get(server.url)
    page.until(lambda: "serving, up" in page.text)
    assert page.driver.execute_script("return document.cookie") == ""
    assert not page.all("#token")


def test_each_view_shows_what_the_server_has(server: Server, page: Page) -> None:
    """A key shows each; numbers, names, rows and plots are those of a real server."""
    page.open(server)
    for number, (view, title) in enumerate(VIEWS.items(), 1):
        page.keys(str(number))
        page.until(lambda view=view, title=title: title in page.one(f".{view}").text)
    page.show("overview")
    page.until(lambda: page.all(".plot path.line[d^=M]"))
    page.until(lambda: any("busy.Shop" in row and "2 0" in row for row in page.rows("listeners")))
    page.show("connections")
    page.until(lambda: any("bob 127.0.0.1:" in row for row in page.rows("connections")))
    page.show("calls")
    page.until(lambda: any("wait" in row and "bob" in row for row in page.rows("calls")))
    ticks = r"stream of Shop\.ticks bob \d+ \d+ s deferred 2 \d+ B runs"
    page.until(lambda: any(re.fullmatch(ticks, row) for row in page.rows("calls")))
    page.until(lambda: any("busy.py" in row for row in page.rows("slowest")))
    page.until(lambda: any("price" in row for row in page.rows("methods")))
    page.show("objects")
    page.until(lambda: any("Basket 3" in row for row in page.rows("objects")))
    page.show("pools")
    page.until(lambda: any("threads" in row and "0 of 2" in row for row in page.rows("pools")))
    page.show("tasks")
    page.until(lambda: any("fill tea RUNNING" in row for row in page.rows("tasks")))
    page.until(lambda: page.one("[data-table=tasks] [role=progressbar]"))
    page.show("log")
    page.until(lambda: any("broken" in row for row in page.rows("log")))
    page.until(lambda: any("busy.py" in row for row in page.rows("log")))
    page.show("topics")
    page.until(lambda: any(re.match(r"news 1 3 0 ", row) for row in page.rows("topics")))
    assert "Worker" not in page.one("[data-table=topics]").text


def test_a_hostile_name_is_text(server: Server, page: Page) -> None:
    """Wherever it is shown; no element comes of it, and no script runs."""
    page.open(server, "connections")
    page.until(lambda: any(HOSTILE in row for row in page.rows("connections")))
    assert not page.all("main img")
    assert page.driver.title == "Connections · txremote"
    inline = "const s = document.createElement('script'); s.text = 'window.ran = 1';"
    page.driver.execute_script(f"{inline} document.head.append(s)")
    assert page.driver.execute_script("return window.ran") is None
    page.driver.get_log("browser")  # the policy says that it has refused the script


def test_rows_are_filtered_and_sorted_by_the_keyboard(server: Server, page: Page) -> None:
    """The slash goes to the filter, Enter to the rows, Enter again to the details."""
    page.open(server, "connections")
    page.until(lambda: len(page.rows("connections")) >= 2)
    page.keys("/")
    page.keys("BOB")
    page.until(lambda: len(page.rows("connections")) == 1)
    page.keys("\n")
    page.keys("\n")
    page.until(lambda: page.all("dialog.details[open]"))
    assert "bob" in page.one("dialog.details").text
    page.keys("\ue00c")  # Escape
    page.until(lambda: not page.all("dialog[open]"))
    page.keys("/")
    page.keys("\ue00c")
    page.until(lambda: len(page.rows("connections")) >= 2)
    header = page.one("[data-table=connections] th:nth-child(2)")
    header.find_element("css selector", "button").click()
    page.until(lambda: header.get_attribute("aria-sort") == "ascending")
    users = [row.split(" ", 1)[1] for row in page.rows("connections")]
    assert users.index(next(each for each in users if each.startswith("<img"))) < users.index(
        next(each for each in users if each.startswith("bob"))
    )
    page.driver.execute_script("document.activeElement.blur()")
    page.keys("?")
    page.until(lambda: "next and previous row" in page.text)
    page.keys("\ue00c")


def test_a_task_is_followed_and_killed(server: Server, page: Page) -> None:
    """Its output grows while one looks; the button asks once more."""
    task = server.fill("coffee")
    page.open(server, "tasks")
    page.until(lambda: any("fill coffee" in row for row in page.rows("tasks")))
    page.keys("j", "\n")
    page.until(lambda: "coffee: box 2" in page.one(".output").text)
    before = len(page.one(".output").text)
    page.until(lambda: len(page.one(".output").text) > before)
    button = page.one("dialog.details .danger")
    button.click()
    assert button.text == "Kill the task: really?"
    button.click()
    assert server.do(task.wait, PATIENCE) == "KILLED"
    page.until(lambda: any("fill coffee KILLED" in row for row in page.rows("tasks")))
    server.program.wait_for(r"the admin page, from 127\.0\.0\.1:\d+")


def test_a_connection_is_closed(server: Server, page: Page) -> None:
    """Its client hears of it at once."""
    server.login("carol")
    victim = server.clients[-1]
    page.open(server, "connections")
    page.keys("/")
    page.keys("carol")
    page.until(lambda: len(page.rows("connections")) == 1)
    page.one("[data-table=connections] tbody tr").click()
    button = page.until(lambda: page.all("dialog.details[open] .danger"))[0]
    button.click()
    button.click()
    server.do(victim.serve_all)  # until its end
    assert victim.closed
    page.until(lambda: "closed." in page.one(".toasts").text)


def test_a_page_of_workers_that_may_only_look(
    server: Server, page: Page, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """
    Tables say which worker has a row; without --admin-write the button is off, and the server
    refuses the request too.
    """
    looking = Server(tmp_path_factory.mktemp("looking"), write=False, workers=2)
    try:
        looking.login("bob")
        page.open(looking, "connections")
        page.until(lambda: "2 workers" in page.text)
        worked = r"\d+ bob 127\S+ tests\S+ [12] "
        page.until(lambda: any(re.match(worked, row) for row in page.rows("connections")))
        page.show("topics")
        page.until(lambda: [row[:7] for row in page.rows("topics")] == ["news 1 ", "news 2 "])
        looking.fill("tea")
        page.open(looking, "tasks")
        page.until(lambda: page.rows("tasks"))
        page.keys("j", "\n")
        button = page.until(lambda: page.all("dialog.details[open] .danger"))[0]
        assert not button.is_enabled()
        assert "--admin-write" in page.one("dialog.details").text
        page.keys("\ue00c")
        ask = """
        const done = arguments[0];
        fetch("/api/session.json").then((r) => r.json()).then((session) => fetch(
          "/api/tasks/night%20shift/1/kill",
          {method: "POST", headers: {"X-CSRF-Token": session.csrf}},
        )).then(async (r) => done([r.status, await r.text()]));
        """
        code, said = page.driver.execute_async_script(ask)
        assert (code, "--admin-write" in said) == (403, True)
        # and a page says so when its server is gone
        looking.program.kill()
        page.until(lambda: "cannot be reached" in page.one("[role=alert]").text)
        assert "disconnected" in page.text
    finally:
        looking.stop()


def test_dark_and_narrow(server: Server, page: Page) -> None:
    """By what the system prefers; on a telephone nothing is wider than the screen."""
    page.open(server)
    background = "return getComputedStyle(document.body).backgroundColor"
    colors = []
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        colors.append(page.driver.execute_script(background))
    assert colors == ["rgb(245, 246, 249)", "rgb(14, 18, 24)"]
    size = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        for view in VIEWS:
            page.show(view)
            assert page.driver.execute_script("return document.documentElement.scrollWidth") <= 390
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
