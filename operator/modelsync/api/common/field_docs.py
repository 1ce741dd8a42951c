"""The docstrings below fields as descriptions in a JSON Schema, read when somebody asks for a schema.

pydantic's `use_attribute_docstrings` reads and parses the source of every class while it is made: a third of
the time in which a worker or `kubectl modelsync` loads its models, for descriptions that only the CRDs, the
configuration's schema and the OpenAPI document hold.
"""

import ast
import functools
import inspect
import sys
from collections.abc import Iterator

import pydantic
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


class Documented(pydantic.BaseModel):
    """A model whose schema says of each field what its docstring says."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: pydantic.GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """pydantic's schema, with descriptions."""
        made = handler(core_schema)
        properties = handler.resolve_ref_schema(made).get("properties", {})
        described = of_fields(cls)
        for name, info in cls.model_fields.items():
            found = properties.get(info.alias, properties.get(name))
            if found is not None and name in described:
                found.setdefault("description", described[name])
        return made


def of_fields(model: type[pydantic.BaseModel]) -> dict[str, str]:
    """The docstrings of a model's fields by their names in Python; those of its own before its bases'."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, pydantic.BaseModel):
            found |= _by_class(base.__module__).get(base.__qualname__, {})
    return {name: text for name, text in found.items() if name in model.model_fields}


@functools.cache
def _by_class(module: str) -> dict[str, dict[str, str]]:
    """Of all classes at a module's top level: docstrings by field."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return {node.name: dict(_fields(node)) for node in tree.body if isinstance(node, ast.ClassDef)}


def _fields(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, after in zip(node.body, node.body[1:], strict=False):
        match field, after:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, inspect.cleandoc(text)
