"""
Registries: where the servers of a name are, though they come and go.

``ports``  what a registry is to those who use it
"""
