"""The memory of tries: how the steps ended that this launcher has executed.

A result counts when it is booked. But a standby that becomes the primary may not have received the booking, nor the
steps that came after it in the run. The launcher then reports again how they ended, and does not execute them again.
The memory has a fixed size: the oldest tries are forgotten.
"""

from __future__ import annotations

import struct
from collections import defaultdict, deque
from collections.abc import Collection, Sequence
from dataclasses import replace

from .step import StepResult, StepRun, Try

TRIES = 1 << 16
OUTPUT_BYTES = 1 << 22

# handed, place and size of the output, duration, jslid, jlgid, jstid, jslresult, jslstatus
_ENTRY = struct.Struct("=qqidiiiic")
_NONE = -(2**31)  # as jslresult


class Tries:
    """Remembers the last TRIES results, and the last OUTPUT_BYTES of their output."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._entries = bytearray(_ENTRY.size * TRIES)
        self._outputs = bytearray(OUTPUT_BYTES)
        self._count = 0  # of all tries until now
        self._written = 0  # bytes of output until now
        self._to_repeat: dict[tuple[int, int], deque[StepResult]] = {}  # by jlgid and jstid

    def note(self, run: StepRun, result: StepResult, *, repeat: bool = False) -> None:
        """Remember how a step has ended. *repeat*: it may be handed out again, and is to be reported then."""
        if repeat:
            self._to_repeat.setdefault((run.jlgid, run.jstid), deque()).append(result)
        output = result.jsloutput.encode()[:OUTPUT_BYTES]
        _ENTRY.pack_into(
            self._entries,
            self._count % TRIES * _ENTRY.size,
            run.handed,
            self._written,
            len(output),
            result.jslduration,
            run.jslid,
            run.jlgid,
            run.jstid,
            _NONE if result.jslresult is None else result.jslresult,
            result.jslstatus.encode(),
        )
        self._count += 1
        start = self._written % OUTPUT_BYTES
        fitting = OUTPUT_BYTES - start
        self._outputs[start : start + len(output[:fitting])] = output[:fitting]
        self._outputs[: len(output[fitting:])] = output[fitting:]
        self._written += len(output)

    def resume(self, in_progress: Sequence[StepRun]) -> dict[Try, StepResult]:
        """Return the results of the steps that are in progress by the database, and have ended here.

        What followed these steps in their runs is repeated by `repeat`.
        """
        known = self._of_runs({run.jlgid for run in in_progress})
        ended = {}
        self._to_repeat = {}
        for run in in_progress:
            tries = known[run.jlgid]
            if run.id in tries:
                ended[run.id] = tries[run.id][1]
                for jstid, result in tries.values():
                    if result.handed > run.handed:
                        self._to_repeat.setdefault((run.jlgid, jstid), deque()).append(result)
        return ended

    def repeat(self, run: StepRun) -> StepResult | None:
        """Return how a step ended that is handed out again because the server has forgotten that it ran."""
        results = self._to_repeat.get((run.jlgid, run.jstid))
        if not results:
            return None
        result = results.popleft()
        return replace(result, jslid=run.jslid, handed=run.handed)

    def _of_runs(self, jlgids: Collection[int]) -> dict[int, dict[Try, tuple[int, StepResult]]]:
        """Return what is known of these runs: jstid and result by try, in the order in which they ended."""
        found: dict[int, dict[Try, tuple[int, StepResult]]] = defaultdict(dict)
        first = max(self._count - TRIES, 0)
        for number in range(first, self._count):
            entry = _ENTRY.unpack_from(self._entries, number % TRIES * _ENTRY.size)
            handed, place, size, duration, jslid, jlgid, jstid, jslresult, jslstatus = entry
            if jlgid in jlgids:
                result = StepResult(
                    jlgid,
                    jslid,
                    jslstatus.decode(),
                    None if jslresult == _NONE else jslresult,
                    self._output(place, size),
                    duration,
                    handed,
                )
                found[jlgid][jslid, handed] = jstid, result
        return found

    def _output(self, place: int, size: int) -> str:
        if place < self._written - OUTPUT_BYTES:
            return "The output is not known any more."
        start = place % OUTPUT_BYTES
        data = self._outputs[start : start + size]
        data += self._outputs[: size - len(data)]
        return data.decode(errors="replace")
