"""
``txremote stubs``: what type checkers know of a remote object.

``annotations``  `Annotations`: annotations as text, and the imports that they need
``command``  `run_stubs`: the command ``txremote stubs``
``flavours``  `Flavour`: what a call gives in a reactor, in asyncio and in a script
``module``  `module_text`: a module of Protocols for a class and those that it leads to
``protocol``  `ProtocolWriter`: one class as one Protocol
``type_checking``  `names_for_checkers`: what a module imports for type checkers only
"""
