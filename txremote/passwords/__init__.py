"""
Passwords in a file, hashed: ``txremote passwd`` writes them, ``--auth scrypt:FILE`` reads them.

``checker``  the checker of Twisted's for such a file, and the plugin that makes it
``hashes``  one password as text: scrypt with its parameters and its salt
``passwordfile``  the lines of a file: read, and written in one step
``threads``  the threads in which passwords are hashed: few at once, and none of the reactor's
"""
