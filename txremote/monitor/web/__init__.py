"""
The admin site: a page for operators, and the same figures as JSON, over HTTP.

``service`` listens, with a token of ``tokenfile``. ``channel`` bounds what a client may use up,
``guards`` decides who may do what, ``site`` answers each route. ``tables`` turns rows of the
monitor into JSON, ``events`` sends what has changed once a second, ``assets`` has the page's files.
"""
