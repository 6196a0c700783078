"""``python -m txremote``."""

import sys

from txremote.cli import main

if __name__ == "__main__":
    sys.exit(main())
