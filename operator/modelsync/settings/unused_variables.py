"""Variables in the operator's own environment that look as if downloads used them.

Downloads run in workers' Pods, and variables are not passed on to them: a token would serve everybody who may
create ModelSyncs, and each setting of workers has one place. Without a warning a download would fail far away
from the cause, so each such variable is named at the start, with the field that does what it seems to do.
Values are never shown.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from modelsync.settings.configuration import Configuration, Hub

_API_ONLY = "is used for connections to the API server, and not by workers"
_UNUSED = "has no effect"
_TOKEN = "name a Secret in spec.source.huggingFace.secretRef of each ModelSync that needs a token"
_KEYS = "name a Secret in spec.source.s3.secretRef of each ModelSync that needs credentials"
_BUCKETS = "set spec.source.s3.endpoint of the ModelSyncs"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Variable:
    effect: str = _UNUSED
    fix: str
    is_set: Callable[[Configuration], bool] = lambda _: False
    """Whether the configuration says already what workers are to use."""


_HTTP_PROXY = _Variable(
    effect=_API_ONLY,
    fix="set worker.proxy.http of the configuration",
    is_set=lambda document: bool(document.worker.proxy.http),
)
_HTTPS_PROXY = _Variable(
    effect=_API_ONLY,
    fix="set worker.proxy.https of the configuration",
    is_set=lambda document: bool(document.worker.proxy.https),
)
_ALL_PROXY = _Variable(
    fix="set worker.proxy.http and worker.proxy.https of the configuration",
    is_set=lambda document: bool(document.worker.proxy.http or document.worker.proxy.https),
)
_BY_NAME: Mapping[str, _Variable] = {
    "http_proxy": _HTTP_PROXY,
    "HTTP_PROXY": _HTTP_PROXY,
    "https_proxy": _HTTPS_PROXY,
    "HTTPS_PROXY": _HTTPS_PROXY,
    "all_proxy": _ALL_PROXY,
    "ALL_PROXY": _ALL_PROXY,
    "SSL_CERT_FILE": _Variable(
        effect="is not used by workers",
        fix="set worker.caConfigMap of the configuration",
        is_set=lambda document: bool(document.worker.ca_config_map),
    ),
    "HF_ENDPOINT": _Variable(
        fix="set hub.endpoint of the configuration",
        is_set=lambda document: document.hub.endpoint != Hub().endpoint,
    ),
    "HF_TOKEN": _Variable(fix=_TOKEN),
    "HUGGING_FACE_HUB_TOKEN": _Variable(fix=_TOKEN),
    "HF_DOWNLOAD_MAX_RETRIES": _Variable(fix="set worker.maxRetries of the configuration"),
    "HF_HUB_DOWNLOAD_TIMEOUT": _Variable(fix="set worker.timeout of the configuration"),
    "HF_HUB_OFFLINE": _Variable(fix="set attempts.disabled of the configuration"),
    "AWS_ACCESS_KEY_ID": _Variable(fix=_KEYS),
    "AWS_PROFILE": _Variable(fix=_KEYS),
    "AWS_ENDPOINT_URL": _Variable(fix=_BUCKETS),
    "AWS_ENDPOINT_URL_S3": _Variable(fix=_BUCKETS),
}


def warnings(environment: Mapping[str, str], document: Configuration) -> tuple[str, ...]:
    """One sentence for each such variable that is set, and for which the configuration says nothing."""
    named = [
        f"{name}: {known.effect}; {known.fix}"
        for name, known in _BY_NAME.items()
        if environment.get(name) and not known.is_set(document)
    ]
    others = sorted(name for name in environment if name.startswith("HF_") and name not in _BY_NAME)
    if others:
        named.append(
            f"{', '.join(others)}: no variable of the Hub's libraries has an effect on the operator or its"
            " workers; unset what you do not need, and see docs/reference/operator.md for what can be set"
        )
    return tuple(named)
