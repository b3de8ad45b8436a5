"""The letters that pgAgent's tables keep, and the words that the SQL API has for them."""

from __future__ import annotations

# Status of a run (pga_joblog.jlgstatus) or a step (pga_jobsteplog.jslstatus).
RUNNING, SUCCESS, FAILURE, ABORTED = "r", "s", "f", "d"
# Status of a run that executed no step.
NO_STEPS = "i"
# Status of a step that has failed, with "ignore" as its on_error.
IGNORED = "i"

# Kinds of steps (pga_jobstep.jstkind).
SQL_STEP, BATCH_STEP = "s", "b"

# Word of the argument on_error -> pga_jobstep.jstonerror: the status that a step gets when it fails.
ON_ERROR = {"fail": FAILURE, "success": SUCCESS, "ignore": IGNORED}

# The ends of a run that dependencies and messages can wait for. A finish is any end.
WHEN = ("success", "failure", "finish")
