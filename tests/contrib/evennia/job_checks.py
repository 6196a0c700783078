"""
Checks of jobs that run inside a game, with Django and Evennia set up.

``import job_checks; job_checks.main()`` in the folder of a game runs them beside a reactor and one
worker process, and prints a line for each check that passed, or why it did not. The tests of
``txremote/contrib/evennia`` start it, see `checking.py`.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
import traceback
from collections import OrderedDict, defaultdict, deque
from contextlib import contextmanager

os.environ["DJANGO_SETTINGS_MODULE"] = "server.conf.settings"
sys.path.insert(0, os.getcwd())

import django

django.setup()

import evennia  # noqa: E402

evennia._init()

from django.db import connection, transaction  # noqa: E402
from evennia import Command, create_object  # noqa: E402
from evennia.commands.cmdset import CmdSet  # noqa: E402
from evennia.objects.models import ObjectDB  # noqa: E402
from evennia.server.serversession import ServerSession  # noqa: E402
from twisted.internet import reactor, threads  # noqa: E402
from twisted.internet.defer import CancelledError, Deferred  # noqa: E402
from twisted.internet.task import deferLater  # noqa: E402
from twisted.logger import globalLogPublisher  # noqa: E402
from typeclasses.characters import Character  # noqa: E402
from typeclasses.objects import Object  # noqa: E402
from typeclasses.rooms import Room  # noqa: E402

from txremote import live, run_async as plain_run_async  # noqa: E402
from txremote.contrib.evennia import Awaiting, progress, run_async, tracked  # noqa: E402
from txremote.contrib.evennia.joblist import FAILED, KILLED, RUNNING, JobKilled, jobs  # noqa: E402
from txremote.contrib.evennia.runtime import runtime  # noqa: E402
from txremote.errors import JobTimeout, NotPicklable, PoolStopped  # noqa: E402
from txremote.work.spec import pool_from_string  # noqa: E402

POOL = "processes:1:init=txremote.contrib.evennia.setup"

# -- the jobs


def same(value):
    """Give an argument back."""
    return value


def seen(obj):
    """Tell what there is to see of an object."""
    place = obj.location
    return type(obj).__name__, obj.key, obj.db.hp, place and place.key, obj.pk, os.getpid()


def types(value):
    """Tell the types of a container and of what is in it."""
    inner = value.values() if hasattr(value, "values") else value
    return [type(value).__name__, *sorted({type(each).__name__ for each in inner})]


def change_a_container(value):
    """Change a container of an Attribute, nested ones too."""
    value["list"].append("from the job")
    value["new"] = True
    return value


def change(obj, room, fails=False):
    """Change all that there is to change."""
    obj.key = "renamed"
    obj.db.hp = 2
    obj.db.bag = {"gold": [1, 2]}
    del obj.db.old
    obj.location = room
    obj.tags.add("seen", category="job")
    obj.aliases.add("thingy")
    obj.locks.add("get:false()")
    if fails:
        raise LookupError(obj)
    return obj


def change_and_hang(obj):
    """Change an object, and do not end."""
    obj.db.hp = 77
    live_wait()


def live_wait():
    """Wait for ever."""
    threading.Event().wait()


def greet(obj):
    """Say something, as a command would."""
    obj.msg("hello")
    obj.location.msg_contents("{who} nods.", mapping={"who": obj}, from_obj=obj)
    return "done"


def swap(obj):
    """Give an object another typeclass."""
    obj.swap_typeclass(Character, clean_attributes=False, run_start_hooks=None)


def make(room):
    """Make an object."""
    return create_object(Object, key="made", location=room, home=room)


def delete(obj):
    """Delete an object."""
    obj.delete()


def use(elsewhere):
    """Use what is not in a worker."""
    return elsewhere.protocol_key


def leave_a_transaction():
    """Begin a transaction and do not end it."""
    transaction.atomic().__enter__()
    ObjectDB.objects.filter(db_key="thing").update(db_key="never")


def in_transaction():
    """Tell whether a transaction is open here."""
    return connection.in_atomic_block


def break_connection():
    """Leave a connection that does not work."""
    connection.ensure_connection()
    connection.connection.close()
    connection.errors_occurred = True


def count_objects():
    """Ask the database."""
    return ObjectDB.objects.count()


def walk(steps, step):
    """Tell of progress, waiting for the caller's word between the steps."""
    for each in tracked(steps, text="walking"):
        progress(each, len(steps), f"step {each}")
        step(each)
    return len(steps)


# -- what they work on


class World:
    """Two rooms and a thing."""

    def __init__(self):
        self.room = create_object(Room, key="room", nohome=True)
        self.cave = create_object(Room, key="cave", nohome=True)
        self.thing = create_object(Object, key="thing", location=self.room, home=self.room)
        self.thing.db.hp = 1
        self.thing.db.old = 1
        _ = self.room.contents, self.cave.contents, self.thing.tags.all(), self.thing.db.bag


async def failure_of(deferred):
    """Return the error of a Deferred."""
    try:
        result = await deferred
    except BaseException as error:
        return error
    raise AssertionError(f"no error, but {result!r}")


async def until(condition):
    """Wait for something that comes soon."""
    for _ in range(3000):
        if condition():
            return
        await deferLater(reactor, 0.01)
    raise AssertionError("it does not come")


# -- travelling


async def an_object_arrives_as_it_is_now(world):
    """From a cold worker, and after each kind of change in the Server."""
    thing = world.thing
    job = lambda: run_async(seen, thing, process=True)  # noqa: E731
    *first, pid = await job()
    assert first == ["Object", "thing", 1, "room", thing.pk]
    assert pid != os.getpid()
    assert [each[:5] for each in [await each for each in [job() for _ in range(100)]]] == [
        ("Object", "thing", 1, "room", thing.pk)
    ] * 100
    thing.key, thing.db.hp, thing.location = "other", 2, world.cave
    assert (await job())[:4] == ("Object", "other", 2, "cave")
    thing.db.hp += 1
    thing.swap_typeclass(Character, clean_attributes=False, run_start_hooks=None)
    assert (await job())[:4] == ("Character", "other", 3, "cave")
    assert (await run_async("_return(thing.db.hp)", thing=thing)) == 3


async def an_object_comes_back_as_the_servers_own(world):
    """In containers, closures and errors, as the self of a method, in a query set."""
    thing = world.thing
    assert (await run_async(same, [{"a": (thing,)}], process=True))[0]["a"][0] is thing
    assert (await run_async(lambda: thing, process=True)) is thing
    assert (await run_async(thing.get_display_name, thing, process=True)).startswith("thing")
    assert thing in list(await run_async(same, Object.objects.all(), process=True))
    error = await failure_of(run_async(change, thing, world.cave, fails=True, process=True))
    assert error.args[0] is thing
    assert (await plain_run_async(same, thing, pool=runtime.pool)) is thing


async def containers_of_attributes_arrive_as_plain_copies(world):
    """Nested ones too; the game's own are not changed."""
    db = world.thing.db
    db.bag = {"list": [1], "set": {1}, "deque": deque([1], maxlen=3), "thing": world.thing}
    db.ordered, db.default = OrderedDict(a=[1]), defaultdict(list, a=[1])
    assert await run_async(types, db.bag, process=True) == [
        "dict",
        "Object",
        "deque",
        "list",
        "set",
    ]
    assert await run_async(types, db.ordered, process=True) == ["OrderedDict", "list"]
    assert await run_async(types, db.default, process=True) == ["defaultdict", "list"]
    changed = await run_async(change_a_container, db.bag, process=True)
    assert type(changed) is dict and changed["list"] == [1, "from the job"]
    assert changed["thing"] is world.thing and changed["deque"].maxlen == 3
    assert db.bag["list"] == [1] and "new" not in db.bag


async def handlers_arrive_as_those_of_the_object(world):
    """They come back as the Server's own."""
    for name in ("attributes", "tags", "locks", "cmdset", "scripts", "nicks", "aliases"):
        handler = getattr(world.thing, name)
        assert (await run_async(same, handler, process=True)) is handler, name
    assert (await run_async(lambda db: db.hp, world.thing.db, process=True)) == 1


async def what_is_in_memory_alone_is_refused(world):
    """In a sentence, as is what has been deleted, or was never saved."""
    thing, gone = world.thing, create_object(Object, key="gone", nohome=True)
    gone.delete()
    for value, why in (
        (thing.ndb, "thing.ndb is in the Server's memory alone"),
        (thing.sessions, "thing.sessions is in the Server's memory alone"),
        (gone, "has been deleted"),
        (Object(db_key="unsaved"), "was not saved"),
    ):
        error = await failure_of(run_async(same, value, process=True))
        assert isinstance(error, NotPicklable) and why in str(error), error


async def an_object_that_is_deleted_on_the_way_fails_the_job(world):
    """It never arrives as None."""
    gone = create_object(Object, key="gone", nohome=True)
    job = run_async(same, gone, process=True)
    number = gone.pk
    gone.delete()
    error = await failure_of(job)
    assert f"objects.objectdb #{number} of the game has been deleted" in str(error), error


class Looking(Command):
    """A command with a method that runs elsewhere."""

    key = "looking"

    def work(self):
        """Tell what it has."""
        return self.caller, self.args, repr(self.session)

    def misuse(self):
        """Use the session."""
        return self.session.protocol_key


async def a_commands_method_runs_in_a_process(world):
    """Its caller arrives; its session says where it is."""
    command = Looking()
    session = ServerSession()
    session.init_session("telnet", "127.0.0.1", None)
    command.caller, command.args, command.session = world.thing, "here", session
    command.cmdset = CmdSet(world.thing)
    caller, args, shown = await run_async(command.work, process=True)
    assert caller is world.thing and args == "here"
    assert shown.startswith("<in the Server: ServerSession"), shown
    error = await failure_of(run_async(command.misuse, process=True))
    assert isinstance(error, RuntimeError) and "pass live(...)" in str(error), error


# -- changes


async def what_a_job_changes_shows_in_the_server(world):
    """In the objects that the Server has, before the callbacks run."""
    thing, at_return = world.thing, []
    told = lambda obj: at_return.append((obj is thing, obj.key, obj.db.hp))  # noqa: E731
    await run_async(change, thing, world.cave, process=True, at_return=told)
    assert at_return == [(True, "renamed", 2)]
    assert thing.db.bag == {"gold": [1, 2]} and thing.db.old is None
    assert thing.location is world.cave
    assert (world.room.contents, world.cave.contents) == ([], [thing])
    assert thing.tags.get("seen", category="job") and "thingy" in thing.aliases.all()
    assert "get:false()" in str(thing.locks)
    thing.db.bag["gold"].append(3)  # it is the Server's to change again
    assert (await run_async(lambda obj: obj.db.bag["gold"][-1], thing, process=True)) == 3


async def a_job_that_fails_or_is_killed_has_told_of_its_changes(world):
    """What it saved before that is read again."""
    error = await failure_of(run_async(change, world.thing, world.cave, True, process=True))
    assert error.args[0].key == "renamed" and world.thing.location is world.cave
    await run_async(seen, world.thing, process=True)  # a warm worker: the time is the job's
    killed = run_async(change_and_hang, world.thing, process=True, proc_timeout=1)
    assert isinstance(await failure_of(killed), JobTimeout)
    assert world.thing.db.hp == 77


async def what_a_job_says_is_said_by_the_server(world):
    """In its order, before the result; the object's hooks are asked there."""
    heard = []

    def at_msg_receive(text=None, from_obj=None, **more):
        heard.append((text if isinstance(text, str) else text[0], from_obj))
        return True

    world.thing.at_msg_receive = at_msg_receive
    await run_async(greet, world.thing, process=True, at_return=lambda it: heard.append(it))
    assert heard == [("hello", None), ("thing nods.", world.thing), "done"], heard


async def another_typeclass_and_new_and_deleted_objects_show(world):
    """As if the Server had done it."""
    thing = world.thing
    await run_async(swap, thing, process=True)
    assert type(thing) is Character and thing.is_typeclass(Character)
    made = await run_async(make, world.room, process=True)
    assert made in world.room.contents and made.location is world.room
    await run_async(delete, made, process=True)
    assert world.room.contents == [thing] and made._is_deleted
    assert ObjectDB.get_cached_instance(made.pk) is None


async def a_job_leaves_no_transaction_to_the_next(world):
    """In a thread and in a process; a connection that is broken is replaced."""
    for process in (False, True):
        await run_async(leave_a_transaction, process=process)
        assert not await run_async(in_transaction, process=process)
        assert ObjectDB.objects.filter(db_key="never").count() == 0
        await run_async(break_connection, process=process)
        assert await run_async(count_objects, process=process) >= 3


# -- jobs


async def a_job_runs_in_a_thread_unless_a_process_is_asked_for(world):
    """The game's processes take no other jobs of this program's."""
    in_thread = await run_async(lambda obj: (obj, os.getpid()), world.thing)
    assert in_thread[0] is world.thing and in_thread[1] == os.getpid()
    assert await plain_run_async(os.getpid) == os.getpid()
    assert await run_async(os.getpid, process=True) != os.getpid()
    assert await run_async("import os; _return(os.getpid())") != os.getpid()


async def any_thread_may_begin_a_job(world):
    """It gets a Future; the callbacks run in the reactor's thread."""
    ran_in = []
    at_return = lambda result: (ran_in.append(threading.get_ident()), result)[1]  # noqa: E731

    def begin():
        future = run_async(seen, world.thing, process=True, at_return=at_return)
        failing = run_async(same, world.thing.ndb, process=True)
        slow = run_async(live_wait, process=True)
        slow.cancel()
        return future.result(30), failing.exception(30), slow.cancelled()

    result, error, cancelled = await threads.deferToThread(begin)
    assert result[1] == "thing" and isinstance(error, NotPicklable) and cancelled
    assert ran_in == [threading.get_ident()]
    await until(lambda: not jobs.unended())


async def without_a_pool_the_error_says_what_to_write(world):
    """It reaches ``at_err``, as any other."""
    pool, runtime.pool = runtime.pool, None
    heard = []
    try:
        await run_async(same, 1, process=True, at_err=heard.append)
        assert 'TXREMOTE = {"pool": "processes:2"}' in str(heard[0].value)
        assert isinstance(await failure_of(run_async("_return(1)")), RuntimeError)
    finally:
        runtime.pool = pool
    for wrong in ({"use_thread": True}, {"pool": "threads:1"}):
        try:
            run_async(same, 1, process=True, **wrong)
        except TypeError as error:
            assert "process=True" in str(error)
        else:
            raise AssertionError(wrong)


def begin_another():
    """Begin a job in a job's process."""
    return run_async(same, 1)


async def a_job_cannot_begin_jobs_in_its_process(world):
    """It is told so."""
    error = await failure_of(run_async(begin_another, process=True))
    assert isinstance(error, RuntimeError) and "a job's own process" in str(error), error


# -- the list


async def jobs_are_listed_with_their_progress(world):
    """In threads and in processes; the caller is found by the callback."""
    for process in (False, True):
        reached = []

        def step(number, reached=reached):
            reached.append(number)

        job = run_async(walk, [0, 1, 2], live(step), process=process, at_return=world.thing.msg)
        (listed,) = jobs.unended()
        assert (listed.name, listed.who) == ("walk", world.thing)
        await job
        assert (listed.done, listed.of, listed.state, jobs.ended()[-1]) == (3, 3, "done", listed)
        assert reached == [0, 1, 2]


class Walking(Awaiting, Command):
    """A command that awaits a job."""

    key = "walking"

    async def func(self):
        """Begin a job when it has waited for something else."""
        await deferLater(reactor, 0)
        self.result = await run_async(same, "done")


async def an_awaiting_commands_jobs_are_its_callers(world):
    """Though nothing of the job names the caller."""
    command = Walking()
    command.caller = world.thing
    await command.func()
    assert command.result == "done"
    assert (jobs.ended()[-1].name, jobs.ended()[-1].who) == ("same", world.thing)


async def a_listed_job_can_be_killed(world):
    """Its process is ended."""
    job = run_async(live_wait, process=True)
    (listed,) = jobs.unended()
    await until(lambda: listed.state == RUNNING)
    assert listed.kill() and not listed.kill()
    assert isinstance(await failure_of(job), CancelledError)
    assert listed.state == KILLED


async def a_thread_ends_at_its_next_word_of_progress(world):
    """Once its job was killed."""
    go, ended = threading.Event(), []

    def in_thread():
        go.wait()
        try:
            progress(1, 2)
        except JobKilled as error:
            ended.append(str(error))
            raise

    job = run_async(in_thread)
    (listed,) = jobs.unended()
    await until(lambda: listed.state == RUNNING)
    listed.kill()
    assert isinstance(await failure_of(job), CancelledError)
    go.set()
    await until(lambda: ended)
    assert "was killed" in ended[0]


async def a_failed_job_says_why(world):
    """In one line."""
    await failure_of(run_async(change, world.thing, None, True, process=True))
    assert jobs.ended()[-1].state == FAILED
    assert jobs.ended()[-1].error.startswith("LookupError: ")


@contextmanager
def failures_logged():
    """Give the list of failures that are logged meanwhile, as they are written."""
    found = []

    def observe(event):
        if "log_failure" in event:
            found.append(event["log_failure"].getTraceback())

    globalLogPublisher.addObserver(observe)
    try:
        yield found
    finally:
        globalLogPublisher.removeObserver(observe)


async def an_error_that_nobody_handles_is_logged_at_once(world):
    """Though the list of jobs goes on to have its job."""
    for process in (False, True):
        with failures_logged() as logged:
            run_async(int, f"not a number {process}", process=process)
            await until(lambda: not jobs.unended())
            gc.collect()
            await until(lambda: logged)
        assert f"not a number {process}" in logged[0]


class Failing(Awaiting, Command):
    """A command whose job fails."""

    key = "failing"

    async def func(self):
        """Begin it."""
        await run_async(change, self.caller, None, True, process=True)


async def the_log_says_where_a_commands_job_failed(world):
    """Both in the command and in the other process."""
    command = Failing()
    command.caller = world.thing
    command.session = None
    with failures_logged() as logged:
        await command.func()
    [text] = logged
    assert "await run_async(change, " in text
    assert "raise LookupError(obj)" in text


async def jobs_are_told_when_the_server_stops(world):
    """While their callers can be: those that run, and those that are begun later."""
    go, heard = threading.Event(), []
    job = run_async(go.wait, at_err=heard.append)
    runtime.stop()
    await job
    assert isinstance(heard[0].value, PoolStopped) and "stops or reloads" in str(heard[0].value)
    assert not jobs.unended()
    go.set()
    assert isinstance(await failure_of(run_async(same, 1)), PoolStopped)
    assert isinstance(await failure_of(run_async(same, 1, process=True)), PoolStopped)


CHECKS = [
    an_object_arrives_as_it_is_now,
    an_object_comes_back_as_the_servers_own,
    containers_of_attributes_arrive_as_plain_copies,
    handlers_arrive_as_those_of_the_object,
    what_is_in_memory_alone_is_refused,
    an_object_that_is_deleted_on_the_way_fails_the_job,
    a_commands_method_runs_in_a_process,
    what_a_job_changes_shows_in_the_server,
    a_job_that_fails_or_is_killed_has_told_of_its_changes,
    another_typeclass_and_new_and_deleted_objects_show,
    a_job_leaves_no_transaction_to_the_next,
    a_job_runs_in_a_thread_unless_a_process_is_asked_for,
    any_thread_may_begin_a_job,
    without_a_pool_the_error_says_what_to_write,
    a_job_cannot_begin_jobs_in_its_process,
    jobs_are_listed_with_their_progress,
    an_awaiting_commands_jobs_are_its_callers,
    a_listed_job_can_be_killed,
    a_failed_job_says_why,
    an_error_that_nobody_handles_is_logged_at_once,
    the_log_says_where_a_commands_job_failed,
    what_a_job_says_is_said_by_the_server,
    a_thread_ends_at_its_next_word_of_progress,
    jobs_are_told_when_the_server_stops,  # the last: no job runs after it
]


async def run():
    """Run the checks, one after the other, with one pool."""
    pool = pool_from_string(POOL)
    pool.preferred = False
    await pool.start()
    runtime.pool = pool
    for check in CHECKS:
        began = time.monotonic()
        try:
            await check(World())
        except BaseException:
            print(f"FAILED {check.__name__}\n{traceback.format_exc()}", flush=True)
        else:
            print(f"PASSED {check.__name__} {time.monotonic() - began:.2f} s", flush=True)
    await pool.stop()


def main():
    """Run the checks, and end."""

    def begin():
        Deferred.fromCoroutine(run()).addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.run()
