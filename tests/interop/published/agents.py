"""
genbase-client: an agent in a container keeps messages, files and values in its platform.
"""

from __future__ import annotations

import os

import absent

absent.stand_in("litellm")

import rpyc  # noqa: E402
from genbase import AgentContext, BaseAgent, ProfileStoreFilter  # noqa: E402
from rpyc.utils.server import ThreadedServer  # noqa: E402

from tests.interop.published.play import serve as run  # noqa: E402

CONFIG = {"allow_public_attrs": True, "allow_pickle": True}


def record(module_id, profile, collection, value):
    """Return a value as the platform keeps it."""
    where = {"module_id": module_id, "profile": profile, "collection": collection}
    when = "2024-01-01T00:00:00+00:00"
    number = "12345678-1234-5678-1234-567812345678"
    return {"id": number, "value": value, "created_at": when, "updated_at": when, **where}


class Platform(rpyc.Service):
    """In place of the platform: what the agent asks of it, kept for a connection."""

    def __init__(self):
        self.messages = []
        self.files = {}
        self.values = []

    def exposed_ping(self):
        """The word that the agent wants."""
        return "pong_rpyc"

    def exposed_add_message(self, module_id, profile, session_id, role, content, **more):
        """Keep a message."""
        self.messages.append({"role": role, "content": content, "profile": profile})

    def exposed_get_messages(self, module_id, profile, session_id):
        """Give them all."""
        return self.messages

    def exposed_write_file(self, module_id, profile, path, content):
        """Keep a file."""
        self.files[path] = content
        return True

    def exposed_read_file(self, module_id, profile, path):
        """Give its content."""
        return self.files.get(path)

    def exposed_profile_store_set_value(self, module_id, profile, collection, value):
        """Keep a value that is a dict of the agent's."""
        self.values.append(rpyc.utils.classic.obtain(value))
        return record(module_id, profile, collection, self.values[-1])

    def exposed_profile_store_find(self, module_id, profile, collection, condition):
        """Give as many as the condition allows."""
        found = self.values[: condition["limit"]]
        return [record(module_id, profile, collection, each) for each in found]


class Agent(BaseAgent):
    """The smallest one."""

    @property
    def agent_type(self) -> str:
        """Its kind."""
        return "small"

    async def run(self):
        """It is not run."""


def serve() -> None:
    """Serve as the platform would."""
    run(ThreadedServer(Platform, hostname="127.0.0.1", port=0, protocol_config=CONFIG))


def use(port: int) -> None:
    """Write and read messages, a file and values."""
    os.environ.update(RPYC_HOST="127.0.0.1", INTERNAL_RPYC_PORT=str(port))
    agent = Agent(AgentContext("module", "profile", "hello"))
    agent.add_message("user", "hello")
    agent.add_message("assistant", "good day")
    assert [each["content"] for each in agent.get_messages()] == ["hello", "good day"]
    assert agent.utils.files.write("a.txt", "text") is True
    assert agent.utils.files.read("a.txt") == "text"
    store = agent.store("things")
    kept = store.set_value({"size": 3, "parts": ["a", "b"]})
    assert type(kept.value) is dict and kept.value["parts"] == ["a", "b"]
    found = store.find(ProfileStoreFilter(limit=1))
    assert [each.value for each in found] == [{"size": 3, "parts": ["a", "b"]}]
