"""The schemas of our CRDs, made once for all modules whose tables are drawn from them."""

import functools
from typing import Any

from modelsync.api import crd


@functools.cache
def schemas() -> dict[str, dict[str, Any]]:
    """OpenAPI schemas by kind; not to be changed."""
    return {
        made["spec"]["names"]["kind"]: made["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        for made in crd.all_crds()
    }
