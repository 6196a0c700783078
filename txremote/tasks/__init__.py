"""
Background tasks, as plac has them: commands that run while their user goes on.

``task`` is one of them; ``turns``, ``threaded`` and ``mptask`` run it; ``keeper`` has those of a
program.

``capture``  the prints of a command, taken out of `sys.stdout` for the task that runs it
``commandjob``  a command in a process of a pool: the child's side of `txremote.tasks.mptask`
``listeners``  the listeners to one task, or to all tasks of a keeper
``listing``  tasks as lines for people: a row of a list, and how far one is
``pace``  how fast a task comes on, and how long it will take
``ring``  `OutputRing`: the last lines that a task has put out, and how many went before
``states``  the states of a task, which are plac's, and what may follow each of them
``task_log``  what the log says of tasks: who has submitted which, and how each ends
``store``  `TaskStore`: the tasks of a keeper in a file, so that they outlive a restart
``stepping``  a command as a generator of steps, whatever it is made of
``taskfile``  that file of SQLite's: its tables, its checks, and the thread that writes it
"""
