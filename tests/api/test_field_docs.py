"""Descriptions of fields: in every schema, and at no cost to a process that makes none."""

from collections.abc import Iterator

import pydantic

from modelsync.api import modelsync, protocol, syncqueue
from modelsync.api.common.base import Value
from modelsync.api.common.field_docs import Documented
from modelsync.settings.configuration import Configuration
from modelsync.web.documents import NewSync


class Base(Value):
    first: int = 0
    """The first,
    in two lines."""
    second: int = 0


class Further(Base):
    second: int = 1
    """The second."""
    inner: Base | None = None
    """Another one."""


def _all(model: type[pydantic.BaseModel]) -> Iterator[type[pydantic.BaseModel]]:
    yield model
    for below in model.__subclasses__():
        yield from _all(below)


def test_a_schema_has_the_docstrings_of_a_class_and_of_its_bases() -> None:
    properties = Further.model_json_schema()["properties"]
    assert {name: found.get("description") for name, found in properties.items()} == {
        "first": "The first,\nin two lines.",
        "second": "The second.",
        "inner": "Another one.",
    }


def test_no_model_reads_its_source_and_no_value_builds_its_validator_while_a_process_starts() -> None:
    assert {modelsync.ModelSync, protocol.WorkRequest, syncqueue.SyncQueue} <= set(_all(Value))
    assert all(model.model_config.get("defer_build") for model in _all(Value))
    assert {Configuration, NewSync} <= set(_all(Documented))
    assert not any("use_attribute_docstrings" in model.model_config for model in _all(Documented))
