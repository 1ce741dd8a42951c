"""A terminal that a program believes in, and whose screen can be read: tmux."""

import shlex
import subprocess
import time
import uuid
from collections.abc import Mapping
from types import TracebackType

_MOST_SECONDS = 60.0


class Terminal:
    """One pane of a tmux server of its own; a context that ends it."""

    def __init__(self, columns: int, lines: int, environment: Mapping[str, str]) -> None:
        self._socket, self._environment = f"modelsync-screens-{uuid.uuid4().hex[:8]}", environment
        self._tmux(
            "-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(lines), "exec sleep 3600"
        )
        for option in (("status", "off"), ("remain-on-exit", "on"), ("history-limit", "500")):
            self._tmux("set-option", "-g", *option)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._tmux("kill-server")

    def run(self, command: str) -> str:
        """What stands there when a command has ended, with the line that calls it."""
        self._begin(command, f"; tmux -L {self._socket} wait-for -S ended; exec sleep 3600")
        self._tmux("wait-for", "ended")
        return self.text()

    def start(self, command: str, *words: str) -> str:
        """What stands there when a command that goes on shows all these words."""
        self._begin(command, "")
        return self.until(*words)

    def until(self, *words: str) -> str:
        """Wait until all these words stand there."""
        end = time.monotonic() + _MOST_SECONDS
        while True:
            text = self.text()
            if all(word in text for word in words):
                return text
            if time.monotonic() > end:
                raise TimeoutError(f"{', '.join(words)} never came:\n{text}")
            time.sleep(0.2)

    def press(self, *keys: str) -> None:
        """Keys, by tmux's names."""
        self._tmux("send-keys", *keys)

    def text(self) -> str:
        """The screen with what scrolled away, without empty lines at its end."""
        found = self._tmux("capture-pane", "-p", "-S", "-")
        return "\n".join(line.rstrip() for line in found.splitlines()).rstrip()

    def _begin(self, command: str, after: str) -> None:
        shown = shlex.quote(f"$ {command}\\n")
        self._tmux("respawn-pane", "-k", f"printf {shown}; {command}{after}")
        self._tmux("clear-history")

    def _tmux(self, *words: str) -> str:
        command = ["tmux", "-u", "-L", self._socket, *words]
        done = subprocess.run(
            command,
            env=dict(self._environment),
            capture_output=True,
            text=True,
            check=True,
            timeout=_MOST_SECONDS,
        )
        return done.stdout
