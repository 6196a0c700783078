"""
Makes ``txremote`` a command of ``twistd``.
"""

from twisted.application.service import ServiceMaker

txremote = ServiceMaker(
    "txremote",
    "txremote.tap",
    "Serve Python objects to txremote and RPyC clients.",
    "txremote",
)
