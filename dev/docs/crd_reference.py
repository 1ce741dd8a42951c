"""The reference page of a CRD, made from its schema, so that page and `kubectl explain` cannot differ."""

from collections.abc import Iterator
from typing import Any

from dev.docs.markdown import MADE, table

Schema = dict[str, Any]
_LIMITS = (
    ("minimum", "at least {}"),
    ("maximum", "at most {}"),
    ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"),
    ("minItems", "at least {} entries"),
    ("maxItems", "at most {} entries"),
    ("maxProperties", "at most {} entries"),
)


def page(crd: Schema, opening: str) -> str:
    """The whole page: every object of the schema with a table of its fields."""
    version = crd["spec"]["versions"][0]
    schema = version["schema"]["openAPIV3Schema"]
    names = crd["spec"]["names"]
    head = (
        f"# {names['kind']}\n\n{schema['description']}\n\n"
        f"`apiVersion: {crd['spec']['group']}/{version['name']}`, `kind: {names['kind']}`; namespaced;"
        f" short name `{names['shortNames'][0]}`. `kubectl explain {names['singular']}.spec` says the same.\n"
    )
    parts = [f"{MADE}\n{head}\n{opening.strip()}\n"]
    for name in ("spec", "status"):
        parts.extend(_sections(name, schema["properties"][name], name in schema.get("required", ())))
    parts.append(_columns(version["additionalPrinterColumns"]))
    return "\n".join(parts)


def _sections(path: str, schema: Schema, required: bool) -> Iterator[str]:
    """The section of an object and of each object below it."""
    body = schema.get("items", schema)
    fields = body.get("properties")
    if not fields:
        return
    mandatory = body.get("required", ())
    rows = [_row(name, field, name in mandatory) for name, field in fields.items()]
    rules = [
        f"- {rule['message']}" for rule in body.get("x-kubernetes-validations", ()) if _is_worth_showing(rule)
    ]
    listed = "\n" + "\n".join(dict.fromkeys(rules)) + "\n" if rules else ""
    yield (
        f"## {path}\n\n{schema.get('description', '')}{' Required.' if required else ''}\n"
        f"{listed}\n{table(('field', 'type', 'meaning'), rows)}"
    )
    for name, field in fields.items():
        mark = "[]" if "items" in field else ""
        yield from _sections(f"{path}.{name}{mark}", field, name in mandatory)


def _is_worth_showing(rule: Schema) -> bool:
    """Rules against change stand in the descriptions ("Cannot be changed.")."""
    return rule.get("reason") != "FieldValueForbidden"


def _row(name: str, field: Schema, required: bool) -> tuple[str, str, str]:
    words = [field.get("description", "")]
    if required:
        words.append("**Required.**")
    values = field.get("items", field).get("enum")
    if values:
        words.append(f"One of {', '.join(f'`{value}`' for value in values)}.")
    limits = [text.format(f"{field[key]:,}") for key, text in _LIMITS if key in field]
    if limits:
        words.append(f"{', '.join(limits).capitalize()}.")
    rules = (
        *field.get("x-kubernetes-validations", ()),
        *field.get("items", {}).get("x-kubernetes-validations", ()),
    )
    sentences = [
        f"It {rule['message']}." for rule in rules if _is_worth_showing(rule) and "properties" not in field
    ]
    return f"`{name}`", _type(field), " ".join(filter(None, [*words, *sentences]))


def _type(field: Schema) -> str:
    if "items" in field:
        return f"list of {_type(field['items'])}"
    if field.get("format") == "date-time":
        return "time"
    if "additionalProperties" in field:
        return f"map of {_type(field['additionalProperties'])}"
    if "x-kubernetes-int-or-string" in field:
        return "quantity"
    return str(field.get("type", "object"))


def _columns(columns: list[Schema]) -> str:
    rows = [
        (
            column["name"].upper(),
            f"`{column['jsonPath']}`",
            "`-o wide`" if column.get("priority") else "always",
        )
        for column in columns
    ]
    return f"## Columns of `kubectl get`\n\n{table(('column', 'from', 'shown'), rows)}"
