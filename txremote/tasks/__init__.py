"""
Background tasks, as plac has them: commands that run while their user goes on.

``task``        one task: its states, output and progress
``keeper``      the tasks of a program: numbers, caps, what is remembered
``stepping``    a command as a generator of steps, whatever it is made of
``kinds``       tasks in turns of the reactor, or in a thread each
``mptask``      tasks in a process of a pool; ``commandjob`` is the process's side
``capture``     what a command prints, taken out of `sys.stdout`
``ring``        the last lines of a task's output
``audience``    listeners to one task, or to all of a manager
"""
