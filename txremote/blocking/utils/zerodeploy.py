"""RPyC's ``rpyc.utils.zerodeploy``, by its names, which are refused."""

from txremote.blocking.refused import refused

_INSTEAD = (
    "install txremote on the machine, start 'txremote.blocking.utils.stdio' there by ssh, and "
    "connect with connect_subproc(['ssh', ...])"
)

DeployedServer = refused("DeployedServer", _INSTEAD)
MultiServerDeployment = refused("MultiServerDeployment", _INSTEAD)
