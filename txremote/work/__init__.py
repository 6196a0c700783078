"""
Work somewhere else: pools, and `run_async`.

``arrowslices``  slices of Arrow's tables and arrays, without the rows that they do not show
``buffers``  large buffers, such as a numpy array's memory, kept out of a job's pickle
``child``  the main program of a worker process
``child_end``  the end of a worker process, on its own side: with its parent, and by TERM
``childpeer``  a worker process as a txremote peer, once a job or result needs one
``childprocess``  a worker's process, as the operating system has it: its start, its end in words
``coming_up``  `ComingUp`: the way of a worker process to its first job
``declared``  records in the arguments of a job, and the types that its function declares
``failures``  `JobFailure`: a job's exception with its notes, cause and context
``hidden``  modules that a worker process would look for in the wrong place, by its parent's path
``initializer``  the function that sets up a worker process before its first job
``job_queue``  `JobQueue`: jobs that wait for a process, and their way to the workers
``job_sender``  `JobSender`: the way of a worker's jobs into its process
``limited``  `limited_exec`: sources of people who are not trusted, each in a process of its own
``live``  `live`: an argument that goes by reference where all others go by value
``loops``  the loop that code runs in, where it does not say: a reactor, or one of asyncio's
``named``  functions that travel to another process by the name of what stands in their place
``netrefs``  references of other peers in the arguments and results of a job in a thread
``offload``  `offloaded`: a method whose body runs in a pool
``output``  the output and the log of a worker process, on their way into the parent's log
``pickling``  jobs and their outcomes as bytes, with a list of the objects that go by reference
``pipes``  two pipes to a child process as one transport
``plainjobs``  the parts of a job that need nothing of Twisted, which is slow to import
``plainphase``  the plain messages of a worker process and its parent, until they are peers
``pool``  `PoolService`: the part that all pools share, as services of an application
``ports``  names of types: the reactor as pools use it, and the parts of a job
``prefetched``  the jobs that one worker holds, which of them have begun, and their time
``processes``  `ProcessPool`: jobs in child processes, each of them a txremote peer over pipes
``python_source``  jobs that are given as source: a string as the function of `run_async`
``records``  the output and the log of a worker process, as it writes them
``reducers``  objects that travel with a job in a form of their own
``room``  the line of those who wait for a place in a pool's queue: `WaitingLine`
``run``  `run_async`: a callable, or a source, somewhere else
``running``  the pools that run: the one piece of state here that belongs to the whole process
``sharedmemory``  large values between a pool and its processes: files that are only memory
``spec``  pools by name: ``threads:8``, ``processes:min=2:max=8``
``surroundings``  the environment, folder and initializer of a pool's processes
``stuck``  jobs in threads that wait for one another for ever
``thread_job``  `ThreadJob`: a call that a thread of a pool makes
``threads``  a pool of threads: the reactor's own, or a number of its own
``tickets``  tickets: how two processes agree, without a word, on which jobs have begun
``unpicklable``  the part of a job that cannot be pickled, in words
``worker``  one worker: its process, the link to it, the jobs that it holds
``worker_protocol``  the numbers and switches that a pool and its worker processes agree on
``worker_set``  `WorkerSet`: the processes of a pool, and how many of them there are
``workerlink``  what a worker hears of its process and says to it: plain messages, or a peer's
"""

from typing import TYPE_CHECKING

from txremote.importing import lazy_names

if TYPE_CHECKING:
    from txremote.work.running import set_default_pool
    from txremote.work.spec import pool_from_string

__all__ = ["pool_from_string", "set_default_pool"]

# imported when they are used first: a worker process needs neither
_LAZY = {
    "pool_from_string": "txremote.work.spec",
    "set_default_pool": "txremote.work.running",
}

__getattr__, __dir__ = lazy_names(__name__, _LAZY)
