"""Callbacks with a display of their own."""

import asyncio
from datetime import datetime

import pytest

from txremote.notebook.displays import EventTable, LiveDisplay, ProgressBar

NAN, INFINITE = float("nan"), float("inf")


class Screen:
    """Stands for IPython's ``display``: keeps what is shown."""

    def __init__(self):
        self.shown = []

    def show(self, bundle):
        self.shown.append(bundle)
        return self.shown.append


def test_a_flood_of_changes_is_drawn_a_few_times():
    """Once for all changes until the next is due, and the last state is shown."""

    async def flood():
        loop = asyncio.get_running_loop()
        screen, due = Screen(), []
        later = loop.call_later
        loop.call_later = lambda *args, **kwargs: due.append(args) or later(*args, **kwargs)
        count = 0
        live = LiveDisplay(lambda: {"text/plain": str(count)}, screen.show)
        for count in range(1000):  # noqa: B007
            live.changed()
            await asyncio.sleep(0)
        assert [each["text/plain"] for each in screen.shown] == ["0"]
        assert len(due) == 1
        live.finish()
        assert screen.shown[-1] == {"text/plain": "999"}
        live.changed()
        await asyncio.sleep(0)
        assert len(due) == 2
        live.finish()

    asyncio.run(flood())


def test_a_change_of_another_thread_is_drawn_in_the_loop_s():
    """And one after the loop has ended is not drawn."""
    screen = Screen()

    async def change():
        live = LiveDisplay(lambda: {"text/plain": ""}, screen.show)
        drawn = asyncio.Event()
        finish = live.finish
        live.finish = lambda: (finish(), drawn.set())
        await asyncio.to_thread(live.changed)
        await drawn.wait()
        return live

    live = asyncio.run(change())
    assert len(screen.shown) == 2
    live.changed()


@pytest.mark.parametrize(
    ("figures", "part", "words"),
    [
        ((1, 4), ' value="0.2500"', "title 1/4"),
        ((2.5, None, "half"), "", "title 2.5 half"),
        ((9, 4), ' value="1.0000"', "title 9/4"),
        ((-1, 4), ' value="0.0000"', "title -1/4"),
        ((1, 0), "", "title 1/0"),
        ((1, -3), "", "title 1/-3"),
    ],
)
def test_a_bar_shows_figures_as_they_are_told(figures, part, words):
    """The part is between nothing and all; without a total there is none."""
    bar = ProgressBar("title")
    bar.set(*figures)
    drawn = bar.draw()
    assert drawn["text/plain"] == words
    assert f'<progress max="1"{part}></progress>' in drawn["text/html"]


@pytest.mark.parametrize(
    "figures", [("1",), (None,), (NAN,), (1, INFINITE), (True,), ([],), (1, "x")]
)
def test_what_is_no_figure_is_refused(figures):
    """The peer has the error, and the bar stays as it is."""
    bar = ProgressBar()
    with pytest.raises(TypeError, match="finite numbers"):
        bar.set(*figures)
    assert (bar.done, bar.total) == (0.0, None)


def test_in_a_terminal_news_are_printed(capsys):
    """There nothing can be redrawn."""
    ProgressBar("title")(1, 2, "\x1b[2J")
    events = EventTable("told", most=2, now=lambda: datetime(2030, 1, 2, 3, 4, 5))
    for event in ("<one>", 2, {"three": 3}):
        events(event)
    assert capsys.readouterr().out.splitlines() == [
        "title 1/2 \\x1b[2J",
        "told: <one>",
        "told: 2",
        "told: {'three': 3}",
    ]
    drawn = events.draw()
    assert drawn["text/plain"] == "told: 3\n03:04:05 {'three': 3}\n03:04:05 2"
    assert (events.count, [what for _when, what in events.events]) == (3, [(2,), ({"three": 3},)])


def test_a_bar_is_a_callback_of_a_call(kernel):
    """It is redrawn while the cell waits; a wrong figure is the server's error."""
    code = "from txremote.notebook import ProgressBar\nawait conn.root.report(ProgressBar('work'))"
    cell = kernel.run(code)
    assert not cell.error, cell.traceback
    bar, answer = cell.results
    assert bar["text/plain"] == "work 0"
    assert "progress is told by finite numbers" in answer["text/plain"]
    kernel.wait_until(lambda: "3/4" in kernel.shown()["text/plain"])
    html = kernel.shown()["text/html"]
    assert '<progress max="1" value="0.7500">' in html
    assert "&lt;script&gt;" in html
    assert "$\\href" not in html


def test_events_are_shown_while_no_cell_runs(kernel, other):
    """Where the table was made, newest first; many are drawn as few."""
    kernel.run("from txremote.notebook import EventTable\nevents = EventTable('heard')")
    kernel.run("await conn.root.subscribe(events)")
    for number in range(30):
        other.publish(f"<event {number}>")
    kernel.wait_until(lambda: kernel.shown()["text/plain"].startswith("heard: 30"))
    html = kernel.shown()["text/html"]
    assert html.index("&lt;event 29&gt;") < html.index("&lt;event 28&gt;")
    assert "&lt;event 9&gt;" not in html
    assert kernel.run("events.events[-1][1]").plain == "('<event 29>',)"
