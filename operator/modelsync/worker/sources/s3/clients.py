"""boto3's client of one bucket: how the bucket is addressed, what signs, and what it may not do by itself.

An endpoint is asked by the path, which every store took until some gave it up (OSS, COS, TOS): they answer so
with a code of their own, and `Auto` then names the bucket in the host as they ask. The host stays the
endpoint's own, so no answer chooses whom the keys' signatures go to.
"""

import functools
import urllib.parse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from modelsync.api.reasons import Reason
from modelsync.api.source.sources import AddressingStyle, S3Source
from modelsync.startup import loading
from modelsync.worker.common.failures import Failure
from modelsync.worker.sources.credentials import Credentials, Keys
from modelsync.worker.sources.s3 import codes, errors

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from botocore.loaders import Loader
    from mypy_boto3_s3.client import S3Client


def made(
    spec: S3Source,
    keys: Keys | None,
    lead_out: "Callable[[S3Client], None]",
    credentials: Credentials,
    *,
    virtual: bool,
) -> "S3Client":
    """A client whose way out `lead_out` sets; `virtual` where `Auto` has learned that the bucket belongs into
    the host name.

    Raises Failure where it fits into none, and what botocore raises.
    """
    with loading():
        import boto3
        import botocore.session
        from botocore import UNSIGNED
        from botocore.config import Config
        from botocore.handlers import validate_bucket_name

    style = _style(spec, virtual=virtual)
    config = Config(
        signature_version="s3v4" if keys else UNSIGNED,
        s3={"addressing_style": style},
        retries={"mode": "standard", "max_attempts": 3},
    )
    core = botocore.session.get_session()
    core.register_component("data_loader", _descriptions())
    # A listing's dates stay text: to parse them costs twice as much as to parse all the rest of it.
    core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=str)
    client: S3Client = boto3.session.Session(botocore_session=core).client(
        "s3",
        region_name=spec.region or errors.DEFAULT_REGION,
        endpoint_url=spec.endpoint,
        config=config,
        **_secrets(keys),
    )
    # The API has judged the name, and knows tenants (tenant:bucket), which this refuses.
    client.meta.events.unregister("before-parameter-build.s3", validate_bucket_name)
    lead_out(client)
    errors.stay(client, spec, credentials)
    if style == "virtual":
        _check_host(client, spec)
    return client


@functools.cache
def _descriptions() -> "Loader":
    """botocore's descriptions of services, which are read once: 0.1 s of a processor for each client."""
    import botocore.session

    loader: Loader = botocore.session.get_session().get_component("data_loader")
    return loader


def takes_hosts_only(error: "ClientError", spec: S3Source) -> bool:
    """Whether an answer says that the store takes buckets in host names only, and `spec` leaves it that."""
    auto = spec.addressing_style is AddressingStyle.AUTO and spec.endpoint is not None
    return auto and codes.BY_CODE.get(errors.refusal_of(error).code) is codes.VIRTUAL_ONLY


def _style(spec: S3Source, *, virtual: bool) -> Literal["virtual", "path", "auto"]:
    if virtual or spec.addressing_style is AddressingStyle.VIRTUAL_HOSTED:
        return "virtual"
    by_path = spec.addressing_style is AddressingStyle.PATH or spec.endpoint is not None
    return "path" if by_path else "auto"


def _secrets(keys: Keys | None) -> dict[str, Any]:
    if keys is None:
        return {}
    return {
        "aws_access_key_id": keys.access_key.reveal(),
        "aws_secret_access_key": keys.secret_key.reveal(),
        "aws_session_token": keys.session_token.reveal() if keys.session_token else None,
    }


def _check_host(client: "S3Client", spec: S3Source) -> None:
    """Refuse what botocore would ask by the path without a word: an address in place of a name, and a bucket
    with a '.' over https, whose certificate covers one label."""
    url = client.generate_presigned_url("get_object", Params={"Bucket": spec.bucket, "Key": "x"})
    if not (urllib.parse.urlsplit(url).hostname or "").startswith(f"{spec.bucket.lower()}."):
        text = (
            f"The bucket {spec.bucket} cannot be part of the host name of {spec.endpoint or 'S3'}, as"
            " addressingStyle VirtualHosted or this store wants it. Name the endpoint by its host name, or"
            " set spec.source.s3.addressingStyle to Path."
        )
        raise Failure(Reason.INVALID_SPEC, text)
