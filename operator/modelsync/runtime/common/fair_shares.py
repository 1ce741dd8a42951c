"""A share by namespace of what all namespaces use: turns for those who wait, and room for what is under way.

A share is no cap: a namespace that is alone has all of it. And it is one of namespaces, not of people: who
owns many namespaces has as many shares. Turns bound what that gains. The namespace whose last turn is the
longest ago is next, so one that seldom wants something does not queue behind those that always do, however
many they are.
"""

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")
_GREED = 4
_REMEMBERED = 1024
"""Namespaces without anything that waits whose last turn is remembered."""


class Room:
    """So many at once, of which no namespace takes what the next one needs.

    A namespace may begin one more while it holds less than four times what is free. Alone it gets `alone` in
    this way; k of them that take all they can get leave a part of 1/(1+4k) of the room free for others (the
    dynamic threshold by which switches share their buffers, Choudhury and Hahne 1998).
    """

    def __init__(self, alone: int) -> None:
        self.size = alone + -(-alone // _GREED)
        self._held: Counter[str] = Counter()
        self._taken = 0

    def has_for(self, namespace: str) -> bool:
        """Whether the namespace may begin one more."""
        return self._held[namespace] < _GREED * (self.size - self._taken)

    def enter(self, namespace: str) -> None:
        """One has begun."""
        self._held[namespace] += 1
        self._taken += 1

    def leave(self, namespace: str) -> None:
        """One has ended."""
        self._taken -= 1
        self._held[namespace] -= 1
        if not self._held[namespace]:
            del self._held[namespace]


class Order:
    """The namespaces that wait, the one whose last turn is the longest ago first."""

    def __init__(self) -> None:
        self._turns = itertools.count()
        self._last: dict[str, int] = {}
        """The last turn of each, the oldest first."""
        self._waiting: dict[str, int] = {}
        """The entry of the heap that counts for each."""
        self._heap: list[tuple[int, int, str]] = []
        self._entries = itertools.count()

    def join(self, namespace: str) -> None:
        """A namespace has something that waits; it keeps its place if it had before."""
        if namespace not in self._waiting:
            self._waiting[namespace] = entry = next(self._entries)
            heapq.heappush(self._heap, (self._last.get(namespace, -1), entry, namespace))
            if len(self._heap) > 2 * len(self._waiting) + 64:
                self._heap = [each for each in self._heap if self._waiting.get(each[2]) == each[1]]
                heapq.heapify(self._heap)

    def leave(self, namespace: str) -> None:
        """Nothing of a namespace waits any more."""
        self._waiting.pop(namespace, None)

    def went(self, namespace: str) -> None:
        """A namespace had its turn."""
        self._last.pop(namespace, None)
        self._last[namespace] = next(self._turns)
        if namespace in self._waiting:
            self.leave(namespace)
            self.join(namespace)
        if len(self._last) > len(self._waiting) + 2 * _REMEMBERED:
            idle = [each for each in self._last if each not in self._waiting]
            for each in idle[:-_REMEMBERED]:
                del self._last[each]

    def first(self, may: Callable[[str], bool] = lambda namespace: True) -> str | None:
        """The first one that may; those that may not keep their places."""
        aside, found = [], None
        while self._heap and found is None:
            _, entry, namespace = self._heap[0]
            if self._waiting.get(namespace) != entry:
                heapq.heappop(self._heap)
            elif may(namespace):
                found = namespace
            else:
                aside.append(heapq.heappop(self._heap))
        for each in aside:
            heapq.heappush(self._heap, each)
        return found


class Turns(Generic[T]):
    """What waits, by namespace; of one namespace the least key first, and of one key the first that came."""

    def __init__(self) -> None:
        self._order = Order()
        self._lines: dict[str, list[tuple[float, int, T]]] = {}
        self._numbers = itertools.count()

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def put(self, namespace: str, key: float, item: T) -> None:
        """Let something wait."""
        heapq.heappush(self._lines.setdefault(namespace, []), (key, next(self._numbers), item))
        self._order.join(namespace)

    def pop(self, may: Callable[[str], bool] = lambda namespace: True) -> T | None:
        """Take what is next of the namespaces that may; None when there is nothing."""
        namespace = self._order.first(may)
        if namespace is None:
            return None
        line = self._lines[namespace]
        item = heapq.heappop(line)[2]
        if not line:
            del self._lines[namespace]
            self._order.leave(namespace)
        self._order.went(namespace)
        return item


def level(demands: Iterable[float], capacity: float) -> float:
    """The most that each may have so that all together have the capacity; infinite where it is enough."""
    asking, left = sorted(demands), capacity
    for index, demand in enumerate(asking):
        share = left / (len(asking) - index)
        if demand > share:
            return share
        left -= demand
    return float("inf")
