"""
Getting connected with a reactor.

``transport`` what is done to a transport once it is there
``listen``    serving: `listen`, and the factory behind it
``connect``   calling: `connect`
``client``    calling again and again: `RemoteClient`
"""
