"""What each of S3's error codes means for a user: a reason, and the sentence with what fixes it.

The code decides alone, since one HTTP status stands for wrong keys, a wrong clock, an archived object and a
missing right alike; the status decides only where a server names no code that is known here. The codes are
those of Amazon's list that a request which only reads can meet, and what others call the same (Ceph, MinIO,
R2, GCS, OSS, COS, TOS, versitygw).

A sentence may hold what `errors` fills in: bucket, object, code, keys (where they are), region, endpoint.
"""

from dataclasses import dataclass

from modelsync.api.reasons import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """A reason and its sentence."""

    reason: Reason
    text: str


UNKNOWN_KEYS = Meaning(
    reason=Reason.AUTHENTICATION_FAILED,
    text="S3 does not know the access key ({code}). Put keys of this store into {keys}; check"
    " spec.source.s3.endpoint.",
)
WRONG_SECRET = Meaning(
    reason=Reason.AUTHENTICATION_FAILED,
    text="The secret key does not belong to the access key ({code}). Put both of one pair into {keys}; if"
    " they are right, check spec.source.s3.region, and whether a proxy changes requests.",
)
EXPIRED_KEYS = Meaning(
    reason=Reason.AUTHENTICATION_FAILED,
    text="The temporary keys have expired ({code}). Put new ones into {keys}.",
)
WRONG_SESSION = Meaning(
    reason=Reason.AUTHENTICATION_FAILED,
    text="The keys and AWS_SESSION_TOKEN are not of one session ({code}). Put all three of one into {keys},"
    " or leave AWS_SESSION_TOKEN out with permanent keys.",
)
NO_KEYS = Meaning(
    reason=Reason.AUTHENTICATION_FAILED,
    text="S3 asks for keys, or does not accept the way in which requests are signed ({code}). Name valid keys"
    " in {keys}.",
)
CLOCK = Meaning(
    reason=Reason.AUTHENTICATION_FAILED,
    text="The clock here differs too much from that of S3{times} ({code}). Set the clock of the worker's node"
    " right.",
)
ELSEWHERE = Meaning(
    reason=Reason.INVALID_SPEC,
    text="The bucket {bucket} is in the region {region} ({code}). Set spec.source.s3.region to {region}.",
)
OTHER_ENDPOINT = Meaning(
    reason=Reason.INVALID_SPEC,
    text="S3 wants the bucket {bucket} to be asked for in another region or at another endpoint ({code})."
    " Correct spec.source.s3.region and spec.source.s3.endpoint.",
)
VIRTUAL_ONLY = Meaning(
    reason=Reason.INVALID_SPEC,
    text="This store takes the bucket's name as part of the host name only ({code}). Set"
    " spec.source.s3.addressingStyle to VirtualHosted.",
)
DENIED = Meaning(
    reason=Reason.ACCESS_DENIED,
    text="S3 denies access to {object} ({code}). {right}",
)
ACCOUNT = Meaning(
    reason=Reason.ACCESS_DENIED,
    text="The account of the keys or of the bucket {bucket} may not be used ({code}). Ask those who run"
    " the store.",
)
PROJECT_PAYER = Meaning(
    reason=Reason.ACCESS_DENIED,
    text="Readers pay for the bucket {bucket}, and it wants the name of a project ({code}), which is not"
    " supported. Read a copy of it in a bucket of your own.",
)
KEY_SERVICE = Meaning(
    reason=Reason.ACCESS_DENIED,
    text="{object} is encrypted with a key of a key service (KMS), which cannot be used ({code}). Enable that"
    " key, and give the account of the keys the right kms:Decrypt for it.",
)
CUSTOMER_KEY = Meaning(
    reason=Reason.ACCESS_DENIED,
    text="{object} is encrypted with a key that each reader has to send (SSE-C, {code}), which is not"
    " supported. Store it encrypted by S3 (SSE-S3) or a key service (SSE-KMS).",
)
ARCHIVED = Meaning(
    reason=Reason.ACCESS_DENIED,
    text="{object} is archived{tier} ({code}). Restore it in the bucket, then retry.",
)
CONSOLE = Meaning(
    reason=Reason.INVALID_SPEC,
    text="{endpoint} is the port of the store's console, not of its S3 API ({code}). Name the port of the API"
    " in spec.source.s3.endpoint; MinIO's is 9000 unless it was changed.",
)
NO_BUCKET = Meaning(
    reason=Reason.NOT_FOUND,
    text="There is no bucket {bucket} at {endpoint} ({code}). Correct spec.source.s3.endpoint, or name the"
    " right one in spec.source.s3.bucket of another ModelSync, since that field cannot be changed.",
)
BAD_BUCKET = Meaning(
    reason=Reason.INVALID_SPEC,
    text="{endpoint} has no buckets with a name such as {bucket} ({code}). Correct spec.source.s3.bucket.",
)
GONE = Meaning(
    reason=Reason.SOURCE_CHANGED,
    text="{object} is gone since it was listed ({code}). The next attempt takes what is there then.",
)
CHANGED = Meaning(
    reason=Reason.SOURCE_CHANGED,
    text="{object} changed since it was listed ({code}). The next attempt takes what is there then.",
)
SLOW_DOWN = Meaning(
    reason=Reason.RATE_LIMITED,
    text="S3 limits the rate of requests ({code}). Use fewer connections, or fewer syncs at once.",
)
NOT_NOW = Meaning(
    reason=Reason.ORIGIN_ERROR,
    text="{endpoint} cannot answer now ({code}). Look at the store if this goes on.",
)
NOT_OFFERED = Meaning(
    reason=Reason.ORIGIN_ERROR,
    text="{endpoint} does not offer what is asked of it ({code}), as stores without ListObjectsV2 or another"
    " part of the S3 API do not. Check spec.source.s3.endpoint.",
)
REFUSED = Meaning(
    reason=Reason.INVALID_SPEC,
    text="S3 does not accept the request ({code}). Check spec.source.s3.region and spec.source.s3.endpoint.",
)
FAILED = Meaning(reason=Reason.ORIGIN_ERROR, text="{endpoint} answers with an error ({code}).")

_CODES: dict[Meaning, str] = {
    UNKNOWN_KEYS: "InvalidAccessKeyId InvalidClientTokenId UnrecognizedClientException XAdminUserNotFound"
    " XMinioInvalidAccessKey NoSuchAccessKey",
    WRONG_SECRET: "SignatureDoesNotMatch InvalidSignature SignatureError",
    EXPIRED_KEYS: "ExpiredToken ExpiredTokenException TokenRefreshRequired SecurityTokenExpired",
    WRONG_SESSION: "InvalidToken InvalidTokenId InvalidSecurityToken SecurityTokenNotSupported",
    NO_KEYS: "Unauthorized CredentialsNotSupported MissingAuthenticationToken MissingSecurityHeader"
    " MissingSecurityElement InvalidSecurity AccessKeyDisabled AuthenticationRequired",
    CLOCK: "RequestTimeTooSkewed RequestExpired ExpiredRequest RequestNotYetValid"
    " ExpiredPresignRequest ExpiredPresignedRequest",
    OTHER_ENDPOINT: "PermanentRedirect TemporaryRedirect Redirect AuthorizationHeaderMalformed"
    " AuthorizationQueryParametersError IllegalLocationConstraintException IncorrectEndpoint EndpointNotFound"
    " InvalidRegionName InvalidRegion BucketNotInRegion",
    VIRTUAL_ONLY: "SecondLevelDomainForbidden PathStyleDomainForbidden InvalidPathAccess",
    DENIED: "AccessDenied AccessForbidden Forbidden AllAccessDisabled UnauthorizedAccess"
    " UnauthorizedAccessError UserNotAuthorized DownloadForbidden NotEntitled",
    ACCOUNT: "AccountProblem NotSignedUp UserDisable UserSuspended InvalidPayer NotDeviceOwnerError",
    PROJECT_PAYER: "UserProjectMissing UserProjectAccessDenied UserProjectInvalid UserProjectInconsistent",
    KEY_SERVICE: "KMS.AccessDeniedException KMS.DisabledException KMS.InvalidKeyUsageException"
    " KMS.InvalidStateException KMS.KMSInvalidStateException KMS.NotFoundException KMSKeyNotFound"
    " KMSKeyNotFoundException KMSNotConfigured XMinioKMSNotConfigured",
    CUSTOMER_KEY: "MissingEncryptionKey ResourceIsEncryptedWithCustomerEncryptionKey SSECustomerKeyMissing"
    " InvalidSSECustomerParameters",
    ARCHIVED: "InvalidObjectState ObjectNotRestored RestoreAlreadyInProgress",
    NO_BUCKET: "NoSuchBucket",
    BAD_BUCKET: "InvalidBucketName InvalidBucketNameCharacter",
    GONE: "NoSuchKey NoSuchVersion NotFound",
    CHANGED: "PreconditionFailed InvalidRange ConditionalRequestConflict",
    SLOW_DOWN: "SlowDown SlowDownRead RequestLimitExceeded TooManyRequests TooManyRequestsException"
    " Throttling ThrottlingException ThrottledException RequestThrottled RequestThrottledException"
    " RateLimitExceeded BandwidthLimitExceeded PriorRequestNotComplete EC2ThrottledException QpsLimitExceeded"
    " TotalQpsLimitExceeded DownloadTrafficRateLimitExceeded KMS.ThrottlingException",
    NOT_NOW: "InternalError InternalServerError ServiceUnavailable RequestTimeout RequestTimeoutException"
    " OperationAborted ServerBusy XMinioServerNotInitialized TransientError",
    NOT_OFFERED: "NotImplemented MethodNotAllowed UnsupportedOperation NotSupported",
}

BY_CODE = {code: meaning for meaning, codes in _CODES.items() for code in codes.split()}
"""The table."""


def by_status(status: int, *, listing: bool) -> Meaning:
    """What a status means whose code is absent or unknown."""
    if status in (404, 410):
        return NO_BUCKET if listing else GONE
    by_status = {401: NO_KEYS, 403: DENIED, 405: NOT_OFFERED, 412: CHANGED, 416: CHANGED, 429: SLOW_DOWN}
    if status in by_status:
        return by_status[status]
    if status in (301, 302, 303, 307, 308):
        return OTHER_ENDPOINT
    return REFUSED if status == 400 else FAILED
