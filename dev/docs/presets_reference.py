"""The page of the built-in presets, made from their table."""

from dev.docs.markdown import MADE, table
from modelsync.api import presets

_HEAD = f"""{MADE}
# Presets

`spec.preset` (`modelsync pull --preset`) names lists of patterns: of a repository with many formats,
only the files that a program for one of them reads are synced.

```yaml
spec:
  preset: safetensors
  allowPatterns: ["*.py"]   # besides: the lists add up, and ignoring wins
```

These are built in. `*` also matches `/`; upper and lower case differ. Of the chosen files, one must match
each pattern of the last column: else the sync ends with `NothingMatched`, which names the weights that the
repository has instead and the presets that fit it. A vision projector (`*mmproj*`) is no model, and where
`diffusers` takes anything of a component that has weights, it must take weights. Weights that your own
`allowPatterns` choose count.
"""
_TAIL = """
## Presets of your own

The chart's value `presets` ([operator setting](operator.md) `--presets`) adds to them, and replaces one by
its name:

```yaml
presets:
  my-family:
    allowPatterns: ["*.bin", "*.json"]
    ignorePatterns: ["old/*"]
    requiredPatterns: ["*.bin"]
```

`companionPatterns` are files that do not count as required ones; folders that hold files of
`weightPatterns` need a required file each.

A ModelSync whose preset the operator does not know is `Failed` with the reason `InvalidSpec` and the list of
those that it knows; it goes on by itself when the operator has learned it. `modelsync pull` knows the
built-in ones.
"""


def page() -> str:
    """docs/reference/presets.md."""
    rows = [
        (
            f"`{name}`",
            _patterns(preset.allow_patterns),
            _patterns(preset.ignore_patterns),
            _patterns(preset.required_patterns),
        )
        for name, preset in presets.BUILT_IN.items()
    ]
    return f"{_HEAD}\n{table(('preset', 'only', 'not', 'must be there'), rows)}{_TAIL}"


def _patterns(patterns: tuple[str, ...]) -> str:
    return " ".join(f"`{pattern}`" for pattern in patterns)
