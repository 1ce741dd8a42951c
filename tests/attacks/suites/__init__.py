"""The attacks, one module a topic; each holds its `ATTACKS`."""

import importlib
import pkgutil

from tests.attacks.case import Attack


def every() -> list[Attack]:
    """All attacks, by topic and name."""
    modules = [
        importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)
    ]
    attacks = [attack for module in modules for attack in module.ATTACKS]
    return sorted(attacks, key=lambda attack: (attack.topic, attack.name))
