"""
Makes the README's pictures: the live page and ``txremote top``, of a game server with players.

    python docs/pictures.py

It needs Chromium with its driver, and the extra ``test``. The pictures go to ``docs/_static``.
"""

from __future__ import annotations

import asyncio
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import txremote.blocking
from txremote import Progress, Service, Topic, exposed
from txremote.monitor.address import AdminAddress
from txremote.monitor.top.app import Top
from txremote.monitor.top.http import HttpSource

STATIC = Path(__file__).parent / "_static"
SECONDS = 40  # until the plots show something
PLAN = """\
pool = "processes:2"
admin = "tcp:0:interface=127.0.0.1"
admin-token = "{folder}/token"

[[server]]
service = "pictures.Game"
listen = "tcp:0:interface=127.0.0.1"
auth = ["memory:ann:x", "memory:bob:x", "memory:cy:x", "memory:dee:x"]

[[console]]
name = "night shift"
container = "pictures.Work"
listen = "unix:{folder}/console.sock"

[[server]]
tasks = "night shift"
listen = "unix:{folder}/tasks.sock"
"""


class Room:
    """Something that a player holds."""


class Game(Service):
    """The service that the players call."""

    exposed_news = Topic("news")
    exposed_prices = Topic("prices", slow="latest")

    @exposed
    def look(self) -> Room:
        """Give the room."""
        return Room()

    @exposed
    def say(self, text: str) -> None:
        """Tell all."""
        self.exposed_news.publish(text)
        self.exposed_prices.publish(len(text))

    @exposed
    def map(self, steps: int) -> Iterator[int]:
        """Push steps."""
        return iter(range(steps))

    @exposed
    def think(self, seconds: float) -> None:
        """Hold the reactor."""
        time.sleep(seconds)


class Work:
    """The commands of the night shift."""

    commands = ("bake",)
    thcommands = ("bake",)

    def bake(self, loaves: int = 100) -> Iterator[object]:
        """Bake."""
        for done in range(int(loaves)):
            time.sleep(0.3)
            yield Progress(done + 1, int(loaves), "loaves")
            yield f"loaf {done + 1} is done"


def play(name: str, port: int, over: threading.Event) -> None:
    """Be a player, who now and then does something."""
    conn = txremote.blocking.connect("127.0.0.1", port)
    game = conn.root.login(name, "x")
    held = [game.news.subscribe(lambda _text: None), game.prices.subscribe(lambda _price: None)]
    while not over.is_set():
        held.append(game.look())
        game.say(f"{name} was here")
        sum(game.map(100))
        if random.random() < 0.05:
            game.think(0.06)
        time.sleep(random.uniform(0.005, 0.05))
    conn.close()


def picture_of_page(url: str, token: str) -> None:
    """Have a browser show the page."""
    from selenium import webdriver
    from selenium.webdriver.common.by import By

    options = webdriver.ChromeOptions()
    for each in ("--headless=new", "--no-sandbox", "--window-size=1180,900"):
        options.add_argument(each)
    options.binary_location = shutil.which("chromium") or ""
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    with webdriver.Chrome(options=options, service=service) as driver:
        driver.get(url)
        driver.find_element(By.CSS_SELECTOR, "input").send_keys(token, "\n")
        time.sleep(5)
        driver.save_screenshot(str(STATIC / "page.png"))


async def picture_of_top(port: int, token: str) -> None:
    """Have the screen drawn, without a terminal."""
    address = AdminAddress(host="127.0.0.1", port=port)
    top = Top(HttpSource("http://127.0.0.1:9180", address, token, timeout=10))
    async with top.run_test(size=(110, 16)) as pilot:
        await asyncio.sleep(4)
        await pilot.pause()
        top.save_screenshot(str(STATIC / "top.svg"))


def main() -> None:
    """Start all, wait, and draw."""
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder) / "plan.toml"
        plan.write_text(PLAN.format(folder=folder))
        twistd = "import sys; sys.argv[0] = 'twistd'; from twisted.scripts.twistd import run; run()"
        words = ["-n", "--pidfile=", "txremote", "--config", str(plan)]
        server = subprocess.Popen(
            [sys.executable, "-c", twistd, *words],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parent,
        )
        over, players = threading.Event(), []
        try:
            text, url = "", None
            while url is None:
                text += server.stdout.readline()
                url = re.search(r"admin site is on (http://\S+:(\d+)/)", text)
            port = int(re.search(r"serves on 127\.0\.0\.1:(\d+) ", text)[1])
            token = (Path(folder) / "token").read_text().strip()
            for name in ("ann", "bob", "cy", "dee"):
                players.append(threading.Thread(target=play, args=(name, port, over)))
                players[-1].start()
            work = txremote.blocking.unix_connect(f"{folder}/tasks.sock")
            work.root.submit("bake 200")
            time.sleep(SECONDS)
            picture_of_page(url[1], token)
            asyncio.run(picture_of_top(int(url[2]), token))
        finally:
            over.set()
            for player in players:
                player.join()
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
