"""
Typed views: a remote object by the names and types that a class declares.

``callbacks``  functions that are handed over, which get what is declared
``declaration``  `Declaration`: a class's names, with the value types of what they take and give
``members``  `members_of`: what a service class, a ``Protocol`` or a zope interface declares
``reactor``  `typed` for a reactor: Deferreds of the declared types
``scripts``  `typed` for code that may block: the declared types themselves
"""
