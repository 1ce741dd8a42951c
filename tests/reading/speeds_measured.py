"""What a record of speeds costs: a day of 5,000 ModelSyncs, 100 of them at a time.

`python -m tests.reading.speeds_measured` prints the memory of the record, and the time of a sample and of an
answer.
"""

import random
import time
from datetime import timedelta
from pathlib import Path

from modelsync.reading.history import Keeper
from modelsync.reading.speed_record import Flow, Question, SpeedRecord
from tests.builders import NOW

SYNCS, ACTIVE, NAMESPACES, QUEUES, DAY = 5_000, 100, 50, 20, 86_400


def flows(turn: int) -> list[Flow]:
    """All ModelSyncs while those of a turn download."""
    return [
        Flow(
            namespace=f"team-{number % NAMESPACES}",
            uid=f"{number:08x}-0000-4000-8000-{number:012x}",
            queue=f"queue-{number % QUEUES}",
            bytes_per_second=random.random() * 1e8 if number // ACTIVE == turn else None,
        )
        for number in range(SYNCS)
    ]


def resident() -> int:
    """Bytes of this process's memory."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def main() -> None:
    """Play the day, and print."""
    turns = SYNCS // ACTIVE
    record, present = SpeedRecord(NOW, Keeper.OPERATOR), flows(0)
    before = resident()
    # A sample a minute makes as many steps as twelve: those between are kept as unknown.
    for second in range(0, DAY, 60):
        if second % (DAY // turns) < 60:
            present = flows(second * turns // DAY)
        record.sample(NOW + timedelta(seconds=second), present)
    print(f"{(resident() - before) / 2**20:.1f} MiB in {len(record.history.keys())} series")
    began = time.process_time()
    for number in range(50):
        record.sample(NOW + timedelta(seconds=DAY + 5 * number), present)
    print(f"{(time.process_time() - began) / 50 * 1e3:.1f} ms a sample")
    every = Question(span="24h", namespaces=tuple(f"team-{number}" for number in range(NAMESPACES)))
    began = time.process_time()
    for _ in range(10):
        record.answer(every, NOW + timedelta(seconds=DAY + 250))
    print(
        f"{(time.process_time() - began) / 10 * 1e3:.1f} ms an answer of {NAMESPACES} namespaces over a day"
    )


if __name__ == "__main__":
    main()
