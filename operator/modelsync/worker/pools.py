"""urllib3's pools and connections, where ours differ: idle ones first, and names looked up once."""

import queue
import socket
from typing import TypeVar

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from modelsync.worker.dns import Names

NAMES = Names()
"""Of this process."""
_Item = TypeVar("_Item")


class _Resolving(HTTPConnection):
    """Takes the host's addresses from the names that are known; the host stays what headers and
    certificates are about."""

    def _new_conn(self) -> socket.socket:
        host = self._dns_host
        try:
            addresses = NAMES.addresses(host, self.port)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except UnicodeError:
            return super()._new_conn()  # no name at all: the library says it best
        for number, address in enumerate(addresses, 1):
            self._dns_host = address
            try:
                return super()._new_conn()
            except (NewConnectionError, ConnectTimeoutError):
                if number == len(addresses):
                    NAMES.forget(host)
                    raise
            finally:
                self._dns_host = host
        return super()._new_conn()


class _HttpConnection(_Resolving):
    pass


class _HttpsConnection(_Resolving, HTTPSConnection):
    pass


class _IdleFirst(queue.LifoQueue[_Item]):
    """Gives an idle connection before an empty place. As it is, each failed try leaves an empty place on top:
    whom an origin refuses another connection would never find the idle one beneath."""

    def _put(self, item: _Item) -> None:
        if item is None:
            self.queue.insert(0, item)
        else:
            self.queue.append(item)


class _HttpPool(urllib3.HTTPConnectionPool):
    QueueCls = _IdleFirst
    ConnectionCls = _HttpConnection


class _HttpsPool(urllib3.HTTPSConnectionPool):
    QueueCls = _IdleFirst
    ConnectionCls = _HttpsConnection


BY_SCHEME = {"http": _HttpPool, "https": _HttpsPool}
