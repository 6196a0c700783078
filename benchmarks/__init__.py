"""
The benchmarks: txremote beside its peers, in one run on one machine.

``run``      the command: ``python benchmarks/run.py`` or ``python -m benchmarks``
``rows/``    what is measured, a file for each row of the table
``peers/``   who is measured, a file for each contestant: its server and its client
``growth``   what a call costs as connections, objects and calls pile up
``harness``  starts the processes, takes the rounds in turn
``child``    what runs in each of those processes
``report``   the tables, as text, reStructuredText and JSON
``machine``  what the run was made on

Nothing here is installed with txremote.
"""
