"""RPyC's ``rpyc.utils.classic``, which is ``rpyc.classic``: the same module here."""

import sys

from txremote.blocking import classic

sys.modules[__name__] = classic
