"""
``txremote top``: what runs at a server, in a terminal.

``sources``  where the rows come from: over the wire, for an operator
``http``  the same from a server's admin site
``views``  the tables: their columns, how a value is shown, sorting and filtering
``lines``  the lines above them: the server as a whole, its last minutes, the views
``once``  all of it printed once, as plain tables: for scripts, and without textual
``app``  the screen, by textual
``looker``  the task that looks at the server, once a second
``rowtable``  the table on the screen, whose cursor stays on its row
``dialogs``  what is laid over it: a question, a task's output

Everything that a server says may be hostile: it is shown as short, printable text, never as
markup. The screen runs on asyncio, by `txremote.aio`: there is no reactor.
"""
