"""``python -m descend`` is ``descend``."""

import sys

from descend.cli import main

if __name__ == "__main__":
    sys.exit(main())
