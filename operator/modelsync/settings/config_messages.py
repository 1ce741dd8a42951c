"""What a person reads who wrote a configuration that is refused: the path of the field, the value, the
fix."""

import difflib
import json
from typing import Any, get_args

from pydantic_core import ErrorDetails

from modelsync.settings.configuration import Configuration, fields

_MOST_SHOWN = 60
_TEXTS = {
    "missing": "is needed",
    "model_type": "must be a map of fields",
    "dict_type": "must be a map",
    "tuple_type": "must be a list",
    "string_type": "must be text; put it in quotes",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "literal_error": "must be one of {expected}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "must have at least {min_length} character",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}",
    "too_long": "must have at most {max_length} entries",
}
"""pydantic's kinds of errors in our words."""


def explain(error: ErrorDetails) -> str:
    """One error of pydantic as `path: value, what it must be`."""
    path, kind = _path(error["loc"]), error["type"]
    if kind == "extra_forbidden":
        return f"{path}: there is no such field; {_nearest(error['loc'])}"
    context: dict[str, Any] = error.get("ctx", {})
    if kind == "value_error":
        text = str(context["error"])
    else:
        text = _TEXTS.get(kind, "{msg}").format(**{"msg": error["msg"], **context})
    value = f"{shown(error['input'])} " if _helps(error["input"], path) else ""
    return f"{path}: {value}{text}" if path else text


def shown(value: Any) -> str:
    """A value as a document has it, as far as it is short."""
    text = json.dumps(value, default=str)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


def _helps(value: Any, path: str) -> bool:
    """Whether a wrong value shows the mistake, and holds no password."""
    return isinstance(value, str | int | float) and value != "" and not path.startswith("worker.proxy.")


def _path(location: tuple[int | str, ...]) -> str:
    words = (f"[{word}]" if isinstance(word, int) else f".{word}" for word in location)
    return "".join(words).removeprefix(".")


def _nearest(location: tuple[int | str, ...]) -> str:
    """What may have been meant by a field that there is not: a name here, or a place of the same name."""
    *parents, wrong = (str(word) for word in location)
    model: Any = Configuration
    for word in parents:
        model = _inner(model, word)
    known = [info.alias or name for name, info in model.model_fields.items()]
    lower = {name.lower(): name for name in known}
    near = [lower[name] for name in difflib.get_close_matches(wrong.lower(), lower, n=1)]
    places = [path for path, _ in fields() if path.rpartition(".")[2].lower() == wrong.lower()]
    if near or places:
        return f"did you mean {' or '.join(near or places)}?"
    return f"known here are {', '.join(known)}"


def _inner(model: Any, word: str) -> Any:
    """The model of a field, or of a map's values, which stays at a key of the map."""
    for name, info in model.model_fields.items():
        if word == (info.alias or name):
            found = (info.annotation, *get_args(info.annotation))
            return next((each for each in found if hasattr(each, "model_fields")), model)
    return model
