"""A world in which time is a number: the product's threads run one at a time, in an order of a seed's choice.

Each thread is a real one, but it holds the world's baton while it runs, and hands it on where it would wait:
for a lock, an event, the network, the disk or the clock. When all wait, time jumps to the first of them that
has waited long enough. So hours pass in a second, a run is the same each time, and an engine that waits for
itself is a fact and no guess. `inside` puts the world's `threading` and `time` into the product's modules.
"""

import contextlib
import heapq
import random
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from typing import Any

YIELDS = 0.02
"""Share of the locks at which another thread gets its turn first, as the interpreter may do at any place."""

TICK = 1e-6
"""Seconds that every wait takes at least: a real clock never stands still."""


class Stuck(Exception):
    """All threads wait, and none for a time to come."""


class _Task:
    """A thread of the world."""

    def __init__(self) -> None:
        self.baton = threading.Lock()
        self.baton.acquire()
        self.turn = 0
        """Counts its waits, so that an outdated alarm is known."""
        self.waiting = False


class World:
    """The clock, and whose turn it is. The thread that makes it is its first."""

    def __init__(self, seed: int) -> None:
        self.now = 0.0
        self.switches = 0
        self.random = random.Random(seed)
        self._current = _Task()
        self._ready: list[_Task] = []
        self._alarms: list[tuple[float, int, _Task, int]] = []
        self._count = 0

    def monotonic(self) -> float:
        """Seconds since the world began."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let others run for so long."""
        self.wait(self.now + seconds)

    def wait(self, until: float | None) -> bool:
        """Wait until somebody wakes this thread, or a time; return whether somebody did."""
        me = self._current
        me.turn += 1
        me.waiting = True
        if until is not None:
            self._count += 1
            heapq.heappush(self._alarms, (max(until, self.now + TICK), self._count, me, me.turn))
        self._switch(me)
        woken, me.waiting = not me.waiting, False
        return woken

    def current(self) -> _Task:
        """The thread that runs."""
        return self._current

    def wake(self, task: _Task) -> None:
        """Let a thread that waits go on at its next turn."""
        if task.waiting:
            task.waiting = False
            self._ready.append(task)

    def breathe(self) -> None:
        """Now and then, another thread's turn."""
        if self._ready and self.random.random() < YIELDS:
            self._ready.append(self._current)
            self._switch(self._current)

    def begin(self, work: Callable[[], None]) -> None:
        """Start a thread; it runs at one of its next turns."""
        task = _Task()

        def run() -> None:
            task.baton.acquire()
            work()
            self._next().baton.release()

        threading.Thread(target=run, daemon=True).start()
        self._ready.append(task)

    def _switch(self, me: _Task) -> None:
        following = self._next()
        if following is not me:
            self.switches += 1
            following.baton.release()
            me.baton.acquire()

    def _next(self) -> _Task:
        if self._ready:
            place = self.random.randrange(len(self._ready))
            self._ready[place], self._ready[-1] = self._ready[-1], self._ready[place]
            self._current = self._ready.pop()
            return self._current
        while self._alarms:
            at, _, task, turn = heapq.heappop(self._alarms)
            if task.waiting and task.turn == turn:
                self.now, self._current = max(self.now, at), task
                return task
        raise Stuck


class _Lock:
    def __init__(self, world: World) -> None:
        self._world = world
        self._held = False
        self._waiting: list[_Task] = []

    def acquire(self) -> bool:
        self._world.breathe()
        while self._held:
            self._waiting.append(self._world.current())
            self._world.wait(None)
        self._held = True
        return True

    def release(self) -> None:
        assert self._held
        self._held = False
        if self._waiting:
            self._world.wake(self._waiting.pop(0))

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class _Condition:
    def __init__(self, world: World, lock: _Lock | None = None) -> None:
        self._world, self._lock = world, lock or _Lock(world)
        self._waiting: list[_Task] = []

    def wait(self, timeout: float | None = None) -> bool:
        me = self._world.current()
        self._waiting.append(me)
        self._lock.release()
        woken = self._world.wait(None if timeout is None else self._world.now + timeout)
        if me in self._waiting:
            self._waiting.remove(me)
        self._lock.acquire()
        return woken

    def notify(self, count: int = 1) -> None:
        for task in self._waiting[:count]:
            self._waiting.remove(task)
            self._world.wake(task)

    def notify_all(self) -> None:
        self.notify(len(self._waiting))

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class _Event:
    def __init__(self, world: World) -> None:
        self._world = world
        self._set = False
        self._waiting: list[_Task] = []

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True
        for task in self._waiting:
            self._world.wake(task)
        self._waiting.clear()

    def clear(self) -> None:
        self._set = False

    def wait(self, timeout: float | None = None) -> bool:
        if self._set:
            return True
        me = self._world.current()
        self._waiting.append(me)
        self._world.wait(None if timeout is None else self._world.now + timeout)
        if me in self._waiting:
            self._waiting.remove(me)
        return self._set


class _Thread:
    def __init__(
        self, world: World, target: Callable[..., None], args: tuple[Any, ...] = (), **_: object
    ) -> None:
        self._world, self._target, self._args = world, target, args
        self._ended = _Event(world)
        self.ident: int | None = None

    def start(self) -> None:
        self.ident = id(self)
        self._world.begin(self._run)

    def _run(self) -> None:
        try:
            self._target(*self._args)
        finally:
            self._ended.set()

    def join(self, timeout: float | None = None) -> None:
        self._ended.wait(timeout)

    def is_alive(self) -> bool:
        return self.ident is not None and not self._ended.is_set()


def threads(world: World) -> types.SimpleNamespace:
    """The world's `threading`."""
    return types.SimpleNamespace(
        Lock=lambda: _Lock(world),
        RLock=lambda: _Lock(world),
        Condition=lambda lock=None: _Condition(world, lock),
        Event=lambda: _Event(world),
        Thread=lambda **fields: _Thread(world, **fields),
    )


def clock(world: World) -> types.SimpleNamespace:
    """The world's `time`."""
    return types.SimpleNamespace(
        monotonic=world.monotonic, time=world.monotonic, sleep=world.sleep, thread_time=lambda: 0.0
    )


@contextlib.contextmanager
def inside(world: World, others: dict[str, dict[str, object]]) -> Iterator[None]:
    """Let the worker's modules live in the world; `others` are further names to replace, by module."""
    replaced: list[tuple[object, str, object]] = []

    def replace(module: object, name: str, value: object) -> None:
        replaced.append((module, name, getattr(module, name)))
        setattr(module, name, value)

    prefix = "modelsync.worker."
    ours = {name.removeprefix(prefix): each for name, each in sys.modules.items() if name.startswith(prefix)}
    try:
        for module in ours.values():
            if getattr(module, "threading", None) is threading:
                replace(module, "threading", threads(world))
            if getattr(module, "time", None) is time:
                replace(module, "time", clock(world))
        for name, values in others.items():
            for attribute, value in values.items():
                replace(ours[name], attribute, value)
        yield
    finally:
        for changed, attribute, value in reversed(replaced):
            setattr(changed, attribute, value)
