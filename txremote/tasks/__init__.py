"""
Background tasks, as plac has them: commands that run while their user goes on.

``states``      the six states, and what may follow each
``task``        one task: its output, progress and end
``keeper``      the tasks of a program: numbers, caps, memory
``stepping``    a command as a generator of steps, whatever it is made of
``kinds``       tasks in turns of the reactor, or in a thread each
``mptask``      tasks in a process of a pool; ``commandjob`` is the process's side
``capture``     the prints of a command, taken out of `sys.stdout`
``ring``        the last lines of a task's output
``listeners``   the listeners to one task, or to all of a keeper
"""
