"""
``twistd txremote --workers N``: one server in several processes.

The process that twistd starts is the *supervisor*: it opens the sockets, and accepts nobody. It
starts N *workers*, each a whole server that has inherited those sockets, and looks after them: a
dead one is replaced, SIGHUP replaces all of them one by one, SIGTERM lets all end their calls.
A connection belongs to the worker that has accepted it. An operator sees and does all through
the supervisor, which asks the workers. A worker ends when its supervisor is gone.

Consoles, and servers of their tasks, live in one worker, the *keeper*: only it accepts their
clients, so whoever connects reaches the same tasks.

``acting``  what an operator of several workers may do
``child``  the program of a worker
``collector``  the last report of each worker, and the sum of what all have counted
``control``  the connection between the supervisor and a worker, both ends
``crew``  all workers: which serve, which come and which go
``launch``  what a worker is told before it starts: its options and its sockets
``monitor``  the monitor of the supervisor, which adds the workers up
``process``  one worker, as the supervisor sees it
``relay``  the log of a worker, which the supervisor writes
``remote``  the monitor of the supervisor as operators reach it through a worker
``reports``  the rows of one worker at one time
``sockets``  the sockets that the supervisor opens
``sums``  the rows of several workers, added up
``supervisor``  the service that twistd runs
"""
