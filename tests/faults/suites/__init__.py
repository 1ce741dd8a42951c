"""The suites: each module here has a tuple CASES. A new suite is a new module, and nothing else."""

import importlib
import pkgutil

from tests.faults.case import Case


def every() -> tuple[Case, ...]:
    """All cases, by suite and name."""
    found: list[Case] = []
    for module in pkgutil.iter_modules(__path__):
        found += importlib.import_module(f"{__name__}.{module.name}").CASES
    return tuple(sorted(found, key=lambda case: (case.suite, case.name)))
