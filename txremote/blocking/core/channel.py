"""RPyC's ``rpyc.core.channel``, by its names."""

from txremote.blocking.streams import Channel as Channel
