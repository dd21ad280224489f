"""Moving what a store holds: to another store, to a file of JSON lines, and back.

A store, whatever its provider, is one or two sections of records, each in a stated
order. Copying, comparing, exporting and importing know only these.
"""

from symphony_registry.transfer.comparing import Comparison, Difference, compare
from symphony_registry.transfer.contents import Contents, StoreContents, as_kept, count_all
from symphony_registry.transfer.copying import Action, Existing, Plan, copy, plan_copy
from symphony_registry.transfer.lines import Exported, ExportFile, write_lines
from symphony_registry.transfer.progress import Progress, Stage
from symphony_registry.transfer.summary import summarize

__all__ = [
    "Action",
    "Comparison",
    "Contents",
    "Difference",
    "Existing",
    "ExportFile",
    "Exported",
    "Plan",
    "Progress",
    "Stage",
    "StoreContents",
    "as_kept",
    "compare",
    "copy",
    "count_all",
    "plan_copy",
    "summarize",
    "write_lines",
]
