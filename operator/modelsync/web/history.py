"""Speeds of the past for the chart: the operator's, else what a feed has seen; both within the caller's
rights.

Which namespaces a question is about follows from what the API server has listed for this very caller, and
from nothing that the caller sends.
"""

from modelsync.reading import values
from modelsync.reading.history import Series
from modelsync.reading.speed_record import Question
from modelsync.web.feeds import Feed, Link
from modelsync.web.operator_history import OperatorHistory


def question(feed: Feed, span: str, *, queue: str | None = None, sync: values.Row | None = None) -> Question:
    """The question for a feed's caller."""
    if sync is not None:
        return Question(span=span, namespaces=(sync.namespace,), sync=sync.uid or sync.name)
    listed = [scope.namespace for scope in feed.scopes if scope.link in (Link.LIVE, Link.AWAY)]
    everywhere = None in listed
    return Question(
        span=span, namespaces=None if everywhere else tuple(each for each in listed if each), queue=queue
    )


async def read(operator: OperatorHistory | None, feed: Feed, asked: Question) -> Series:
    """The operator's answer where it has one and the caller's lists are live; else the feed's own."""
    if operator is not None and all(scope.link is not Link.AWAY for scope in feed.scopes):
        found = await operator.read(asked)
        if found is not None:
            return found
    return feed.record.answer(asked, feed.now())


def peak(feed: Feed) -> int | None:
    """The highest speed of all downloads together in the last 24 hours that the feed saw, in bytes per
    second."""
    spans = (feed.record.answer(question(feed, span), feed.now()).down for span in ("1h", "24h"))
    return max((value for values in spans for value in values if value), default=None)
