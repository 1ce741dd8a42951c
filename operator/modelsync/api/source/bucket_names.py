"""Names of buckets: AWS's rules of today, and what older buckets and other stores have beside them.

AWS takes any name of up to 255 letters, digits, '-', '_' and '.' that was given before 2018 in us-east-1, and
so does Ceph by a setting; there a tenant may stand before the name, with a ':' between. Such names fit into
no host name, so they need the path, and an endpoint, so that they are not taken for slips. Names of one or
two characters are left to the store that is named there.
"""

import re

from modelsync.api.common.validations import literal

LONGEST = 255
_OF_AWS = r"^[a-z0-9][-a-z0-9.]{1,61}[a-z0-9]$"
_OF_ANY = r"^([A-Za-z0-9_-]{1,63}:)?[A-Za-z0-9][A-Za-z0-9._-]{0,254}$"
_DIRECTORY = "--x-s3"
"""How the names of directory buckets (S3 Express One Zone) end, which are asked in a way of their own."""

MUST_BE_ANY = (
    "must be a bucket name such as models, or tenant:models for a tenant of Ceph, without s3://; an access"
    " point is named by its alias, not by its ARN"
)
MUST_BE_AWS = (
    "must be a bucket name of AWS (3 to 63 lower case letters, digits, '-' and '.') unless an endpoint is"
    " named; for an older bucket name https://s3.us-east-1.amazonaws.com"
)
NOT_DIRECTORY = "must not be a directory bucket (S3 Express One Zone), which is not supported"
NOT_IN_A_HOST = "must be a name that can be part of a host name when addressingStyle is VirtualHosted"

_ANY = f"matches({literal(_OF_ANY)})"
_FITS_HOST = f"(self.bucket.matches({literal(_OF_AWS)}) && !self.bucket.contains('..'))"
RULE = f"self.{_ANY}"
"""CEL on the name; the others are on the source, and each leaves to the one before what that refuses."""
RULE_OF_AWS = f"has(self.endpoint) || !self.bucket.{_ANY} || {_FITS_HOST}"
RULE_OF_DIRECTORIES = f"has(self.endpoint) || !self.bucket.endsWith({literal(_DIRECTORY)})"
RULE_OF_HOSTS = (
    f"self.addressingStyle != 'VirtualHosted' || !has(self.endpoint) || !self.bucket.{_ANY} || {_FITS_HOST}"
)


def fault(bucket: str, *, endpoint: bool, virtual: bool) -> str | None:
    """What the CRD says against a name, for who has no API server; None when it is right."""
    if len(bucket) > LONGEST or not re.fullmatch(_OF_ANY, bucket):
        return MUST_BE_ANY
    fits = re.fullmatch(_OF_AWS, bucket) is not None and ".." not in bucket
    if not endpoint and not fits:
        return MUST_BE_AWS
    if not endpoint and bucket.endswith(_DIRECTORY):
        return NOT_DIRECTORY
    return NOT_IN_A_HOST if virtual and not fits else None
