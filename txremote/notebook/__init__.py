"""
Notebooks: what ``%load_ext txremote`` adds to IPython, and displays for what goes on meanwhile.

Nothing here is needed to await remote calls in a cell: `txremote.aio` is enough for that. The
extension adds ``%connect``, the completion of remote names, ``?``, tables for values, and
references that show their names.

``extension``  `Extension`: all of it, put into one IPython and taken out again
``connecting``  ``%connect``
``known``  `Knowledge`: what is known of remote objects, so that nothing has to wait
``scope``  what an expression before the cursor stands for
``completion``  names of remote objects, and of arguments
``inspection``  ``?``
``formatters``  how values and references are shown
``tables``  `table_of`: values that have rows
``markup``  texts of peers, as HTML that does nothing
``displays``  `ProgressBar` and `EventTable`: callbacks with a display of their own
``terminal``  IPython in a terminal: its loop, and Ctrl-C
``task_display``  `watch`: a task, with its progress and its output
"""

from txremote.notebook.displays import EventTable, ProgressBar
from txremote.notebook.extension import (
    load_ipython_extension as load_ipython_extension,
    unload_ipython_extension as unload_ipython_extension,
)
from txremote.notebook.task_display import TaskDisplay, watch

__all__ = [
    "EventTable",
    "ProgressBar",
    "TaskDisplay",
    "watch",
]
