"""
Registries: where the servers of a name are, though they come and go.

``ports``  what a registry is to those who use it
``urls``  how a registry is named
``dialled``  how a place that a registry named is dialled
``choosing``  from the URL of a registry to the registry
``messages``  the messages of RPyC's registry
``asking``  one question to a registry of RPyC's kind, and its answer
``rpyc_registry``  RPyC's registry, as a client
``redis_registry``  a registry in Redis
``redis_links``  one connection to Redis that runs scripts
``keeping``  looking at a registry again and again, and keeping an entry in it
``entries``  the entries of a registry that runs here, and their leases
``answering``  what a registry of RPyC's kind answers
``serving``  a registry of RPyC's kind, by UDP and TCP
"""
