"""`spec.source`: where a model's files come from.

Exactly one of three. The identity of a source (what is fetched) cannot be changed after creation, since a
volume that held two models at once would be of use to nobody; how it is reached (endpoint of a mirror,
Secret) can.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from modelsync.api.common import size_limits
from modelsync.api.common.base import Value
from modelsync.api.common.validations import cel, immutable, immutable_optional, literal, rules
from modelsync.api.reasons import SourceKind
from modelsync.api.source import bucket_names

_NO_USER = cel(
    "!self.matches('^[^/]*//[^/?#]*@')",
    "must not contain user information; put credentials into a Secret and name it in secretRef",
)


def _url_rule(more: str, fix: str) -> dict[str, str]:
    """CEL: an absolute URL without blanks and control characters."""
    return cel(
        "isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHost() != ''"
        r" && !self.matches('[\\x00-\\x20\\x7f" + more + "]')",
        fix,
    )


_PORT = cel(
    "!isURL(self) || url(self).getPort() == '' || (url(self).getPort().size() < 6"
    " && !url(self).getPort().startsWith('0') && int(url(self).getPort()) < 65536)",
    "must have a port between 1 and 65535, or none",
)
"""Go's parser, which isURL asks, is content with any digits. No regular expression: within 500 URLs of 4,096
characters it would pass the API server's bound on the cost of a rule."""
_URL_RULES = (
    _url_rule("", "must be an absolute http:// or https:// URL, such as https://example.org/model.bin"),
    _NO_USER,
    _PORT,
)
_ENDPOINT_RULES = (
    _url_rule("?#", "must be a base URL such as https://hub.example.org, without '?', '#' and blanks"),
    _NO_USER,
    _PORT,
)
_NO_PAGE = (
    cel(
        "!self.matches('^https://huggingface.co/[^/]+/[^/]+/blob/')",
        "must lead to a file, not to its page: use spec.source.huggingFace for the repository (hf://org/name"
        " of modelsync pull), or write /resolve/ in place of /blob/",
    ),
    cel(
        "!self.matches('^https://huggingface.co/[^/]+/[^/]+/?$')",
        "must lead to a file, not to a repository's page: use spec.source.huggingFace (hf://org/name of"
        " modelsync pull)",
    ),
)
"""What people copy from a browser. The worker knows more such addresses (`api.source.hub_pages`); these two
fit into the API server's bound on the cost of a rule."""
DNS_LABEL = "!format.dns1123Label().validate(self).hasValue()"
"""CEL: a name that a label's value can be."""
DNS_SUBDOMAIN = "!format.dns1123Subdomain().validate(self).hasValue()"
"""CEL: a name as most objects of Kubernetes have it."""
NO_RELATIVE_PATH = r"(^|/)[.]([.]|(?i:modelsync))?(/|$)|^/|//|/$|[\\\x00-\x1f\x7f]"
RELATIVE_PATH = f"!self.matches({literal(NO_RELATIVE_PATH)})"
"""CEL: a path that stays inside its root, and out of `.modelsync` in any spelling, since some volumes
ignore case; a regular expression, because it is cheap within arrays."""
RELATIVE_PATH_FIX = (
    "must be a relative path such as llama/7b, without '.', '..', '.modelsync', '//', a backslash, control"
    " characters or a '/' at either end"
)

SecretName = Annotated[
    str,
    Field(
        max_length=253,
        json_schema_extra=rules(
            cel(
                DNS_SUBDOMAIN,
                "must be the name of a Secret in this namespace: lower case letters, digits, '-' and '.'",
            )
        ),
    ),
]


class RepositoryType(StrEnum):
    """The Hub's types of repositories that can be synced."""

    MODEL = "Model"
    DATASET = "Dataset"


class AddressingStyle(StrEnum):
    """Where requests to S3 name the bucket."""

    AUTO = "Auto"
    PATH = "Path"
    VIRTUAL_HOSTED = "VirtualHosted"


class TokenSecretRef(Value):
    """A key of a Secret in the ModelSync's own namespace."""

    name: SecretName
    """Name of the Secret, in the namespace of the ModelSync."""
    key: Annotated[
        str,
        Field(
            max_length=253,
            json_schema_extra=rules(
                cel(
                    "self.matches('^[-._a-zA-Z0-9]+$')",
                    "must be a key of a Secret: letters, digits, '-', '_' and '.'",
                )
            ),
        ),
    ] = "token"
    """Key within the Secret that holds the access token."""


class SecretRef(Value):
    """A Secret in the ModelSync's own namespace."""

    name: SecretName
    """Name of the Secret, in the namespace of the ModelSync."""


class HuggingFaceSource(Value):
    """A repository of the Hugging Face Hub, or of a server that speaks its API."""

    repository: Annotated[
        str,
        Field(
            max_length=200,
            json_schema_extra=rules(
                cel(
                    "self.matches('^[A-Za-z0-9_][-A-Za-z0-9_.]*(/[A-Za-z0-9_][-A-Za-z0-9_.]*)?$')"
                    " && !self.contains('..') && !self.contains('--')",
                    "must be a repository id such as org/name, without the URL of the Hub",
                ),
                immutable(),
            ),
        ),
    ]
    """Repository id, such as `sentence-transformers/all-MiniLM-L6-v2`. Cannot be changed."""
    repository_type: Annotated[RepositoryType, Field(json_schema_extra=rules(immutable()))] = (
        RepositoryType.MODEL
    )
    """Type of the repository. Cannot be changed."""
    revision: Annotated[
        str,
        Field(
            max_length=200,
            json_schema_extra=rules(
                cel(
                    "self.matches('^[A-Za-z0-9_][-A-Za-z0-9_./]*$') && !self.contains('..')",
                    "must be a branch, a tag or a commit hash, such as main or v1.0",
                ),
                immutable(),
            ),
        ),
    ] = "main"
    """Branch, tag or commit. It is resolved to one commit when the sync starts, which then stays
    pinned: `status.resolved.revision` says which. Cannot be changed."""
    endpoint: Annotated[
        str | None,
        Field(max_length=500, json_schema_extra=rules(*_ENDPOINT_RULES)),
    ] = None
    """Base URL of the Hub or of a mirror. The operator's setting (`https://huggingface.co` unless
    changed) when absent."""
    secret_ref: TokenSecretRef | None = None
    """Secret with an access token, for gated and private repositories. The token is sent to the
    endpoint's own origin only, never along a redirect; in clear if the endpoint is http://."""


class S3Source(Value):
    """Objects of an S3 bucket below a prefix."""

    model_config = Value.model_config | {
        "json_schema_extra": rules(
            immutable_optional("prefix"),
            immutable_optional("endpoint"),
            cel(bucket_names.RULE_OF_AWS, bucket_names.MUST_BE_AWS, field=".bucket"),
            cel(bucket_names.RULE_OF_DIRECTORIES, bucket_names.NOT_DIRECTORY, field=".bucket"),
            cel(bucket_names.RULE_OF_HOSTS, bucket_names.NOT_IN_A_HOST, field=".bucket"),
            cel(
                "!self.requesterPays || has(self.secretRef)",
                "must be set when requesterPays is true, since nobody pays for unsigned requests",
                field=".secretRef",
            ),
        )
    }

    bucket: Annotated[
        str,
        Field(
            max_length=bucket_names.LONGEST,
            json_schema_extra=rules(cel(bucket_names.RULE, bucket_names.MUST_BE_ANY), immutable()),
        ),
    ]
    """Name of the bucket; where an endpoint is named also one with upper case letters or '_', as older ones
    of AWS and Ceph's have, and `tenant:name` of Ceph. Cannot be changed."""
    prefix: Annotated[
        str,
        Field(
            max_length=900,
            json_schema_extra=rules(
                cel(
                    r"!self.matches('^/|(^|/)[.][.]?(/|$)|//|[\\x00-\\x1f\\x7f]')",
                    "must be a key prefix such as models/llama/, without a leading '/', '//', '.' or '..'",
                )
            ),
        ),
    ] = ""
    """A folder such as `models/llama/`, with or without the last '/': the objects in it are synced under
    their paths within it. If there is no such folder: all objects whose keys begin with it, under their
    paths after its last '/'. The whole bucket when empty. Cannot be changed."""
    endpoint: Annotated[
        str | None,
        Field(max_length=500, json_schema_extra=rules(*_ENDPOINT_RULES)),
    ] = None
    """URL of an S3-compatible server. AWS when absent. Cannot be changed."""
    region: Annotated[
        str | None,
        Field(
            max_length=63,
            json_schema_extra=rules(
                cel("self.matches('^[a-z0-9-]+$')", "must be a region such as eu-central-1")
            ),
        ),
    ] = None
    """Region for signing; `us-east-1` when absent."""
    addressing_style: AddressingStyle = AddressingStyle.AUTO
    """Where requests name the bucket: in the `Path`, or in the host name (`VirtualHosted`). `Auto` is
    VirtualHosted on AWS and Path at an endpoint, unless that answers that it takes host names only."""
    requester_pays: bool = False
    """Whether you accept to pay for the requests and the transfer of a bucket whose readers pay; needs
    keys."""
    secret_ref: SecretRef | None = None
    """Secret with the keys `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, for temporary
    credentials, `AWS_SESSION_TOKEN`. Requests are unsigned when absent."""


class HttpFile(Value):
    """One file behind a URL."""

    url: Annotated[str, Field(max_length=4096, json_schema_extra=rules(*_URL_RULES, *_NO_PAGE))]
    """Where the file is; http:// or https://."""
    path: Annotated[
        str,
        Field(
            max_length=500,
            json_schema_extra=rules(
                cel(
                    "self != '' && " + RELATIVE_PATH,
                    RELATIVE_PATH_FIX,
                )
            ),
        ),
    ]
    """Where the file is in the target directory, relative to it."""
    sha256: Annotated[
        str | None,
        Field(
            max_length=64,
            json_schema_extra=rules(
                cel(
                    "self.matches('^[0-9a-f]{64}$')",
                    "must be 64 lower case hexadecimal digits, as sha256sum prints",
                )
            ),
        ),
    ] = None
    """SHA-256 of the file. Without it the file counts as verified when its size is right, and the
    manifest says so."""
    size: Annotated[int | None, Field(ge=0, le=2**53)] = None
    """Size in bytes. What the server says when absent."""


class HttpSource(Value):
    """A list of files behind http:// or https:// URLs."""

    model_config = Value.model_config | {
        "json_schema_extra": rules(
            cel(
                "!has(self.secretRef) || self.files.exists(f, f.url.matches('^(?i)https://'))",
                "must have an https:// URL when secretRef is set, since credentials are sent to no other",
            ),
            size_limits.files_rule(),
        )
    }

    files: Annotated[
        tuple[HttpFile, ...],
        Field(
            min_length=1,
            max_length=500,
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["path"],
                **rules(immutable()),
            },
        ),
    ]
    """The files, at most 500, with at most 131072 bytes in all urls and paths together; no two may have one
    path. Cannot be changed."""
    secret_ref: SecretRef | None = None
    """Secret with a key `token` (sent as `Authorization: Bearer`), or `username` and `password` (sent as
    Basic). Sent to https origins of the listed URLs only, never along a redirect."""


class Source(Value):
    """Where the files come from: exactly one of the three."""

    model_config = Value.model_config | {
        "json_schema_extra": rules(
            cel(
                "[has(self.huggingFace), has(self.s3), has(self.http)].filter(x, x).size() == 1",
                "must have exactly one of huggingFace, s3, http",
            ),
            immutable("has(self.huggingFace) == has(oldSelf.huggingFace) && has(self.s3) == has(oldSelf.s3)"),
        )
    }

    hugging_face: HuggingFaceSource | None = None
    """A repository of the Hugging Face Hub."""
    s3: S3Source | None = None
    """Objects of an S3 bucket."""
    http: HttpSource | None = None
    """Files behind URLs."""

    @property
    def kind(self) -> SourceKind:
        """Which of the three is set."""
        if self.hugging_face is not None:
            return SourceKind.HUGGING_FACE
        return SourceKind.S3 if self.s3 is not None else SourceKind.HTTP

    @property
    def secret_name(self) -> str | None:
        """Name of the Secret that the worker mounts, if any."""
        chosen = self.hugging_face or self.s3 or self.http
        return chosen.secret_ref.name if chosen is not None and chosen.secret_ref else None

    @property
    def bucket_endpoint(self) -> str | None:
        """The endpoint of a bucket, where one is named."""
        return self.s3.endpoint if self.s3 is not None else None

    @property
    def summary(self) -> str:
        """The source in one short word for tables: `hf://org/name@main`, `hf://datasets/org/name@main` (the
        Hub's own spelling), `s3://bucket/prefix`."""
        hub = self.hugging_face
        if hub is not None:
            kind = "" if hub.repository_type is RepositoryType.MODEL else f"{hub.repository_type.lower()}s/"
            return f"hf://{kind}{hub.repository}@{hub.revision}"
        if self.s3 is not None:
            return f"s3://{self.s3.bucket}/{self.s3.prefix}"
        files = self.http.files if self.http is not None else ()
        # A query may hold a signature, which must reach no table and no log.
        return files[0].url.partition("?")[0] if len(files) == 1 else f"{len(files)} files"
