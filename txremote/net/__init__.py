"""
Getting connected with a reactor.

``transport`` what is done to a transport once it is there
``listen``    serving: `listen`, and the factory behind it
``server_service``  the same as a service of an application: `ServerService`
``connect``   calling: `connect`
``client``    calling again and again, one server or several: `RemoteClient`
``line``      one connection that comes back
``line_pool``  the lines of a client to all its places
``members``   which of them has the next call
``targets``   where the places of a client come from: its program, or a registry
``found_places``  `connect` to the first of the places that a registry names
``certificate_files``  the certificates in a file, read anew when it has changed
``client_endpoint``  `connect` in the shape that Twisted's `ClientService` wants
``client_login``  logging in as RPyC's clients do: ``root.login(user, password)``
``connection_waiters``  Deferreds that wait for the next connection of a client
``draining``  the end of a listener's calls: they have some seconds, and the rest is cut
``login``  logging in, by `twisted.cred`
``shared_ports``  listening on a socket that other processes listen on, too
``tls``  TLS around any endpoint: certificates from files, checked on both sides if wanted
``tls_checks``  what a TLS connection says of the peer when it fails
``unixsockets``  UNIX sockets: who may connect to one, and what is left of one
"""
