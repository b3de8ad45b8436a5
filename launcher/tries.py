"""The memory of tries: how the steps ended that this launcher has executed.

A result counts when it is booked. But a standby that becomes the primary may not have received the booking, nor that the
step was handed out. It then hands the step out again. The launcher reports again how it ended, and does not execute it.
The memory is of a fixed size: when it is full, the oldest tries are forgotten.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Sequence

from .step import StepResult, StepRun, Try

TRIES = 1 << 16
OUTPUT_BYTES = 1 << 22

# jlgid, claimed, jstid and number, which name the try over a failover, too; place and size of the output, duration,
# jslresult, jslstatus
_ENTRY = struct.Struct("=iqiiqidic")
_NONE = -(2**31)  # as jslresult


class Tries:
    """Remembers the last TRIES results, and the last OUTPUT_BYTES of their output."""

    def __init__(self) -> None:
        """Remember nothing yet. The room is reserved, so that no result is lost for want of it later; it takes memory by use."""
        self._entries, self._outputs = mmap.mmap(-1, TRIES * _ENTRY.size), mmap.mmap(-1, OUTPUT_BYTES)
        self._count = 0  # of all tries until now
        self._written = 0  # bytes of output until now
        self._claimed = 0  # the latest claim of their runs
        self._old_count = self._old_claimed = 0  # the same at the last `look_back`

    def note(self, run: StepRun, result: StepResult) -> None:
        """Remember how a step has ended."""
        output = result.jsloutput.encode()[:OUTPUT_BYTES]
        _ENTRY.pack_into(
            self._entries,
            self._count % TRIES * _ENTRY.size,
            *(run.jlgid, run.claimed, run.jstid, run.number),
            *(self._written, len(output), result.jslduration),
            _NONE if result.jslresult is None else result.jslresult,
            result.jslstatus.encode(),
        )
        self._count += 1
        self._claimed = max(self._claimed, run.claimed)
        start = self._written % OUTPUT_BYTES
        fitting = OUTPUT_BYTES - start
        self._outputs[start : start + len(output[:fitting])] = output[:fitting]
        self._outputs[: len(output[fitting:])] = output[fitting:]
        self._written += len(output)

    def look_back(self) -> None:
        """From now on a step may be handed out again that has ended before now."""
        self._old_count, self._old_claimed = self._count, self._claimed

    def ended(self, runs: Sequence[StepRun]) -> dict[Try, StepResult]:
        """Return how the steps among *runs* ended that are handed out again."""
        # In most calls there is none: then the search is spared.
        wanted = {
            (run.jlgid, run.claimed, run.jstid, run.number): run
            for run in runs
            if run.claimed <= self._old_claimed
        }
        found = {}
        for number in range(max(self._count - TRIES, 0), self._old_count if wanted else 0):
            entry = _ENTRY.unpack_from(self._entries, number % TRIES * _ENTRY.size)
            if (run := wanted.get(entry[:4])) is not None:
                place, size, duration, jslresult, status = entry[4:]
                found[run.id] = StepResult(
                    run.jlgid,
                    run.jslid,
                    status.decode(),
                    None if jslresult == _NONE else jslresult,
                    self._output(place, size),
                    duration,
                    run.handed,
                )
        return found

    def _output(self, place: int, size: int) -> str:
        if place < self._written - OUTPUT_BYTES:
            return "The output is not known any more."
        start = place % OUTPUT_BYTES
        data = self._outputs[start : start + size]
        data += self._outputs[: size - len(data)]
        return data.decode(errors="replace")
