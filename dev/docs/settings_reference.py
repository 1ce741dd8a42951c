"""The page of the operator: its flags, and the document with its configuration."""

import json
from collections.abc import Iterator

import click

from dev.docs import chart_configuration
from dev.docs.markdown import MADE, table
from modelsync.cli import operator
from modelsync.settings.configuration import (
    API_VERSION,
    KIND,
    Configuration,
    fields,
    needs_restart,
    section_of,
)

_HEAD = f"""{MADE}
# Flags and configuration of the operator

Flags of `modelsync operator` say where the cluster is and which namespaces it has; what the operator does is
in one document. A flag or document that cannot be used ends the process with code 2 and one line that names
each field and the fix; `modelsync config check FILE` reports the same beforehand.

The process ends with code 0 after SIGTERM or SIGINT (it finishes the writes under way and gives the lease
back), with 1 when it has lost the lease, with 2 for a wrong flag or configuration.
"""
_DOCUMENT = f"""## The document

```yaml
apiVersion: {API_VERSION}
kind: {KIND}
log:
  level: info
worker:
  image: localhost/modelsync:dev
```

The chart makes it from its value `config`, which has the same fields, and mounts it as a ConfigMap. A field
that is left out, or null, has its default. Unknown fields and fields that stand twice are refused. Durations
are written as `500ms`, `15s` or `1m30s`, quantities as in Kubernetes. For editors there is a
[JSON schema](operator-configuration.schema.json).

## Changes while it runs

The operator looks at the file every two seconds. A change acts within 10 seconds, for workers from their
next attempt on; what the tables below call "after a restart" waits for one, and the chart makes it where
its values change such a field. In a Pod the file is a ConfigMap, which the kubelet takes over in up to a
minute or two; a change of any annotation of the Pod makes that immediate.

A document that is wrong changes nothing: the one before acts, and the fields and fixes are in the log, in
the condition `ConfigurationRefused` of each SyncQueue and as `modelsync_config_last_reload_successful` 0. A
Pod that starts with it ends with code 2. `modelsync_config_restart_needed` is 1 while a change waits for a
restart.
"""
_SECTION = ("field", "default", "acts", "meaning")


def page() -> str:
    """docs/reference/operator.md."""
    flags = [
        (f"`{option.opts[0]}`", option.help or "")
        for option in operator.command.params
        if isinstance(option, click.Option)
    ]
    return "\n".join((_HEAD, table(("flag", "meaning"), flags), _DOCUMENT, *_sections()))


def _sections() -> Iterator[str]:
    top = [name for name, info in Configuration.model_fields.items() if section_of(info) is None]
    rows = [_row(Configuration.model_fields[name].alias or name) for name in top]
    yield table(_SECTION, rows)
    for name, info in Configuration.model_fields.items():
        inside = section_of(info)
        if inside is not None:
            path = info.alias or name
            rows = [_row(found) for found, _ in fields() if found.startswith(f"{path}.")]
            yield f"### {path}\n\n{' '.join((inside.__doc__ or '').split())}\n\n{table(_SECTION, rows)}"


def _row(path: str) -> tuple[str, str, str, str]:
    value = chart_configuration.default(path)
    acts = "after a restart" if needs_restart(dict(fields())[path]) else "at once"
    shown = f"`{json.dumps(value)}`" if value != "" else ""
    return f"`{path}`", shown, acts, chart_configuration.meaning(path)
