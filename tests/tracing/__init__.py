"""Tests of `txremote.tracing`."""
