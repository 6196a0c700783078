"""
Programs that were written for 0.1 go on: its names, parameters, switches and options are there.

The lists are what the reference of 0.1 named. A name that has to go is deprecated for a version
first, and ``CHANGES.rst`` tells of it.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
import socket
from inspect import Parameter
from typing import Any

import pytest

import txremote
from txremote import ConnectionConfig
from txremote.daemon.tap import Options

NAMES = """
AsyncResult AsyncResultTimeout ClassicService ClientStatus Connection ConnectionConfig
ConnectionLost ContainerError DeadReferenceError GenericException IAsyncResult IRemoteService
JobTimeout MasterService NotPicklable NotSendable PoolFull PoolStopped Progress RemoteClient
RemotePath RemoteProtocolError RemoteReference RemoteStopIteration ServerStopping Service
SlaveService Task TxRemoteError UsageError VoidService WorkerDied WouldBlockReactor WrongThread
errors.WrongThread interfaces.IPool interfaces.IPoolKind console.client.ConsoleLimits
jsonlog.observer net.tls.tls_client testing.Pair
AsyncResult.ready AsyncResult.error AsyncResult.expired AsyncResult.value AsyncResult.deferred
Connection.root Connection.closed Connection.is_txremote Service.ALIASES Service.threaded_service
Service.get_service_name Service.get_service_aliases RemoteClient.status ConnectionConfig.preset
blocking.AsyncResult blocking.AsyncResultTimeout blocking.BaseNetref blocking.ClassicService
blocking.GenericException blocking.MasterService blocking.Service blocking.SlaveService
blocking.VoidService blocking.async_ blocking.async blocking.exposed blocking.threaded
blocking.timed blocking.BlockingConnection.root blocking.BlockingConnection.closed
blocking.BlockingConnection.fileno blocking.utils.server.ThreadedServer blocking.utils.stdio
blocking.ThreadedServer.fileno blocking.classic.ClassicService blocking.classic.MasterService
blocking.classic.SlaveService blocking.classic.ModuleNamespace
blocking.classic.DEFAULT_SERVER_PORT blocking.classic.DEFAULT_SERVER_SSL_PORT
"""

SIGNATURES = """
listen(endpoint, root, *, config=None, threaded_service=None, reactor=None)
Service.on_connect(conn)
Service.on_disconnect(conn)
exposed(target)
expose(*interfaces)
restricted(obj, attrs, wattrs=None)
threaded(method)
current_call()
connect(endpoint, *, service=None, config=None, dialect="auto", timeout=30, reactor=None)
Connection.close()
Connection.when_disconnected()
Connection.ping(data=None, timeout=3)
RemoteClient(endpoint, *, service=None, config=None, dialect="auto", timeout=30, wait_timeout=30,
    login=None, on_connect=None, retry_policy=None, reactor=None)
RemoteClient.whenConnected(failAfterFailures=None)
RemoteClient.startService()
RemoteClient.stopService()
get_remote(target, name)
set_remote(target, name, value)
del_remote(target, name)
repr_remote(target)
str_remote(target)
dir_remote(target)
len_remote(target)
async_(proxy)
timed(proxy, timeout)
AsyncResult.wait()
AsyncResult.add_callback(func)
AsyncResult.set_expiry(timeout)
run_async(function, /, *args, at_return=None, at_return_kwargs=None, at_err=None,
    at_err_kwargs=None, use_thread=False, proc_timeout=None, pool=None, **kwargs)
live(obj)
offloaded(function=None, /, *, pool=None, timeout=None)
work.pool_from_string(spec, reactor=None)
work.set_default_pool(pool)
TaskManager(**options)
TaskManager.submit(container, line)
TaskManager.open(container)
TaskManager.tasks(status=None)
TaskManager.find(no=-1, status=None)
TaskManager.listen(output=None, progress=None, state=None)
TaskManager.stop(drain=5.0)
Task.when_done()
Task.kill()
Task.listen(output=None, progress=None, state=None)
Progress(done, total=None, text='')
ConsoleService(*containers, endpoints=('tcp:2199:interface=127.0.0.1',), manager=None,
    limits=None, drain=5.0, reactor=None)
TaskService(*containers, manager=None, reactor=None)
blocking.connect(host, port, service=VoidService, config=None, ipv6=False, keepalive=False)
blocking.unix_connect(path, service=VoidService, config=None)
blocking.ssl_connect(host, port, keyfile=None, certfile=None, ca_certs=None, cert_reqs=None,
    ssl_version=None, ciphers=None, service=VoidService, config=None, ipv6=False, keepalive=False,
    verify_mode=None)
blocking.connect_pipes(input, output, service=VoidService, config=None)
blocking.connect_subproc(args, service=VoidService, config=None)
blocking.connect_thread(service=VoidService, config=None, remote_service=VoidService,
    remote_config=None)
blocking.BlockingConnection.serve(timeout=1, wait_for_lock=True)
blocking.BlockingConnection.poll(timeout=0)
blocking.BlockingConnection.poll_all(timeout=0)
blocking.BlockingConnection.serve_all()
blocking.BlockingConnection.ping(data=None, timeout=3)
blocking.BlockingConnection.close()
blocking.BlockingConnection.fileno()
blocking.BlockingConnection.sync_request(handler, *args)
blocking.BlockingConnection.async_request(handler, *args, timeout=None)
blocking.BgServingThread(conn, callback=None, serve_interval=0.0, sleep_interval=0.0)
blocking.BgServingThread.stop()
blocking.buffiter(obj, chunk=10, max_chunk=1000, factor=2)
blocking.service(cls)
blocking.ThreadedServer(service, hostname=None, ipv6=False, port=0, backlog=socket.SOMAXCONN,
    reuse_addr=True, authenticator=None, registrar=None, auto_register=None, protocol_config=None,
    logger=None, listener_timeout=0.5, socket_path=None)
blocking.ThreadedServer.start()
blocking.ThreadedServer.close()
blocking.classic.connect(host, port=18812, ipv6=False, keepalive=False, service=MasterService)
blocking.classic.unix_connect(path, service=MasterService)
blocking.classic.connect_thread(service=MasterService)
blocking.classic.ssl_connect(host, port=18821, service=MasterService, **options)
blocking.classic.connect_subproc(server_file=None, service=None)
blocking.classic.obtain(proxy, unpickle=False)
blocking.classic.deliver(conn, localobj)
blocking.classic.upload(conn, localpath, remotepath, filter=None, ignore_invalid=False,
    chunk_size=64000)
blocking.classic.download(conn, remotepath, localpath, filter=None, ignore_invalid=False,
    chunk_size=64000)
blocking.classic.redirected_stdio(conn)
testing.connected_pair(client_root=VoidService, server_root=VoidService, *, config=None,
    client_config=None, server_config=None, dialect="6", clock=None, introduce=True)
testing.Pair.pump(chunk=None)
testing.Pair.advance(seconds)
testing.Pair.lose(reason=None)
testing.Pair.result(deferred)
"""

SWITCHES = """
allow_safe_attrs=True, allow_exposed_attrs=True, allow_public_attrs=False,
allow_all_attrs=False, exposed_prefix="exposed_", allow_getattr=True, allow_setattr=False,
allow_delattr=False, allow_pickle=False, include_local_traceback=None,
include_local_version=False, instantiate_custom_exceptions=False,
import_custom_exceptions=False, log_exceptions=True, logger=None, sync_request_timeout=30,
before_closed=None, bind_threads=False, call_timeout=None, compress="auto",
max_frame=67108864, max_inflated=67108864, max_depth=100, max_int_digits=4300,
max_items=2000000, request_timeout=None, frame_timeout=60.0, keepalive=60.0,
keepalive_timeout=30.0, idle_timeout=None, login_timeout=30.0, max_connections=20000,
max_per_address=2000, max_logins=1000, max_calls=1000, max_waiting=10000,
max_unanswered=268435456, max_exports=1000000, max_imports=100000, max_threads=1000,
pause_unsent=4194304, max_unsent=268435456
"""

OPTIONS = """
auth call-timeout classic config console container drain frame-timeout help help-auth
help-auth-type idle-timeout keepalive-timeout keepalive listen login-timeout max-calls
max-connections max-depth max-exports max-frame max-imports max-inflated max-int-digits max-items
max-line max-logins max-per-address max-threads max-unanswered max-unsent max-waiting pause-unsent
pool request-timeout service sync-request-timeout threaded tls-ca tls-cert tls-key verbose version
"""

# Defaults that are others now, and say the same.
CHANGED = {("blocking.classic.obtain", "unpickle"): None}


def resolve(name: str) -> Any:
    """Return what a dotted name means, counted from the package."""
    found: Any = txremote
    for part in name.split("."):
        if inspect.ismodule(found) and not hasattr(found, part):
            importlib.import_module(f"{found.__name__}.{part}")
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("name", NAMES.split())
def test_a_name_is_where_it_was(name: str) -> None:
    """Importing it, or reading it from what is imported, raises nothing."""
    resolve(name)


def signatures() -> list[tuple[str, str]]:
    """Return each name with its parameters, as they are written."""
    joined = re.sub(r"\n +", " ", SIGNATURES.strip())
    return re.findall(r"^([\w.]+)\((.*)\)$", joined, re.MULTILINE)


def parameters(signature: inspect.Signature) -> tuple[list[Parameter], dict[str, Parameter]]:
    """Return the parameters that may be given by position, and all of them by name."""
    every = [each for each in signature.parameters.values() if each.name != "self"]
    by_position = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    return [each for each in every if each.kind in by_position], {each.name: each for each in every}


@pytest.mark.parametrize(("name", "written"), signatures())
def test_a_call_as_it_was_written_means_the_same(name: str, written: str) -> None:
    """Parameters are where they were, with their defaults; those that are new may be left away."""
    public = {each: resolve(each) for each in ("VoidService", "MasterService")}
    old, old_by_name = parameters(
        inspect.signature(eval(f"lambda {written}: None", {**public, "socket": socket}))
    )
    new, new_by_name = parameters(inspect.signature(resolve(name)))
    assert [each.name for each in new[: len(old)]] == [each.name for each in old]
    for each in old_by_name.values():
        now = new_by_name[each.name]
        assert now.kind == each.kind, each.name
        if each.default is not Parameter.empty:
            assert now.default == CHANGED.get((name, each.name), each.default), each.name
    variable = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    for each in new_by_name.values():
        if each.name not in old_by_name and each.kind not in variable:
            assert each.default is not Parameter.empty, each.name


def test_a_switch_has_its_name_and_its_default() -> None:
    """All of 0.1 are there."""
    now = {each.name: each.default for each in dataclasses.fields(ConnectionConfig)}
    then = eval(f"dict({SWITCHES.strip()})")
    assert {name: now.get(name, "is gone") for name in then} == then


def test_an_option_of_twistd_is_there() -> None:
    """All of 0.1 are there, and those that take a word do so still."""
    options = Options()
    assert set(OPTIONS.split()) - {option.rstrip("=") for option in options.longOpt} == set()
    flags = {option for option in options.longOpt if not option.endswith("=")}
    assert flags >= {"classic", "threaded", "verbose", "version", "help", "help-auth"}
