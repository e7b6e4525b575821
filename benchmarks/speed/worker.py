"""What every program of the comparison does: wait for the name of a task, do it once, say how long it took.

Only the standard library, for it runs in the environments of all of them.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable

__all__ = ["serve"]

# What libraries print, at import already, must not be taken for answers.
_ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def serve(versions: list[str], tasks: dict[str, Callable[[], object]]) -> None:
    """Answer each line of the standard input, the name of a task, with a line of JSON: seconds, and peak memory in MB.

    What a task returns, if it is a list of numbers, is in the answer's ``values``, by which programs are compared.
    """

    def say(content: dict[str, object]) -> None:
        print(json.dumps(content), file=_ANSWERS, flush=True)

    say({"versions": versions, "tasks": sorted(tasks)})
    for line in sys.stdin:
        start = time.perf_counter()
        values = tasks[line.strip()]()
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        say({"seconds": seconds, "peak_mb": peak, "values": values if isinstance(values, list) else None})
