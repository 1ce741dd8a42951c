"""Reading the configuration's document: one YAML document in a file, whole or not at all.

Whatever is wrong is reported at once, each with the path of its field and how to fix it, since a person reads
it in a Pod's log after a rollout. YAML may surprise (a key twice, `no` as a word, an alias that unfolds to
gigabytes), so what is ambiguous is refused; null says "not set", as in Kubernetes.
"""

import json
from pathlib import Path
from typing import Any

import pydantic
import yaml

from modelsync.errors import ConfigError
from modelsync.settings.config_messages import explain, shown
from modelsync.settings.configuration import API_VERSION, KIND, Configuration

MOST_BYTES = 1024 * 1024
"""A ConfigMap has no more."""
_HEAD = {"apiVersion": API_VERSION, "kind": KIND}


class _Loader(yaml.SafeLoader):
    """YAML without what makes a document ambiguous or endless."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise _problem(
                f"line {event.start_mark.line + 1}: *{event.anchor} is an alias, which is not supported;"
                " write the value out"
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise _problem(
                    f"line {key.start_mark.line + 1}: {key.value!r} is given twice; keep one of them"
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


# A date is text like any other.
_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in found if not tag.endswith((":timestamp", ":merge"))]
    for letter, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(path: Path) -> Configuration:
    """The configuration in a file; raises ConfigError with the file, each field and its fix."""
    return parse(content(path), str(path))


def content(path: Path) -> bytes:
    """The file's bytes; raises ConfigError."""
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"--config: {path} cannot be read: {error.strerror}") from None


def parse(content: bytes, name: str) -> Configuration:
    """The configuration in a document; `name` is what a message calls it. Raises ConfigError."""
    try:
        document = _head_checked(_loaded(content))
        return Configuration.model_validate_json(json.dumps(document))
    except pydantic.ValidationError as error:
        found = [explain(each) for each in error.errors(include_url=False)]
    except ConfigError as error:
        found = [str(error)]
    if len(found) == 1:
        raise ConfigError(f"{name}: {found[0]}")
    raise ConfigError(f"{name}: {len(found)} fields are wrong: " + "; ".join(found))


def _loaded(content: bytes) -> Any:
    if len(content) > MOST_BYTES:
        raise _problem(f"has more than {MOST_BYTES} bytes, which no ConfigMap has; is it the right file?")
    try:
        found = list(yaml.load_all(content.decode("utf-8-sig"), _Loader))
    except UnicodeDecodeError as error:
        raise _problem(f"is not UTF-8 at byte {error.start}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise _problem(f"line {mark.line + 1 if mark else 1}: is not YAML: {error.problem}") from None
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise _problem(f"is not YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise _problem("is nested too deeply") from None
    if len(found) > 1:
        raise _problem("holds several documents; keep one")
    return _without_nulls(found[0]) if found else None


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def _head_checked(document: Any) -> dict[str, Any]:
    """The fields of a document of our kind and version."""
    if document is None:
        raise _problem(f"is empty; begin with apiVersion: {API_VERSION} and kind: {KIND}")
    if not isinstance(document, dict):
        raise _problem(f"must be a map of fields; begin with apiVersion: {API_VERSION} and kind: {KIND}")
    for name, wanted in _HEAD.items():
        if document.get(name) != wanted:
            given = f"{shown(document[name])} is not known" if name in document else "is needed"
            raise _problem(f"{name}: {given}; write {name}: {wanted}")
    return {name: value for name, value in document.items() if name not in _HEAD}


def _problem(text: str) -> ConfigError:
    return ConfigError(text)
