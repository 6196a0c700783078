"""
Help for programs of other projects: one folder for each, which needs that project to be installed.

``evennia``  game servers of Evennia's: its pools, services, commands, logins and objects
"""
