"""`python -m dev.origins.hub --root DIR`: serve a tree of repositories until SIGINT or SIGTERM."""

import argparse
import signal
import sys
import threading
from pathlib import Path

from dev.origins.hub import repository
from dev.origins.hub.server import HubServer
from dev.origins.serving.pacing import parse_rate


def main() -> int:
    """Serve; prints one line with the URLs once connections are accepted. Returns the exit code."""
    options = _options()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        server = _server(options)
        with server:
            count = len(server.state.repositories)
            print(f"Hub {server.url} CDN {server.cdn_url} repositories: {count}", flush=True)
            stop.wait()
    except (OSError, ValueError) as error:
        print(f"dev.origins.hub: {error}", file=sys.stderr)
        return 2
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m dev.origins.hub", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder with ORG/NAME and datasets/ORG/NAME")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--cdn-port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--cas-port", type=int, default=0, help="Xet's; 0 takes a free one")
    parser.add_argument("--one-port", action="store_true", help="serve CDN and CAS on the Hub's own port")
    parser.add_argument("--rate", type=parse_rate, help="bytes per second of all files together, such as 3MB")
    parser.add_argument("--page-size", type=int, default=50, help="entries of a tree in one page")
    parser.add_argument("--token", action="append", default=[], help="a token that opens every repository")
    parser.add_argument("--outsider-token", action="append", default=[], help="valid, but opens none")
    parser.add_argument("--gated", action="append", default=[], metavar="ORG/NAME")
    parser.add_argument("--private", action="append", default=[], metavar="ORG/NAME")
    parser.add_argument("--xet", action="append", default=[], metavar="ORG/NAME", help="offer it by Xet too")
    parser.add_argument("--tls-cert", type=Path, help="PEM file of the certificate chain")
    parser.add_argument("--tls-key", type=Path, help="PEM file of its key")
    return parser.parse_args()


def _server(options: argparse.Namespace) -> HubServer:
    found = repository.from_root(options.root)
    for flag, names in (("gated", options.gated), ("private", options.private), ("xet", options.xet)):
        for name in names:
            matching = [one for one in found if one.id == name]
            if not matching:
                raise ValueError(f"--{flag} {name}: no such repository below {options.root}")
            for one in matching:
                setattr(one, flag, True)
    if bool(options.tls_cert) != bool(options.tls_key):
        raise ValueError("give both --tls-cert and --tls-key, or neither")
    tokens: dict[str, list[str] | None] = dict.fromkeys(options.token)
    tokens |= {token: [] for token in options.outsider_token}
    return HubServer(
        *found,
        host=options.host,
        port=options.port,
        cdn_port=None if options.one_port else options.cdn_port,
        cas_port=None if options.one_port else options.cas_port,
        rate=options.rate,
        tokens=tokens,
        page_size=options.page_size,
        certificate=(options.tls_cert, options.tls_key) if options.tls_cert else None,
    )


if __name__ == "__main__":
    sys.exit(main())
