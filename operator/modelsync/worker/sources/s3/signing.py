"""Presigned URLs for thousands of objects of one bucket.

boto3 knows how a bucket is addressed and signs a URL in 160 us; the signature alone, which is botocore's too,
takes a third of that. So boto3 makes one URL for each bucket, and the others are made like it.
"""

import urllib.parse
from typing import TYPE_CHECKING

from modelsync.worker.sources.credentials import Keys

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

VALID_SECONDS = 3600
"""How long a presigned URL works; the engine asks for another one before or after that."""
CHECKSUMS = {"x-amz-checksum-mode": "ENABLED"}
"""Header that makes S3 report an object's checksums; it is signed, so it must be sent."""
_PAYER = ("x-amz-request-payer", "requester")
"""Confirms in a signed URL that its sender pays; a query needs no header beside it."""
_SAFE = "/~"
"""What stays as it is in a key's path, besides letters, digits and `_.-` (Signature Version 4)."""


class Signer:
    """URLs of a bucket's objects. Thread-safe."""

    def __init__(
        self, client: "S3Client", bucket: str, keys: Keys | None, *, requester_pays: bool = False
    ) -> None:
        """Unsigned without keys; raises what botocore raises."""
        from botocore.auth import S3SigV4QueryAuth
        from botocore.credentials import Credentials

        model = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "x"})
        self._base = model.partition("?")[0].removesuffix("x")
        self._host = _host_of(self._base)
        self._query = [_PAYER] if requester_pays else []
        self._auth: S3SigV4QueryAuth | None = None
        if keys is not None:
            token = keys.session_token.reveal() if keys.session_token else None
            secret = Credentials(keys.access_key.reveal(), keys.secret_key.reveal(), token)
            region = client.meta.region_name
            self._auth = S3SigV4QueryAuth(secret, "s3", region, VALID_SECONDS)

    def url(self, method: str, key: str, version: str | None, headers: dict[str, str] | None = None) -> str:
        """A URL for one method, valid for an hour; `headers` are signed too."""
        from botocore.awsrequest import AWSRequest

        url = self._base + urllib.parse.quote(key, safe=_SAFE)
        query = ([("versionId", version)] if version else []) + self._query
        if query:
            url += f"?{urllib.parse.urlencode(query, quote_via=urllib.parse.quote, safe='')}"
        if self._auth is None:
            return url
        # Without the host, botocore would take it from the URL, twice, which is a quarter of a signature.
        request = AWSRequest(method=method, url=url, headers={"host": self._host, **(headers or {})})
        self._auth.add_auth(request)
        return str(request.url)


def _host_of(url: str) -> str:
    """A URL's host as the header Host has it, and so the signature: without the scheme's own port."""
    found = urllib.parse.urlsplit(url)
    if found.port == {"http": 80, "https": 443}[found.scheme]:
        return found.netloc.rpartition(":")[0].lower()
    return found.netloc.lower()
