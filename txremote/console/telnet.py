"""
`TelnetLines`: the bytes of a console's client, as lines and keys.

Bytes go in, lines and keys come out, and with them the answers to telnet's commands (RFC 854).
Every option is refused, so a client stays in the mode it begins in, which is whole lines with
local echo. An option is refused once and a refusal is never answered, so that no two parties can
keep each other busy. The one exception is the timing mark (RFC 860), which is answered each time:
after Ctrl-C ``telnet`` drops all it reads until then.

====================  ==================================================
bytes                 what they are
====================  ==================================================
LF, CR LF, CR NUL,    the end of a line; they may come in two packets
CR
0x03, IAC IP, BRK,    `Key.INTERRUPT`; the line that was begun is dropped
ABORT
0x04, IAC EOF         `Key.END`, at the beginning of a line
IAC WILL, DO          refused
IAC SB ... IAC SE     skipped
IAC AYT               answered with ``[yes]``
IAC IAC               the byte 255, which is in no UTF-8
other controls        dropped, arrow keys (ESC [ A) as a whole: the words of
                      one client are shown on the terminals of others
====================  ==================================================

A line is decoded as a whole; bytes that are no UTF-8 become U+FFFD. A line that is too long is
reported at once, as `Key.TOO_LONG`, and dropped up to its end.
"""

from __future__ import annotations

import enum
import re
from typing import Final

IAC: Final = 255
_DONT, _DO, _WONT, _WILL, _SB, _SE = 254, 253, 252, 251, 250, 240
_AYT: Final = 246
_INTERRUPTS: Final = frozenset({244, 243, 238})  # IP, BRK, ABORT
_EOF: Final = 236
_TIMING_MARK: Final = 6

# Bytes of a subnegotiation that are skipped before it is taken for a stray byte 250.
_MAX_SUBNEGOTIATION: Final = 4096

_ENDS = re.compile(rb"\r[\n\0]?|[\n\x03\x04]")
_CONTROLS = re.compile(
    "\x1b(?:\\[[0-?]*[ -/]*[@-~]|O.|[^\\[O])?"  # what special keys send
    "|[\x00-\x08\x0a-\x1f\x7f-\x9f]"
)


class Key(enum.Enum):
    """The keys that are no part of a line."""

    INTERRUPT = "interrupt"
    END = "end"
    TOO_LONG = "too long"


Event = str | Key


class TelnetLines:
    """The bytes of one client. For one thread."""

    def __init__(self, max_line: int) -> None:
        self._max_line = max_line
        self._line = bytearray()
        self._refusing = False  # the line is too long
        self._after_cr = False
        self._command = bytearray()  # IAC and what has come behind it
        self._skipped = 0
        self._answered: set[bytes] = set()

    def receive(self, data: bytes) -> tuple[list[Event], bytes]:
        """Read some bytes; return the lines and keys in them, and the bytes to be sent back."""
        events: list[Event] = []
        answer = bytearray()
        at = 0
        while at < len(data):
            if self._command:
                self._add_to_command(data[at], events, answer)
                at += 1
                continue
            end = data.find(IAC, at)
            if end < 0:
                end = len(data)
            else:
                self._command.append(IAC)
            if end > at:
                self._take_text(data[at:end], events)
            at = end + 1
        return events, bytes(answer)

    def finish(self) -> list[Event]:
        """Return the line that the end of the input has cut off, if there is one."""
        events: list[Event] = []
        if self._line:
            self._end_line(events)
        return events

    # -- telnet's commands

    def _add_to_command(self, byte: int, events: list[Event], answer: bytearray) -> None:
        command = self._command
        if len(command) >= 2 and command[1] == _SB:
            self._skip(byte)
            return
        command.append(byte)
        code = command[1]
        if code in (_WILL, _WONT, _DO, _DONT):
            if len(command) == 3:
                self._refuse(bytes(command), answer)
                command.clear()
        elif code == _SB:
            self._skipped = 0
        else:
            command.clear()
            if code == IAC:
                self._take_text(b"\xff", events)
            elif code in _INTERRUPTS:
                self._interrupt(events)
            elif code == _EOF:
                self._end_input(events)
            elif code == _AYT:
                answer += b"[yes]\r\n"

    def _skip(self, byte: int) -> None:
        command = self._command
        self._skipped += 1
        after_iac = command[-1] == IAC and len(command) == 3
        if (after_iac and byte == _SE) or self._skipped > _MAX_SUBNEGOTIATION:
            command.clear()
        elif byte == IAC and not after_iac:
            command.append(IAC)
        else:
            del command[2:]

    def _refuse(self, command: bytes, answer: bytearray) -> None:
        _iac, verb, option = command
        if verb == _DO and option == _TIMING_MARK:
            answer += bytes((IAC, _WILL, option))
        elif verb in (_DO, _WILL) and command not in self._answered:
            self._answered.add(command)
            answer += bytes((IAC, _WONT if verb == _DO else _DONT, option))

    # -- lines

    def _take_text(self, data: bytes, events: list[Event]) -> None:
        at = 0
        if self._after_cr and data[0] in b"\n\0":
            at = 1
        self._after_cr = False
        for end in _ENDS.finditer(data, at):
            self._add(data[at : end.start()], events)
            at = end.end()
            if end[0] == b"\x03":
                self._interrupt(events)
            elif end[0] == b"\x04":
                self._end_input(events)
            else:
                self._end_line(events)
                self._after_cr = end[0] == b"\r" and at == len(data)
        self._add(data[at:], events)

    def _add(self, part: bytes, events: list[Event]) -> None:
        if self._refusing:
            return
        if len(self._line) + len(part) > self._max_line:
            self._line.clear()
            self._refusing = True
            events.append(Key.TOO_LONG)
        else:
            self._line += part

    def _end_line(self, events: list[Event]) -> None:
        if not self._refusing:
            events.append(_CONTROLS.sub("", self._line.decode("utf-8", "replace")))
        self._line.clear()
        self._refusing = False

    def _interrupt(self, events: list[Event]) -> None:
        self._line.clear()
        self._refusing = False
        events.append(Key.INTERRUPT)

    def _end_input(self, events: list[Event]) -> None:
        if not self._line and not self._refusing:
            events.append(Key.END)
