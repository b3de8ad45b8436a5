"""Side tasks: what a launcher does beside executing steps. Each has a file of its own; the loop knows them only as this."""

from __future__ import annotations

from abc import ABC, abstractmethod

from .control import Control


class SideTask(ABC):
    """Something to do on the control connection, a few milliseconds at a time, while no turn needs it."""

    name = ""  # in the log

    @property
    def busy(self) -> bool:
        """Whether the launcher must not end yet, even if it is told to stop."""
        return False

    @abstractmethod
    def seconds(self) -> float:
        """Return after how long the next turn has something to do."""

    @abstractmethod
    async def turn(self, control: Control, *, idle: bool, stopping: bool) -> None:
        """Do the work that is due now, but begin nothing new when *stopping*. *idle*: no step has ended meanwhile.

        The loop logs an error of the server. So put off the next turn before each query.
        """

    def cancel(self) -> None:  # noqa: B027 - most have nothing to end
        """Hurry: the launcher is to end."""

    async def close(self) -> None:  # noqa: B027
        """Stop at once and wait for the end."""
