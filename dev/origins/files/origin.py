"""One set of files, served as a Hub, as S3 and as a plain web server: what most tests fetch from.

/web/PATH                                 plain files
/api/models/org/model…, /org/model/…      the Hub; files of its CDN come from a second port
/bucket/KEY                               S3
/f/FAULT[+FAULT…]/…                       any of these, with faults that begin again for each such prefix
"""

import itertools
from collections.abc import Mapping
from pathlib import Path

from dev.origins.content import Content
from dev.origins.files import hub, s3, web
from dev.origins.files.listing import Listing
from dev.origins.serving.messages import Object, Request, objects
from dev.origins.serving.server import Reply, Server


class Origin(Server):
    """An origin of files: put objects into `files` and faults onto them with `strike`."""

    def __init__(
        self,
        files: Mapping[str, bytes | Content | Object] | None = None,
        *,
        certificate: tuple[Path, Path] | None = None,
        host: str = "127.0.0.1",
        token: str | None = None,
    ) -> None:
        super().__init__({"origin": 0, "cdn": 0}, host=host, certificate=certificate)
        self.files = objects(files or {})
        self.token = token
        """A request without it gets a 401 from the Hub."""
        self.page_size = 1000
        self.pages_at = ""
        """Where a Hub's listing says that its next page is, in place of here."""
        self.s3 = s3.Habits()
        """What it does as S3 that others do not."""
        self.listing = Listing.COMPLETE
        self.signatures = itertools.count(1)
        self.proxy = ""
        """Its own address, where `url` leads elsewhere."""
        self.url, self.cdn_url = self.urls().values()

    @property
    def web(self) -> str:
        """Where the plain files are."""
        return self.url + web.ROOT.rstrip("/")

    def answer(self, request: Request) -> Reply:
        """The answer in the protocol that the path says."""
        if request.method == "CONNECT":
            return web.connect()
        if request.path.startswith(web.ROOT):
            return web.file(self.files, request, root=web.ROOT)
        if s3.in_host(request) or request.path.startswith((s3.ROOT, f"/{self.s3.bucket}")):
            return s3.answer(self, request)
        return hub.answer(self, request)
