"""Tests of ``twistd txremote --workers``; `real` starts real ones."""
