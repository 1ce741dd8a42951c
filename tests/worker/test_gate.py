"""How many connections an origin gets, with a clock that the tests move."""

from modelsync.worker.engines.native.connection_limit import HALVING_SECONDS, QUIET_SECONDS, Gate


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def admitted(gate: Gate) -> int:
    return sum(gate.admits(number) for number in range(8))


def test_all_may_ask_until_the_origin_refuses() -> None:
    assert admitted(Gate(8, clock=Clock())) == 8


def test_a_refusal_halves_and_those_that_come_with_it_count_once() -> None:
    gate = Gate(8, clock=Clock())
    for _ in range(5):
        gate.refused()
    assert admitted(gate) == 4


def test_one_connection_is_always_left() -> None:
    clock = Clock()
    gate = Gate(8, clock=clock)
    for _ in range(10):
        gate.refused()
        clock.now += HALVING_SECONDS
    assert admitted(gate) == 1


def test_quiet_lets_one_more_try_at_a_time() -> None:
    clock = Clock()
    gate = Gate(8, clock=clock)
    gate.refused()
    for expected in (5, 6, 7, 8, 8):
        clock.now += QUIET_SECONDS
        assert admitted(gate) == expected
