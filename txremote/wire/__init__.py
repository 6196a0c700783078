"""
Bytes to values and back: RPyC's protocol with nothing around it.

Everything here is a pure function or a small object fed with bytes. No module
of this room knows Twisted, a socket, a thread or a policy, so all of it can be
tried with literals at a prompt, and every other room builds on it.
"""
