"""
History and completion at a prompt.
"""

import sys

import pytest

from txremote.console.history import use_readline

readline = pytest.importorskip("readline")


@pytest.fixture
def clean():
    """readline as it was."""
    completer, delimiters = readline.get_completer(), readline.get_completer_delims()
    readline.clear_history()
    yield
    readline.clear_history()
    readline.set_completer(completer)
    readline.set_completer_delims(delimiters)


@pytest.mark.usefixtures("clean")
class TestReadline:
    def test_history_is_kept_in_a_file(self, tmp_path):
        """The lines of last time are there next time."""
        path = str(tmp_path / "history")
        save = use_readline(lambda _text, _number: None, path, " ")
        readline.add_history("import_file file1")
        save()
        readline.clear_history()
        use_readline(lambda _text, _number: None, path, " ")
        assert readline.get_history_item(1) == "import_file file1"

    def test_completion(self, tmp_path):
        """The completer is asked, with words as long as they are meant to be."""

        def complete(text, number):
            return None

        use_readline(complete, str(tmp_path / "history"), " ,")
        assert readline.get_completer() is complete
        assert readline.get_completer_delims() == " ,"

    def test_a_home_that_cannot_be_written(self, tmp_path):
        """Is no reason to complain."""
        use_readline(lambda _text, _number: None, str(tmp_path / "no" / "history"), " ")()


def test_without_readline(monkeypatch, tmp_path):
    """A Python that has none has a plain prompt."""
    monkeypatch.setitem(sys.modules, "readline", None)
    monkeypatch.setattr("txremote.console.history.find_spec", lambda _name: None)
    use_readline(lambda _text, _number: None, str(tmp_path / "history"), " ")()
    assert not (tmp_path / "history").exists()
