"""The places for steps, shared by the databases that a launcher serves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class User:
    """A database that has steps here. *hungry*: its last turn left nothing free, so it may have more to run."""

    wake: Callable[[], None]
    taken: int = 0
    hungry: bool = False


class Places:
    """So many places. A database may take all of them, unless others want some, too: then each has its fair part."""

    def __init__(self, total: int) -> None:
        """All of them are free."""
        self._total = total
        self._by_id: dict[int, User] = {}

    def join(self, wake: Callable[[], None]) -> User:
        """Return a new user, to be woken when it may have more."""
        user = User(wake)
        self._by_id[id(user)] = user
        return user

    def leave(self, user: User) -> None:
        """Forget a user."""
        user.hungry = False
        self.free(user, 0)
        self._by_id.pop(id(user), None)

    def free(self, user: User, taken: int) -> int:
        """Return how many more steps *user* may take, which has *taken* so many; less than 0 if it has too many.

        A database with nothing running may always run one step: it is not held up by the long steps of others.
        """
        others = [other for other in self._by_id.values() if other is not user]
        hungry = [other for other in others if other.hungry]
        if taken < user.taken:
            for other in hungry:
                other.wake()
        user.taken = taken
        left = self._total - taken - sum(other.taken for other in others)
        if hungry:
            left = min(left, self._total // (len(hungry) + 1) - taken)
        return max(left, 1) if others and not taken else left

    @property
    def shared(self) -> bool:
        """Whether several databases share them."""
        return len(self._by_id) > 1

    def took(self, user: User, count: int, free: int) -> None:
        """Note that *user*, with so many *free*, has taken *count* steps."""
        user.taken += count
        user.hungry = count >= max(free, 0) and (count > 0 or free <= 0)
