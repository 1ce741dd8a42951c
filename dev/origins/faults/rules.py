"""Which requests a fault strikes, and how a rule is written as text.

Text can stand in a URL and in a table: `cut@10%`, `status=503x4`, `etag@2`, `head:status=403x*`.

    [ROLE:]NAME[=VALUE][@POSITION%|@POSITIONb][@FIRST][xTIMES]

It strikes requests of its role (`data` when absent, `any` for all) for the path it was given for: with a
position, those whose range holds this offset of the file, else all; beginning with the FIRST such request,
TIMES times (once when absent, `*` for always).
"""

import fnmatch
import re
import threading
from dataclasses import dataclass
from urllib.parse import unquote

from dev.origins.faults import vocabulary
from dev.origins.faults.fault import Fault, Struck
from dev.origins.serving.log import Entry
from dev.origins.serving.messages import Answer, Request, Role

ALWAYS = 1 << 60
ANY = None
"""A rule's role or listener where every one is meant."""
_RULE = re.compile(
    r"(?:(?P<role>[a-z]+):)?(?P<name>[a-z][a-z-]*)(?:=(?P<value>.*?))?"
    r"(?:@(?P<position>\d+(?:\.\d+)?)(?P<unit>[%b]))?(?:@(?P<first>\d+))?(?:x(?P<times>\d+|\*))?"
)


@dataclass(slots=True, kw_only=True)
class Rule:
    """Faults, the requests that they strike, and how often they still do."""

    faults: tuple[Fault, ...]
    path: str
    """Pattern (fnmatch) of the file's path, or of the URL's for requests about no file; "" is all those."""
    role: Role | None = Role.DATA
    listener: str | None = ANY
    position: float | None = None
    """The offset of the file that a request's range has to hold."""
    relative: bool = False
    """Whether the position is a share of the file's size, in percent."""
    since: int = 0
    """Only answers that begin at this offset or later."""
    first: int = 1
    """The first of these requests that is struck."""
    times: int = 1
    text: str = ""
    matched: int = 0
    struck: int = 0

    def __post_init__(self) -> None:
        """Write it as text where it was not made of one."""
        if not self.text:
            role = "any:" if self.role is None else f"{self.role}:" * (self.role is not Role.DATA)
            first = f"@{self.first}" * (self.first > 1)
            times = "x*" if self.times >= ALWAYS else f"x{self.times}"
            self.text = "+".join(f"{role}{each}{first}{times}" for each in self.faults)

    def offset(self, size: int) -> int | None:
        """The position in bytes."""
        if self.position is None:
            return None
        return min(int(self.position * size / 100), max(0, size - 1)) if self.relative else int(self.position)

    def strikes(self, answer: Answer, request: Request, entry: Entry) -> bool:
        """Whether it strikes this answer; counts. The caller holds the lock of the rules."""
        if self.role not in (ANY, entry.role) or self.listener not in (ANY, entry.listener):
            return False
        name = entry.path or (request.path if self.path else "")
        if (name != self.path and not fnmatch.fnmatchcase(name, self.path)) or answer.start < self.since:
            return False
        offset = self.offset(answer.formed.size)
        if offset is not None and not answer.start <= offset < max(answer.end, answer.start + 1):
            return False
        self.matched += 1
        if self.matched < self.first or self.struck >= self.times:
            return False
        self.struck += 1
        return True


class Rules:
    """The rules in force, in the order in which they were added. Thread-safe."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._by_url: dict[tuple[str, str], list[Rule]] = {}
        """Those of URLs, by prefix and path: they begin again for each."""
        self._lock = threading.Lock()
        self._released = threading.Event()
        self.revoked: set[str] = set()
        """Signatures of URLs that `Expire` ended."""

    def add(self, *rules: Rule) -> None:
        """Put rules in force, after those that are."""
        with self._lock:
            self._rules.extend(rules)

    def clear(self) -> None:
        """End all rules and release the answers that they hold."""
        with self._lock:
            self._rules.clear()
            self._by_url.clear()
            self._released.set()
            self._released = threading.Event()

    def in_force(self) -> list[Rule]:
        """Those that may still strike."""
        with self._lock:
            return [rule for rule in self._rules if rule.struck < rule.times]

    def change(self, answer: Answer, request: Request, entry: Entry) -> None:
        """Let all faults that strike a request change the answer, and note them in the log."""
        with self._lock:
            answer.released = self._released
            laid = self._rules
            if request.faults:
                key = request.faults, entry.path
                if key not in self._by_url:
                    self._by_url[key] = [parse(text, entry.path) for text in request.faults.split("+")]
                laid = laid + self._by_url[key]
            for rule in [rule for rule in laid if rule.strikes(answer, request, entry)]:
                offset = rule.offset(answer.formed.size)
                struck = Struck(
                    answer=answer, request=request, entry=entry, offset=offset, revoked=self.revoked
                )
                for fault in rule.faults:
                    fault.change(struck)
                entry.faults.append(rule.text)


def parse(text: str, path: str = "*") -> Rule:
    """A rule from its text; raises ValueError."""
    found = _RULE.fullmatch(text)
    if found is None or found["name"] not in vocabulary.BY_NAME:
        raise ValueError(f"no such fault: {text}; give one of {', '.join(vocabulary.BY_NAME)}")
    times, role = found["times"], found["role"] or "data"
    return Rule(
        faults=(_valued(found["name"], found["value"] or ""),),
        path=path,
        role=ANY if role == "any" else Role(role),
        position=float(found["position"]) if found["position"] else None,
        relative=found["unit"] == "%",
        first=int(found["first"] or 1),
        times=ALWAYS if times == "*" else int(times or 1),
        text=text,
    )


def _valued(name: str, value: str) -> Fault:
    try:
        return vocabulary.BY_NAME[name].of(unquote(value))
    except ValueError as error:
        raise ValueError(f"{name}={value}: {error}") from None
