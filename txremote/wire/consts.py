"""
The numbers of RPyC's protocol, under RPyC's names, and of our extensions.

Plain ints, never ``IntEnum``: brine goes by exact type, and a member of an
enum is not an ``int`` to it.
"""

from __future__ import annotations

from typing import Final

# Message kinds: the first byte of a payload (RPyC 6) or the first item of the
# brined tuple (RPyC 5).
MSG_REQUEST: Final = 1
MSG_REPLY: Final = 2
MSG_EXCEPTION: Final = 3

# Labels of a boxed value.
LABEL_VALUE: Final = 1
LABEL_TUPLE: Final = 2
LABEL_LOCAL_REF: Final = 3
LABEL_REMOTE_REF: Final = 4
#: Ours: a value with lists, dicts, records, references in it; only to a peer with "values".
LABEL_EXTENDED: Final = 5
#: Ours: the result of a call before this one, which may be still to come; only with "graphs".
LABEL_PROMISE: Final = 6

# Handlers RPyC knows (rpyc.core.consts).
HANDLE_PING: Final = 1
HANDLE_CLOSE: Final = 2
HANDLE_GETROOT: Final = 3
HANDLE_GETATTR: Final = 4
HANDLE_DELATTR: Final = 5
HANDLE_SETATTR: Final = 6
HANDLE_CALL: Final = 7
HANDLE_CALLATTR: Final = 8
HANDLE_REPR: Final = 9
HANDLE_STR: Final = 10
HANDLE_CMP: Final = 11
HANDLE_HASH: Final = 12
HANDLE_DIR: Final = 13
HANDLE_PICKLE: Final = 14
HANDLE_DEL: Final = 15
HANDLE_INSPECT: Final = 16
HANDLE_BUFFITER: Final = 17
HANDLE_OLDSLICING: Final = 18
HANDLE_CTXEXIT: Final = 19
HANDLE_INSTANCECHECK: Final = 20

# Ours. A stock peer answers a number it does not know with a KeyError and goes
# on, so every extension is a new handler number; but it logs the KeyError, so HELLO,
# which every stock server gets, comes as a PING.
HANDLE_HELLO: Final = 64
HANDLE_CANCEL: Final = 65
HANDLE_CALLPATH: Final = 66
HANDLE_RELEASE: Final = 67
HANDLE_STOPPING: Final = 68
HANDLE_DEADLINE: Final = 69
HANDLE_HALFWAY: Final = 70
HANDLE_DESCRIBE: Final = 71
HANDLE_FETCH: Final = 72
HANDLE_TRACE: Final = 73
HANDLE_OPERATIONS: Final = 74
HANDLE_KEEP: Final = 75
HANDLE_FORGET: Final = 76
HANDLE_STREAM: Final = 77
HANDLE_ITEMS: Final = 78
HANDLE_CREDIT: Final = 79
HANDLE_SUBSCRIBE: Final = 80
HANDLE_EVENTS: Final = 81
HANDLE_EVENT_CREDIT: Final = 82

HELLO_VERSION: Final = 1
#: What a PING's data begins with that is a HELLO: RPyC sends it back, and logs nothing.
HELLO_MARK: Final = "txremote: hello"
#: Where systems map no memory: RPyC's ids are addresses, and lie above.
LOWEST_ADDRESS: Final = 0x10000
FEATURE_CANCEL: Final = "cancel"
FEATURE_CALLPATH: Final = "callpath"
FEATURE_RELEASE: Final = "release"
FEATURE_STOPPING: Final = "stopping"
FEATURE_DEADLINE: Final = "deadline"
FEATURE_HALFWAY: Final = "halfway"
FEATURE_VALUES: Final = "values"
#: Takes the context of a call's trace, which comes right before the call.
FEATURE_TRACE: Final = "trace"
#: Takes results of calls as targets and arguments of others, before they are there.
FEATURE_GRAPHS: Final = "graphs"
#: Answers a PING at any time: not so a script, which serves only while it waits.
FEATURE_KEEPALIVE: Final = "keepalive"
#: Has operators: said only by a server that has some.
FEATURE_OPERATIONS: Final = "operations"
FEATURE_STREAMS: Final = "streams"
FEATURE_TOPICS: Final = "topics"
FEATURES: Final[tuple[str, ...]] = (
    *(FEATURE_CANCEL, FEATURE_CALLPATH, FEATURE_RELEASE),
    *(FEATURE_STOPPING, FEATURE_DEADLINE, FEATURE_HALFWAY, FEATURE_VALUES),
    *(FEATURE_STREAMS, FEATURE_GRAPHS, FEATURE_TOPICS),
)
#: What a peer may say that it knows; "trace" only while it traces.
KNOWN_FEATURES: Final = frozenset((*FEATURES, FEATURE_KEEPALIVE, FEATURE_TRACE, FEATURE_OPERATIONS))

# An exception message whose argument is this int is a bare StopIteration.
EXC_STOP_ITERATION: Final = 1

#: The class of what is read as a stream, as the name in its id pack.
STREAM_CLASS: Final = "txremote.Stream"
#: Likewise of what `txremote.Topic.subscribe` gives.
SUBSCRIPTION_CLASS: Final = "txremote.Subscription"

#: ``(name, class id, instance id)``: how a reference is written on the wire.
IdPack = tuple[str, int, int]
