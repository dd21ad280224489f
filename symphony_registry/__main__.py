"""`python -m symphony_registry` is `symphony-registry`."""

import sys

from symphony_registry.cli import main

if __name__ == "__main__":
    sys.exit(main())
