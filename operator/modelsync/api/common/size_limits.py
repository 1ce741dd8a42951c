"""How long a spec may be, so that its work request always fits into the Pod's annotations.

The API server gives all annotations of an object 262,144 bytes together, names included (kubernetes,
`TotalAnnotationSizeLimitB`). A longer one would be refused when the Job is made, again and again, long after
the ModelSync was accepted; so the schema refuses the ModelSync, and names the field. No other carrier is
used: a ConfigMap or a Secret would need the right to write those in every namespace. Compression would bound
nothing, since a signature does not shrink.

| part | bytes at most |
|---|---|
| URLs and paths of `source.http.files` | 131,072 |
| names, checksums and sizes around them, 500 times | 62,500 |
| patterns of the spec, two lists | 16,800 |
| patterns of its preset | 16,400 |
| address blocks, two lists | 12,000 |
| annotations of `podTemplate` | 6,200 |
| all else: target, engine, revision, identity | 5,000 |

which leaves 12,000 to what a cluster's webhooks and network add to a Pod.
"""

from modelsync.api.common.validations import cel

MOST_ANNOTATIONS = 262_144
MOST_FILES_TEXT = 131_072
MOST_PATTERNS_TEXT = 8_192
MOST_PRESET = 16_384
"""As JSON."""
MOST_BLOCKS_TEXT = 4_096
LEFT_TO_OTHERS = 12_000


def text(field: str) -> str:
    """CEL: the bytes that a string field without control characters takes within JSON's quotes."""
    return rf"""bytes({field}.replace('"', '__').replace('\\', '__')).size()"""


def files_rule() -> dict[str, str]:
    """CEL, on `source.http`: the URLs and paths are not too long together."""
    return cel(
        f"self.files.map(f, {text('f.url')} + {text('f.path')}).sum() <= {MOST_FILES_TEXT}",
        f"must have at most {MOST_FILES_TEXT} bytes in all urls and paths together: give the files to several"
        " ModelSyncs, or name the bucket in source.s3 with a secretRef instead of presigned URLs",
        field=".files",
    )


def patterns_rule() -> dict[str, str]:
    """CEL, on a list of patterns: they are not too long together."""
    return cel(
        f"self.map(p, {text('p')}).sum() <= {MOST_PATTERNS_TEXT}",
        f"must have at most {MOST_PATTERNS_TEXT} bytes in all patterns together: use shorter ones",
    )
