"""`python -m langwright` is `langwright`."""

from __future__ import annotations

import sys

from langwright.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
