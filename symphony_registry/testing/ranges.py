"""Ids, and what ranges of them may begin and end with."""

# In code-point order; some begin with what looks like a pattern, or end where the code points do.
IDS = [
    "%",
    "A",
    "a",
    "a/1",
    "a/10",
    "a/2",
    "a0",
    "b",
    "b_",
    "é",
    "\ud7ff",
    "\ud7ffx",
    "\ue000",
    "\U0010ffff",
    "\U0010ffffx",
]
PREFIXES = [*IDS, "", "a/1", "_", "x", "\ud7ffxx", "\U0010ffff" * 2]
BOUNDS = [None, *IDS, "a/", "a/15", "z"]
