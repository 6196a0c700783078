"""RPyC's ``rpyc.core.vinegar``, by its names."""

from txremote.errors import GenericException as GenericException
