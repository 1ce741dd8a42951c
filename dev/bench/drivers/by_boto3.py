"""boto3's transfer manager over a prefix: `by_boto3.py ENDPOINT BUCKET LIST`, a JSON list of [key, path]."""

import concurrent.futures
import json
import os
import sys

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

AT_ONCE = 8


def main() -> int:
    """Fetch all; keys come from the environment."""
    endpoint, bucket, listed = sys.argv[1:4]
    with open(listed, encoding="utf-8") as file:
        wanted: list[tuple[str, str]] = json.load(file)
    config = Config(s3={"addressing_style": "path"}, max_pool_connections=32)
    client = boto3.session.Session().client("s3", endpoint_url=endpoint, config=config)
    transfer = TransferConfig(max_concurrency=10 if len(wanted) == 1 else 4)

    def fetch(item: tuple[str, str]) -> None:
        key, path = item
        os.makedirs(os.path.dirname(path), exist_ok=True)
        client.download_file(bucket, key, path, Config=transfer)

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(fetch, wanted))
    return 0


if __name__ == "__main__":
    sys.exit(main())
