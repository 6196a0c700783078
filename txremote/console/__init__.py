"""
Command containers as plac writes them, and what reads their command lines.

``builtins``  the commands that every session has: plac's special commands, for a live program
``client``  `ConsoleClient`: the connection of one client of the line console
``containers``  containers of commands: the kinds there are, and the life of one
``dialogue``  `Dialogue`: one user of a console: lines in, output and prompts out
``extra``  plac's parser, or an error that says how to install it
``following``  ``.output``: the output of tasks, as far as it has come, and as it comes
``hints``  type hints and defaults of a command's arguments, translated for plac's parser
``history``  editing, history and completion at a prompt: readline, where there is one
``parsing``  command lines of a container, read by plac's own parser
``remote``  ``txremote tasks``: the tasks of a server, from a command line
``server``  the line console for many clients: `ConsoleService`, and the factory of its clients
``session``  `Session`: one client and one container, plac's Interpreter
``task_news``  `Subscription`: the news of a task, on their way to a client
``task_service``  `TaskService`: the tasks of a console, as remote objects
``tasks``  `TaskManager`: containers of commands, run as tasks
``telnet``  `TelnetLines`: the bytes of a console's client, as lines and keys
``terminal``  ``txremote console``: a container's commands in one terminal, without a server
"""

from typing import Final

#: Where a console listens unless it is told otherwise: on plac's port.
DEFAULT_ENDPOINT: Final = "tcp:2199:interface=127.0.0.1"

#: Most bytes of a line that is read from a client.
DEFAULT_MAX_LINE: Final = 16_384
