"""
The news of a task, as a client hears them.
"""

import pytest
from twisted.internet.defer import Deferred

from tests.console.test_task_service import Linked, News, Other
from txremote.console.task_news import PATIENCE


@pytest.fixture
def linked():
    """A client and a server."""
    return Linked()


def heard_slowly(linked):
    """
    Begin a task, and hear of it by a callback that answers late. Return what was heard, the
    callback's Deferreds, and the task at the server.
    """
    answers = []
    heard = News()

    def on_news(*news):
        heard(*news)
        answers.append(Deferred())
        return answers[-1]

    task = linked.get(linked.root.submit("gate"))
    linked.get(task.subscribe(on_news))
    linked.turn()
    return heard, answers, linked.manager.find(1)


class TestSubscription:
    def test_hears_all_from_the_beginning_to_the_end(self, linked):
        """
        Nothing is lost between submitting and subscribing; the last message has the
        status it ended with.
        """
        task = linked.get(linked.root.submit("load 3"))
        news = News()
        linked.get(task.subscribe(news))
        linked.turn(50)
        assert news.lines == ["line 1", "line 2", "line 3"]
        assert [status for _l, status, _p in news].count("FINISHED") == 1
        assert news[-1][1:] == ("FINISHED", (3, 3, "loading"))

    def test_hears_what_comes(self, linked):
        """As it comes, from any line on, by number of the task too."""
        linked.get(linked.root.submit("gate"))
        news, late = News(), News()
        linked.get(linked.root.subscribe(news, 1))
        linked.get(linked.root.subscribe(late, -1, 1))
        linked.turn()
        assert news == [(("before",), "RUNNING", None)]
        assert late == [((), "RUNNING", None)]
        Other.gates[-1].callback(None)
        linked.turn()
        assert news.lines == ["before", "after"]
        assert late.lines == ["after"]

    def test_cancel(self, linked):
        """Ends it, and leaves nothing behind."""
        task = linked.get(linked.root.submit("gate"))
        news = News()
        subscription = linked.get(task.subscribe(news))
        linked.turn()
        linked.get(subscription.cancel())
        Other.gates[-1].callback(None)
        linked.turn()
        assert news.lines == ["before"]
        assert not any(linked.service._subscriptions.values())

    def test_a_slow_one_gets_it_in_pieces(self):
        """
        While it does not answer nothing is sent; then all that has come meanwhile, and
        how much of it is lost.
        """
        linked = Linked(max_lines=10)
        heard, answers, server = heard_slowly(linked)
        server._put_out([f"line {n}" for n in range(100)])
        linked.turn()
        assert len(heard) == 1
        answers[0].callback(None)
        linked.turn()
        assert len(heard) == 2
        assert heard[1][0] == ("... 90 lines were dropped", *(f"line {n}" for n in range(90, 100)))
        server.kill()

    def test_much_output_is_sent_in_several_messages(self, linked):
        """The status it ended with comes with the last of them."""
        task = linked.get(linked.root.submit("load 1500"))
        while not linked.manager.find(1).done:
            linked.turn()
        news = News()
        linked.get(task.subscribe(news))
        linked.turn()
        assert [len(lines) for lines, _s, _p in news] == [1000, 500]
        assert [status for _l, status, _p in news] == ["RUNNING", "FINISHED"]

    def test_a_killed_task_with_much_output_runs_no_more(self, linked):
        """It was told that the task is to be killed, and is not told that it runs again."""
        heard, answers, server = heard_slowly(linked)
        server._move("TOBEKILLED")
        answers[-1].callback(None)
        linked.turn()
        server._put_out([str(n) for n in range(1500)])
        Other.gates[-1].callback(None)
        linked.turn(5)
        assert server.status == "KILLED"
        while answers and not answers[-1].called:
            answers[-1].callback(None)
            linked.turn()
        told = [status for _lines, status, _progress in heard]
        assert told == ["RUNNING", "TOBEKILLED", "TOBEKILLED", "KILLED"]

    def test_one_that_fails_is_dropped(self, linked):
        """The task notices nothing."""
        calls = []

        def fail(*news):
            calls.append(news)
            raise RuntimeError("not now")

        task = linked.get(linked.root.submit("gate"))
        linked.get(task.subscribe(fail))
        linked.turn()
        Other.gates[-1].callback(None)
        linked.turn()
        assert len(calls) == 1
        assert linked.get(task.wait()) == "FINISHED"

    def test_one_that_never_answers_is_dropped(self, linked):
        """After a minute."""
        task = linked.get(linked.root.submit("gate"))
        linked.get(task.subscribe(lambda *_news: Deferred()))
        linked.turn()
        (mine,) = linked.service._subscriptions.values()
        assert len(mine) == 1
        linked.clock.advance(PATIENCE + 1)
        linked.turn()
        assert not mine
