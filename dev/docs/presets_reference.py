"""The page of the built-in presets, made from their table."""

from dev.docs.markdown import MADE, table
from modelsync.api import presets

_HEAD = f"""{MADE}
# Presets

The built-in presets, and how to add your own. A preset (`spec.preset`, `modelsync pull --preset`) is a list
of file patterns that selects one format of a repository with many.

spec:
  preset: safetensors
  allowPatterns: ["*.py"]   # in addition; ignored files win

`*` also matches `/`; patterns are case-sensitive. The selected files must match every pattern of the last
column; otherwise the sync ends with `NothingMatched`, and the message names the repository's other weights
and the presets that fit. A vision projector (`*mmproj*`) does not count as a model. `diffusers` requires
weights for every component that has some. Weights that your own `allowPatterns` select count.
"""
_TAIL = """
## Presets of your own

`presets` in the [operator's configuration](operator.md), the chart's value `config.presets`, adds to them and
replaces one by its name:

```yaml
config:
  presets:
    my-family:
      allowPatterns: ["*.bin", "*.json"]
      ignorePatterns: ["old/*"]
      requiredPatterns: ["*.bin"]
```

Files that match `companionPatterns` do not count as required ones. Each directory with files that match
`weightPatterns` needs a required file.

A ModelSync with an unknown preset is `Failed` with the reason `InvalidSpec`; the message lists the known
ones, and the sync continues when the preset is added. `modelsync pull` has the built-in presets only.
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
