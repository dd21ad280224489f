"""Deliberate damage: what the embedded stores promise, tried until it breaks.

`python -m torture` runs the long form of everything and prints a table;
the tests run the same code in its quick form.
"""

from pathlib import Path

ROOT = Path(__file__).parent.parent
