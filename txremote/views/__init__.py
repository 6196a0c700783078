"""
Typed views: a remote object by the names and types that a class declares.

``members``  `members_of`: what a service class, a ``Protocol`` or a zope interface declares
"""
