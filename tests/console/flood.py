"""
Commands that put out very much.

Not a test file.
"""

SIZE = 60_000_000


class Flood:
    commands = ["text", "value", "fine"]
    thcommands = ["thtext", "thvalue", "endless"]

    def text(self):
        "print one huge text in the reactor's thread"
        print("x" * SIZE)

    def value(self):
        "return one huge text in the reactor's thread"
        return "x" * SIZE

    def thtext(self):
        "print one huge text in a thread"
        print("x" * SIZE)

    def thvalue(self):
        "return one huge text of many lines in a thread"
        return "é\n" * (SIZE // 2)

    def endless(self):
        "print without end in a thread"
        while True:
            print("y" * 10_000)

    def fine(self):
        "say that all is well"
        return "all is well"
