"""
What a user types, and sees, in RPyC's documentation of asynchronous operation.

Sessions at Python's prompt and the server of part 5 of the tutorial, newer copy and
older copy, and of the page "Asynchronous Operation" (RPyC is by Tomer Filiba and
others, MIT licence). Not a test file.

The newer copy stands as it was written; what it prints is that of Python 3 (an
``os.stat`` result is no tuple of longs). The older copies are transcribed to Python
3: ``async_``, ``print()``, what the copy lost put back. ``prompt.py`` runs them;
`adapted` makes the few changes that running them somewhere takes.
"""

#: How long the things take, in the documents and here.
SECONDS = {
    "sleep(2)": "sleep(0.02)",
    "asleep(15)": "asleep(0.5)",
    "async_sleep(5)": "async_sleep(0.2)",
    ".modules.time.sleep, 6)": ".modules.time.sleep, 0.5)",
    "timed_sleep(3)": "timed_sleep(0.02)",
    "timed_sleep(10)": "timed_sleep(1.0)",
    "interval = 1)": "interval = 0.05)",
}

#: The lines that name the library.
IMPORTS = {
    "import rpyc\n": "import txremote.blocking as rpyc\n",
    "from rpyc.utils.server import": "from txremote.blocking.utils.server import",
}


def adapted(text, *, port, classic=None, path="", library="txremote"):
    """
    Return a text with other import lines, port, path and seconds; nothing else.

    Args:
        text: One of those below.
        port: In place of the documents' ports.
        classic: The classic server's, if that is another.
        path: In place of the file's path.
        library: ``"rpyc"`` leaves the import lines as they are.
    """
    changes = {
        'classic.connect("localhost")': f'classic.connect("localhost", {classic or port})',
        "18871": str(port),
        "/tmp/floop.bloop": str(path),
        **SECONDS,
        **(IMPORTS if library == "txremote" else {}),
    }
    for old, new in changes.items():
        text = text.replace(old, new)
    return text


NEWER_ASYNC = """
    >>> import rpyc
    >>> c=rpyc.classic.connect("localhost")
    >>> c.modules.time.sleep
    <built-in function sleep>
    >>> c.modules.time.sleep(2) # i block for two seconds, until the call returns

     # wrap the remote function with async_(), which turns the invocation asynchronous
    >>> asleep = rpyc.async_(c.modules.time.sleep)
    >>> asleep
    async_(<built-in function sleep>)

    # invoking async functions yields an AsyncResult rather than a value
    >>> res = asleep(15)
    >>> res
    <AsyncResult object (pending) at 0x0842c6bc>
    >>> res.ready
    False
    >>> res.ready
    False

    # ... after 15 seconds...
    >>> res.ready
    True
    >>> print(res.value)
    None
    >>> res
    <AsyncResult object (ready) at 0x0842c6bc>
"""

NEWER_ERROR = """
    >>> aint = rpyc.async_(c.builtins.int)  # async wrapper for the remote type int

    # a valid call
    >>> x = aint("8")
    >>> x
    <AsyncResult object (pending) at 0x0844992c>
    >>> x.ready
    True
    >>> x.error
    False
    >>> x.value
    8

    # and now with an exception
    >>> x = aint("this is not a valid number")
    >>> x
    <AsyncResult object (pending) at 0x0847cb0c>
    >>> x.ready
    True
    >>> x.error
    True
    >>> x.value
    Traceback (most recent call last):
    ...
      File "/opt/rpyc/rpyc/core/async_.py", line 102, in value
        raise self._obj
    ValueError: invalid literal for int() with base 10: 'this is not a valid number'

    ========= Remote Traceback (1) =========
    Traceback (most recent call last):
      File "/opt/rpyc/rpyc/core/protocol.py", line 324, in _dispatch_request
        res = self._HANDLERS[handler](self, *args)
    ...
    ValueError: invalid literal for int() with base 10: 'this is not a valid number'
    >>>
"""

NEWER_SERVER = """\
import rpyc
import os
import time
from threading import Thread

class FileMonitorService(rpyc.Service):
    class exposed_FileMonitor(object):   # exposing names is not limited to methods :)
        def __init__(self, filename, callback, interval = 1):
            self.filename = filename
            self.interval = interval
            self.last_stat = None
            self.callback = rpyc.async_(callback)   # create an async callback
            self.active = True
            self.thread = Thread(target = self.work)
            self.thread.start()
        def exposed_stop(self):   # this method has to be exposed too
            self.active = False
            self.thread.join()
        def work(self):
            while self.active:
                stat = os.stat(self.filename)
                if self.last_stat is not None and self.last_stat != stat:
                    self.callback(self.last_stat, stat)   # notify the client of the change
                self.last_stat = stat
                time.sleep(self.interval)

if __name__ == "__main__":
    from rpyc.utils.server import ThreadedServer
    ThreadedServer(FileMonitorService, port = 18871).start()
"""

NEWER_EVENTS = r"""
    >>> import rpyc
    >>> f = open("/tmp/floop.bloop", "wb", buffering=0)
    >>> conn = rpyc.connect("localhost", 18871)
    >>> bgsrv = rpyc.BgServingThread(conn)  # creates a bg thread to process incoming events
    >>>
    >>> def on_file_changed(oldstat, newstat):
    ...     print("\nfile changed")
    ...     print(f"    old stat: {oldstat}")
    ...     print(f"    new stat: {newstat}")
    ...
    >>> mon = conn.root.FileMonitor("/tmp/floop.bloop", on_file_changed)  # create a filemon

    # wait a little for the filemon to have a look at the original file

    >>> f.write(b"oloop")  # change the file size and wait for filemon to notice the change
    5
    file changed
        old stat: os.stat_result(st_mode=33..., st_size=0, ...)
        new stat: os.stat_result(st_mode=33..., st_size=5, ...)

    >>> f.close()
    >>> mon.stop()
    >>> bgsrv.stop()
    >>> conn.close()
"""

# What the tutorial leaves out: the file was closed just above.
REOPENED = """
    >>> f = open("/tmp/floop.bloop", "wb", buffering=0)
"""

NEWER_POLLED = """
    >>> conn = rpyc.connect("localhost", 18871)
    >>> mon = conn.root.FileMonitor("/tmp/floop.bloop", on_file_changed)
    >>> f.write(b"zloop")  # change the file size
    5

    # Notice that nothing is printed. To print the file change messages,
    # the RPyC connection must serve requests from filemon that contain stat data.
    # Dispatching a request would implicitly make the connection serve existing requests.
    # Executing conn.poll_all() would explicitly serve all requests, without an extra dispatch.
    >>> conn.poll_all()
    file changed
        old stat: os.stat_result(st_mode=33..., st_size=0, ...)
        new stat: os.stat_result(st_mode=33..., st_size=5, ...)
    True
    >>>
"""

OLDER_SERVER = NEWER_SERVER.replace("rpyc.Service)", "rpyc.SlaveService)").replace(
    "rpyc.async_(callback)", 'getattr(rpyc, "async")(callback)'
)

OLDER_EVENTS = """
    >>> import rpyc
    >>> f = open("/tmp/floop.bloop", "w")
    >>> conn = rpyc.connect("localhost", 18871)
    >>> bgsrv = rpyc.BgServingThread(conn)  # creates a bg thread to process incoming events
    >>> def on_file_changed(oldstat, newstat):
    ...     print("file changed")
    ...     print("    old stat: %s" % (oldstat,))
    ...     print("    new stat: %s" % (newstat,))
    ...
    >>> mon = conn.root.FileMonitor("/tmp/floop.bloop", on_file_changed) # create a filemon

    # wait a little for the filemon to have a look at the original file

    >>> f.write("shmoop") # change size
    6
    >>> f.flush()

    # the other thread then prints
    file changed
        old stat: os.stat_result(st_mode=33..., st_size=0, ...)
        new stat: os.stat_result(st_mode=33..., st_size=6, ...)

    >>> f.write("groop") # change size
    5
    >>> f.flush()
    file changed
        old stat: os.stat_result(st_mode=33..., st_size=6, ...)
        new stat: os.stat_result(st_mode=33..., st_size=11, ...)

    >>> f.close()
    >>> f = open("/tmp/floop.bloop", "w")
    file changed
        old stat: os.stat_result(st_mode=33..., st_size=11, ...)
        new stat: os.stat_result(st_mode=33..., st_size=0, ...)

    >>> mon.stop()
    >>> bgsrv.stop()
    >>> conn.close()
"""

OLDER_WAITED = """
    >>> f = open("/tmp/floop.bloop", "w")
    >>> conn = rpyc.connect("localhost", 18871)
    >>> mon = conn.root.FileMonitor("/tmp/floop.bloop", on_file_changed)

    # change the size...
    >>> f.write("shmoop")
    6
    >>> f.flush()

    # ... seconds pass but nothing is printed ...
    # until we make some interaction with the connection: printing a remote object invokes
    # the remote __str__ of the object, so that all pending requests are suddenly processed
    >>> print(mon)
    file changed
        old stat: os.stat_result(st_mode=33..., st_size=0, ...)
        new stat: os.stat_result(st_mode=33..., st_size=6, ...)
    <...exposed_FileMonitor object ...>
"""

# The older copy's session of asynchronous results, as far as it differs.
OLDER_ASYNC = """
    >>> import rpyc
    >>> c=rpyc.classic.connect("localhost")
    >>> asleep = getattr(rpyc, "async")(c.modules.time.sleep)
    >>> asleep
    async_(<built-in function sleep>)
    >>> res = asleep(15)
    >>> res
    <AsyncResult object (pending) at 0x0842c6bc>
    >>> res.ready
    False
    # ... after 15 seconds...
    >>> res.ready
    True
    >>> print(res.value)
    None
    >>> res
    <AsyncResult object (ready) at 0x0842c6bc>
"""

# The page "Asynchronous Operation", its snippets in their order.
PAGE = """
    >>> import rpyc
    >>> conn = rpyc.classic.connect("localhost")

    # Create an async wrapper around the server's time.sleep function
    >>> async_sleep = rpyc.async_(conn.modules.time.sleep)

    # And invoke it like any other function
    >>> res = async_sleep(5)

    # You can test for completion using res.ready, wait for completion using res.wait(), and
    # get the result using res.value. You may set a timeout for the result using
    # res.set_expiry(), or even register a callback function
    >>> res.ready
    False
    >>> res.set_expiry(60)
    >>> res.add_callback(lambda res: print("arrived:", res.value))
    >>> res.wait()
    arrived: None
    >>> res.ready, res.error, res.expired, res.value
    (True, False, False, None)
    >>> myfunc_async = rpyc.async_(conn.modules.operator.add)
    >>> res = myfunc_async(1, 2)
    >>> res.value
    3

    # allow this function to take up to 6 seconds
    >>> timed_sleep = rpyc.timed(conn.modules.time.sleep, 6)

    # wait for 3 seconds -- works
    >>> async_res = timed_sleep(3)  # returns immediately
    >>> async_res.value             # returns after 3 seconds

    # wait for 10 seconds -- fails
    >>> async_res = timed_sleep(10) # returns immediately
    >>> async_res.value             # raises AsyncResultTimeout
    Traceback (most recent call last):
    ...
    ...Timeout...: result expired
    >>> async_res.ready, async_res.expired
    (False, True)
    >>> async_res
    <AsyncResult object (expired) at 0x0842c6bc>
    >>> bgsrv = rpyc.BgServingThread(conn)
    >>> bgsrv.stop()
"""

# What RPyC's documents warn of, or leave open, and txremote does.
BETTER = """
    >>> rpyc.async_(conn.modules.operator.add)(1, 2).value
    3
    >>> res = rpyc.async_(conn.builtins.int)("no number")
    >>> res.add_callback(lambda res: print("heard of", res))
    >>> res.wait()
    heard of <AsyncResult object (error) at 0x0842c6bc>
    >>> res
    <AsyncResult object (error) at 0x0842c6bc>
    >>> res = rpyc.timed(conn.modules.time.sleep, 0.05)(0.5)
    >>> res.add_callback(lambda res: print("heard of", res))
    >>> res.wait()
    heard of <AsyncResult object (expired) at 0x0842c6bc>
    Traceback (most recent call last):
    ...
    txremote.errors.AsyncResultTimeout: result expired
    >>> conn.close()
"""
