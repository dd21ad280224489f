"""Deliberate damage: what the embedded stores promise, tried until it breaks.

`python -m benchmarks.torture` runs the long form of everything and prints a table;
the tests run the same code in its quick form.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests"))  # the plain providers that serve as models
