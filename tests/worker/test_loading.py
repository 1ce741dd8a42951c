"""The collector rests while libraries load, and only then."""

import gc

from modelsync.startup import loading


def test_garbage_is_looked_for_again_after_the_outermost_block() -> None:
    assert gc.isenabled()
    with loading():
        assert not gc.isenabled()
        with loading():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_who_does_without_the_collector_is_left_alone() -> None:
    gc.disable()
    try:
        with loading():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
