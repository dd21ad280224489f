"""What a part of the torture tried, what came of it, and what went wrong."""

import signal
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType


@dataclass
class Tally:
    """Counts of one part; `failures` describe how to see each again."""

    part: str
    patience: float = 60  # seconds that a case may take, 0 for any time
    tried: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0

    @contextmanager
    def trying(self, case: str) -> Iterator[None]:
        """Count a case; an exception within is a failure, as is a hang, and the next case goes on."""
        self.tried += 1
        signal.signal(signal.SIGALRM, _give_up)
        signal.setitimer(signal.ITIMER_REAL, self.patience)
        try:
            yield
        except Exception as error:
            trace = "".join(traceback.format_exception(error, limit=-8))
            self.failures.append(f"{self.part}, {case}: {trace}")
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


def _give_up(_number: int, _frame: FrameType | None) -> None:
    raise TimeoutError("it hangs")
