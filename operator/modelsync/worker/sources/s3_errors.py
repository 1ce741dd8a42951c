"""What S3's errors mean for a user. No message carries a URL's query or a server's own text."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from modelsync.api.reasons import Reason
from modelsync.api.sources import S3Source
from modelsync.worker.credentials import Credentials
from modelsync.worker.failures import Failure

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError

_WRONG_KEYS = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "AuthorizationHeaderMalformed",
    "ExpiredToken",
    "InvalidToken",
    "TokenRefreshRequired",
    "XAdminUserNotFound",  # versitygw's word for InvalidAccessKeyId
}
_SLOW_DOWN = {"SlowDown", "TooManyRequests", "ThrottlingException", "RequestLimitExceeded"}


@contextlib.contextmanager
def explained(spec: S3Source, credentials: Credentials) -> Iterator[None]:
    """Turn what botocore raises into Failures."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise _refused(error, spec, credentials) from None
    except (BotoCoreError, ValueError) as error:
        raise _unreachable(error, spec) from None


def check_region(spec: S3Source, headers: Mapping[str, str]) -> None:
    """Refuse a bucket in another region: listing follows it there, but a signed URL would not."""
    told = headers.get("x-amz-bucket-region")
    if spec.endpoint is None and told and told != (spec.region or "us-east-1"):
        text = f"The bucket {spec.bucket} is in the region {told}. Set spec.source.s3.region to {told}."
        raise Failure(Reason.INVALID_SPEC, text)


def _refused(error: "ClientError", spec: S3Source, credentials: Credentials) -> Failure:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    told = f"({code[:60]})" if code.isalnum() else f"(HTTP {status})"
    if code in _WRONG_KEYS:
        text = (
            f"S3 refuses the keys {told}. Put valid ones into {credentials.where}; check"
            " spec.source.s3.region."
        )
        return Failure(Reason.AUTHENTICATION_FAILED, text)
    if code == "NoSuchBucket" or (status == 404 and error.operation_name == "ListObjectsV2"):
        return Failure(Reason.NOT_FOUND, f"There is no bucket {spec.bucket}. Check spec.source.s3.bucket.")
    if code in ("NoSuchKey", "NoSuchVersion", "NotFound") or status == 404:
        text = f"An object of the bucket {spec.bucket} is gone since it was listed."
        return Failure(Reason.SOURCE_CHANGED, text)
    if code in _SLOW_DOWN or status == 429:
        return Failure(Reason.RATE_LIMITED, f"S3 limits the rate of requests {told}. Try with fewer at once.")
    if status in (401, 403):
        mend = "Give the account of the keys the right to list and read it: s3:ListBucket and s3:GetObject."
        if not credentials.given:
            mend = f"Requests are unsigned; name keys in {credentials.where}."
        return Failure(Reason.ACCESS_DENIED, f"S3 denies access to the bucket {spec.bucket} {told}. {mend}")
    if status in (301, 307, 400):
        text = (
            f"S3 does not accept the request {told}. Check spec.source.s3.region and spec.source.s3.endpoint."
        )
        return Failure(Reason.INVALID_SPEC, text)
    return Failure(
        Reason.ORIGIN_ERROR, f"S3 answers with HTTP {status} {told if code else ''}".rstrip() + "."
    )


def _unreachable(error: "BotoCoreError | ValueError", spec: S3Source) -> Failure:
    from botocore import exceptions, parsers

    where = spec.endpoint or "S3"
    if isinstance(error, exceptions.HTTPClientError | exceptions.ConnectionError):
        text = f"{where} does not answer. Check spec.source.s3.endpoint, and that the worker can reach it."
        return Failure(Reason.NETWORK_ERROR, text)
    if isinstance(error, exceptions.PaginationError):
        text = f"The listing of {where} leads back to its own page. Check spec.source.s3.endpoint."
        return Failure(Reason.ORIGIN_ERROR, text)
    if isinstance(error, parsers.ResponseParserError):
        text = f"{where} does not answer as S3 does. Check spec.source.s3.endpoint."
        return Failure(Reason.ORIGIN_ERROR, text)
    text = (
        f"A request to {where} cannot be made ({type(error).__name__}). Check the fields of spec.source.s3."
    )
    return Failure(Reason.INVALID_SPEC, text)
