"""Every attack in its short form: all variants are refused."""

import pytest

from tests import needs
from tests.attacks.case import Attack, Ground, tried
from tests.attacks.suites import every

_SHORT = [attack for attack in every() if attack.in_tests]
_CLUSTER = [attack for attack in _SHORT if attack.how is Ground.CLUSTER]
_OTHERS = [attack for attack in _SHORT if attack.how is not Ground.CLUSTER]


def _named(attacks: list[Attack]) -> list[object]:
    return [pytest.param(attack, id=f"{attack.topic}: {attack.name}") for attack in attacks]


@pytest.mark.e2e
@needs.CLUSTER
@pytest.mark.parametrize("attack", _named(_CLUSTER))
def test_attack_on_the_cluster_is_refused(operator: None, attack: Attack) -> None:
    _refused(attack)


@pytest.mark.parametrize("attack", _named(_OTHERS))
def test_attack_is_refused(attack: Attack) -> None:
    _refused(attack)


def _refused(attack: Attack) -> None:
    result = tried(attack, full=False)
    assert result.tried
    assert not result.problems


def test_names_are_unique() -> None:
    names = [(attack.topic, attack.name) for attack in every()]
    assert len(names) == len(set(names))
