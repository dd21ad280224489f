"""Moving what a store holds: to another store, to a file of JSON lines, and back.

A store, whatever its provider, is one or two collections of items, each in a stated
order. Copying, comparing, exporting and importing know only these.
"""

from symphony_registry.transfer.comparing import Comparison, Difference, compare
from symphony_registry.transfer.contents import Contents, StoreContents, as_kept, count_all
from symphony_registry.transfer.copying import Action, CopyPlan, Existing, copy, plan_copy
from symphony_registry.transfer.lines import Exported, ExportFile, write_lines
from symphony_registry.transfer.progress import Progress, Stage
from symphony_registry.transfer.summary import count_items, summarize
from symphony_registry.transfer.symphony_files import SymphonyFiles

__all__ = [
    "Action",
    "Comparison",
    "Contents",
    "CopyPlan",
    "Difference",
    "Existing",
    "ExportFile",
    "Exported",
    "Progress",
    "Stage",
    "StoreContents",
    "SymphonyFiles",
    "as_kept",
    "compare",
    "copy",
    "count_all",
    "count_items",
    "plan_copy",
    "summarize",
    "write_lines",
]
