"""An origin that does everything wrong, and a worker that publishes the right bytes or says why not."""

from tests.faults.case import Case
from tests.faults.rows import addresses, answers, connections, refusals, row, safety, versions

CASES: tuple[Case, ...] = (
    *connections.CASES,
    *(row.case(each) for module in (connections, answers, versions, refusals) for each in module.ROWS),
    *addresses.CASES,
    *safety.CASES,
)
