"""`watch` on a terminal: waits for keys, signals, news and the next second, and draws what they make."""

import queue
import threading
import time
from collections.abc import Callable

from modelsync.kubectl import options
from modelsync.kubectl.options import Cluster
from modelsync.kubectl.problems import CommandError
from modelsync.kubectl.verbs import steering
from modelsync.kubectl.watch import layout, state
from modelsync.kubectl.watch.feed import Chosen, Feed
from modelsync.kubectl.watch.readings import Readings
from modelsync.kubectl.watch.state import Contact, Order, State
from modelsync.kubectl.watch.terminal import Terminal
from modelsync.reading import acts

_TICK = 1.0
_LEAST_PAUSE = 0.25
"""Seconds between two pictures, however many changes come."""
_LEAST_REST = 4.0
"""A picture of 5,000 ModelSyncs takes 0.2 s of a processor, so the next one waits for four times as long."""


def run(cluster: Cluster, chosen: Chosen) -> int:
    """Show the screen until it is left; returns the exit code. Raises CommandError before it is shown."""
    terminal = Terminal()
    feed = Feed(cluster, chosen, terminal.wake)
    feed.read_once()
    with terminal:
        feed.start()
        _Program(cluster, feed, terminal).run()
    return 0 if terminal.ended_by is None else 128 + terminal.ended_by


class _Program:
    """The loop, in the main thread; acts are carried out one after the other in another."""

    def __init__(self, cluster: Cluster, feed: Feed, terminal: Terminal) -> None:
        self._cluster, self._feed, self._terminal = cluster, feed, terminal
        self._readings = Readings()
        self._orders: queue.SimpleQueue[Order] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[Callable[[State], State]] = queue.SimpleQueue()
        self._state = self._first()
        self._drawn: tuple[State, tuple[int, int]] | None = None

    def run(self) -> None:
        """Until a key or a signal ends it."""
        threading.Thread(target=self._act, name="acts", daemon=True).start()
        due, shown = 0.0, -1
        while not self._state.left and self._terminal.ended_by is None:
            begun = time.monotonic()
            if begun >= due:
                shown, self._state = self._feed.revision, self._present()
                due = begun + max(_LEAST_PAUSE, (time.monotonic() - begun) * (1 + _LEAST_REST))
            self._draw()
            soon = max(0.0, due - time.monotonic())
            for key in self._terminal.wait(soon if self._feed.revision != shown else max(soon, _TICK)):
                self._press(key)
            while not self._results.empty():
                self._state = self._results.get()(self._state)

    def _first(self) -> State:
        news = self._feed.news()
        where = "all namespaces" if self._cluster.everywhere else f"namespace {self._cluster.namespace}"
        shown = self._readings.picture(news, options.now(), 0)
        return state.begun(shown, where, everywhere=self._cluster.everywhere)

    def _present(self) -> State:
        news = self._feed.news()
        away = time.monotonic() - news.contact
        contact = Contact(problem=news.problem, age_seconds=int(away))
        return state.updated(self._state, self._readings.picture(news, options.now(), away), contact)

    def _draw(self) -> None:
        wanted = (self._state, self._terminal.size)
        if self._drawn is None or self._drawn[0] is not wanted[0] or self._drawn[1] != wanted[1]:
            self._terminal.draw(layout.screen(self._state, *self._terminal.size))
            self._drawn = wanted

    def _press(self, key: str) -> None:
        page = layout.page(self._state, *self._terminal.size)
        self._state, order = state.pressed(self._state, key, page)
        if order is not None:
            self._orders.put(order)

    def _act(self) -> None:
        while True:
            order = self._orders.get()
            text, bad = self._result(order)
            self._results.put(lambda now, text=text, bad=bad: state.noted(now, text, bad=bad))  # type: ignore[misc]
            self._terminal.wake()

    def _result(self, order: Order) -> tuple[str, bool]:
        try:
            steering.change(self._cluster, order.act, order.namespace, order.name, order.value, order.uid)
        except (CommandError, acts.NotPossible) as error:
            return f"{order.about}: {error}", True
        return f"{order.about} {steering.DONE[order.act]}", False
