"""
The file monitor of the examples: twistd, clients of either library, and a real file.
"""

import signal
import sys

from examples import filemonitor
from tests.processes import Program, Twistd, run

SERVICE = "examples.filemonitor.FileMonitorService"


def client(server, *words):
    return sys.executable, "examples/filemonitor.py", "127.0.0.1", server.port, *words


class TestFileMonitor:
    def test_changes_are_told_as_they_happen(self, tmp_path):
        """A file that grows, goes and comes back; another that nobody touches."""
        file, other = tmp_path / "watched", tmp_path / "other"
        file.write_text("")
        longer = tmp_path / "longer"
        longer.write_text("five!")
        with Twistd(SERVICE) as server:
            with Program(*client(server, file, "3")) as watcher:
                with Program(*client(server, other)) as idle:
                    watcher.wait_for("watching\n")
                    idle.wait_for("watching\n")
                    for change, said in [
                        (lambda: longer.replace(file), "0 bytes, then 5 bytes"),
                        (file.unlink, "5 bytes, then no file"),
                        (lambda: file.write_text(""), "no file, then 0 bytes"),
                    ]:
                        change()
                        watcher.wait_for(f"{file}: {said}\n")
                    assert watcher.finish() == 0
                    assert idle.output == "watching\n"
                    # Ctrl-C
                    idle.signal(signal.SIGINT)
                    assert idle.finish() == 0
                    assert "Traceback" not in idle.output
            server.signal(signal.SIGTERM)
            server.finish()
            assert "Traceback" not in server.output

    def test_watcher_ends_with_the_server(self, tmp_path):
        """It does not wait for ever for events of a server that has gone."""
        with Twistd(SERVICE) as server:
            with Program(*client(server, tmp_path / "watched")) as watcher:
                watcher.wait_for("watching\n")
                server.signal(signal.SIGTERM)
                assert watcher.finish() == 0
                assert "Traceback" not in watcher.output

    def test_client_that_has_gone_is_not_watched_for_any_more(self):
        """The threads of a connection end with it."""
        service = filemonitor.FileMonitorService()
        monitor = service.monitor("no such file", lambda before, after: None, 0.001)
        assert monitor._thread.is_alive()
        service.on_disconnect(None)
        assert not monitor._thread.is_alive()

    def test_called_wrong_it_says_how(self):
        """Without its arguments it prints its usage."""
        status, _out, err = run(sys.executable, "examples/filemonitor.py")
        assert status == 1
        assert err.startswith("usage: python examples/filemonitor.py HOST PORT FILE")
