"""The configuration's document: what is accepted, and what a person reads whose document is not."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelsync import errors
from modelsync.settings import config_file, configuration
from tests.settings.documents import configured, document, written

HEAD = f"apiVersion: {configuration.API_VERSION}\nkind: {configuration.KIND}\n"
MINIMAL = f"{HEAD}worker: {{image: i}}\n"
LONG = "/" + "x" * 5000


def refusal(content: bytes) -> str:
    with pytest.raises(errors.ConfigError) as raised:
        config_file.parse(content, "config.yaml")
    text = str(raised.value)
    assert text.startswith("config.yaml: ") and "\n" not in text
    return text.removeprefix("config.yaml: ")


def test_a_document_needs_its_kind_and_the_image_only() -> None:
    found = config_file.parse(MINIMAL.encode(), "config.yaml")
    assert (found.worker.image, found.log.level, found.leader_election.lease_duration) == ("i", "info", 15)
    assert (found.worker.chunk, found.resync_interval) == (8 * 1024 * 1024, 300)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("log.level", "loud", "'debug', 'info', 'warning' or 'error'"),
        ("log.level", True, "true must be one of"),
        ("log.format", "xml", "'text' or 'json'"),
        ("log", "debug", "must be a map of fields"),
        ("log.levle", "info", "there is no such field; did you mean level?"),
        ("limits.bandwidth", 1, "there is no such field; known here are statusWritesPerSecond"),
        ("limits.connections", 1, "did you mean worker.connections?"),
        ("logLevel", "info", "did you mean worker.logLevel?"),
        ("limits.statusWritesPerSecond", "20", '"20" must be a number from 0.1 to 1000'),
        ("limits.statusWritesPerSecond", float("nan"), "must be a number from 0.1 to 1000"),
        ("limits.statusWritesPerSecond", float("inf"), "must be a number from 0.1 to 1000"),
        ("limits.statusWritesPerSecond", True, "must be a number"),
        ("resyncInterval", 300, "must be a duration with a unit"),
        ("resyncInterval", "5 m", "must be a duration with a unit"),
        ("resyncInterval", "25h", "must be a duration from 1s to 24h"),
        ("leaderElection.leaseDuration", "0s", "from 1s to 1h"),
        ("leaderElection.renewDeadline", "15s", "above retryPeriod and below leaseDuration"),
        ("leaderElection.retryPeriod", "10s", "above retryPeriod and below leaseDuration"),
        ("metrics.port", 70_000, "from 0 to 65535"),
        ("metrics.port", 8080.5, "must be a whole number"),
        ("health.port", 8080, "must not be that of metrics.port"),
        ("hub.endpoint", "hub.example.org", "must be a base URL"),
        ("hub.endpoint", "https://u:p@hub.example.org", "without user"),
        ("hub.endpoint", 3, "must be a base URL"),
        ("attempts.disabled", "no", "must be true or false"),
        ("presets", {"a": {"allow": ["*"]}}, "there is no such field; known here are allowP"),
        ("presets", {"a": {"allow_patterns": ["*"]}}, "did you mean allowPatterns?"),
        ("presets", {"a": {"allowPatterns": ["/x"]}}, 'presets.a.allowPatterns[0]: "/x" must match ^[^/]'),
        ("presets", {"a": {"allowPatterns": "*"}}, "must be a list"),
        ("presets", {"a": {"allowPatterns": ["x" * 250] * 64, "ignorePatterns": ["x"] * 65}}, "at most 64"),
        ("presets", {"a": {"allowPatterns": ["é" * 250] * 64}}, "more than 16384 bytes"),
        ("presets", {"A b": {}}, "names the preset 'A b'"),
        ("presets", [], "must be a map"),
        ("worker.image", "", "is needed; name the image"),
        ("worker.image", "a b", "is needed; name the image"),
        ("worker.imagePullPolicy", "Sometimes", "'Always', 'IfNotPresent' or 'Never'"),
        ("worker.image_pull_policy", "Never", "did you mean imagePullPolicy?"),
        ("worker.progressVia", "proxy", "'PodIP' or 'APIServerProxy'"),
        ("worker.engines", ["Curl"], "some of Native, HFTransfer, HuggingFaceHub"),
        ("worker.engines", [], "some of Native"),
        ("worker.engines", "Native", "must be a list"),
        ("worker.caConfigMap", "Our CA", "must be the name of an object"),
        ("worker.proxy.http", "ftp://proxy", "must be the address of a proxy"),
        ("worker.proxy.noProxy", "a,b", "must be a list of texts"),
        ("worker.proxy.noProxy", ["a,b"], "one an entry"),
        ("worker.addresses.allowed", ["10.0.0.0/8", "hub"], "must be CIDR blocks"),
        ("worker.addresses.denied", ["10.0.0.1/8"], "no bits set behind the prefix"),
        ("worker.addresses.denied", [10], "must be a list of texts"),
        ("worker.connections", 0, "from 1 to 64"),
        ("worker.chunk", "8Mb", "such as 8Mi"),
        ("worker.chunk", "1Ki", "from 64Ki to 1Gi"),
        ("worker.chunk", True, "from 64Ki to 1Gi"),
        ("worker.maxRetries", -1, "from 0 to 1000"),
        ("worker.timeout", "0s", "from 100ms to 1h"),
        ("worker.timeoutSeconds", 10, "did you mean timeout?"),
        ("worker.resources.requests", {"nvidia.com/gpu": 1}, "must be quantities of cpu"),
        ("worker.resources.limits", {"memory": "lots"}, "must be quantities of cpu"),
        ("worker.resources.limits", {"memory": "-1"}, "must be quantities of cpu"),
        ("worker.resources.limits", [], "must be quantities of cpu"),
        ("worker.maxResources", {"cpu": True}, "must be quantities of cpu"),
        ("worker.priorityClasses", ["High"], "lower case"),
        ("worker.serviceAccounts", "a", "must be a list of texts"),
        ("worker.runtimeClasses", ["a", ""], "must be the name of an object"),
        ("worker.securityContext.runAsUser", 0, "must be at least 1"),
        ("worker.securityContext.runAsUser", "1000", "must be a whole number"),
        ("worker.securityContext.privileged", True, "there is no such field"),
        ("worker.securityContext.fsGroupChangePolicy", "Never", "'OnRootMismatch' or 'Always'"),
        ("worker.securityContext.seLinuxOptions", {"type": "spc_t"}, "'container_t'"),
        ("worker.securityContext.seLinuxOptions", {"user": "root"}, "there is no such field"),
        ("worker.ids", ["0-5"], "never 0"),
        ("worker.ids", ["9-5"], "never 0"),
        ("worker.ids", ["1-2147483648"], "from 1 to 2147483647"),
        ("worker.ids", [True], "never 0"),
        ("worker.ids", [], "must be a list of ids"),
    ],
)
def test_a_bad_value_is_reported_with_its_field_and_the_fix(path: str, value: Any, says: str) -> None:
    text = refusal(written({path: value}))
    named = {"leaderElection.retryPeriod": "leaderElection.renewDeadline"}.get(path, path)
    assert text.startswith(named) and says in text


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"", "is empty; begin with apiVersion", id="empty"),
        pytest.param(b"# only a comment\n", "is empty", id="a comment"),
        pytest.param(b"text", "must be a map of fields", id="text"),
        pytest.param(b"- a", "must be a map of fields", id="a list"),
        pytest.param(b"log: {level: info}", "apiVersion: is needed; write", id="no version"),
        pytest.param(b"apiVersion: config.modelsync.dev/v9", "is not known", id="newer"),
        pytest.param(HEAD.replace("Operator", "Worker").encode(), "kind: ", id="another kind"),
        pytest.param(HEAD.encode(), "worker.image: is needed", id="no image"),
        pytest.param(b"\xff\xfe", "is not UTF-8 at byte 0", id="UTF-16"),
        pytest.param(f"{MINIMAL}log: [".encode(), "line 4: is not YAML", id="half a document"),
        pytest.param(f"{MINIMAL}a:\n\tb: 1".encode(), "line 5: is not YAML", id="a tab"),
        pytest.param(f"{MINIMAL}---\n{MINIMAL}".encode(), "several documents", id="two documents"),
        pytest.param(f"{MINIMAL}log: {{}}\nlog: {{}}".encode(), "line 5: 'log' is given twice", id="twice"),
        pytest.param(f"{MINIMAL}log:\n  a: 1\n  a: 2".encode(), "line 6: 'a'", id="twice inside"),
        pytest.param(f"{MINIMAL}log: &a {{}}\nhub: *a".encode(), "line 5: *a is an alias", id="an alias"),
        pytest.param(f"{MINIMAL}? [a]\n: 1".encode(), "is not YAML", id="a key that is a list"),
        pytest.param(b"!!python/object:os.system {}", "is not YAML", id="a tag"),
        pytest.param(b"[" * 100_000, "nested too deeply", id="deep"),
        pytest.param(b"#" * (config_file.MOST_BYTES + 1), "more than 1048576 bytes", id="large"),
    ],
)
def test_a_bad_document_is_reported_with_the_line_and_the_fix(content: bytes, says: str) -> None:
    assert says in refusal(content)


def test_all_mistakes_are_reported_at_once() -> None:
    text = refusal(written({"log.level": "loud", "limits.x": 1, "worker.chunk": "1"}))
    assert text.startswith("3 fields are wrong: ")
    assert all(path in text for path in ("log.level: ", "limits.x: ", "worker.chunk: "))


@pytest.mark.parametrize("path", ["worker.proxy.http", "worker.proxy.https"])
def test_a_proxys_password_is_refused_and_not_shown(path: str) -> None:
    text = refusal(written({path: "http://user:canary@proxy:3128"}))
    assert path in text and "canary" not in text


def test_a_long_value_is_cut() -> None:
    assert len(refusal(written({"hub.endpoint": LONG}))) < 300


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(MINIMAL.replace("\n", "\r\n").encode(), id="CRLF"),
        pytest.param(b"\xef\xbb\xbf" + MINIMAL.encode(), id="a byte order mark"),
        pytest.param(json.dumps(document()).encode(), id="JSON"),
        pytest.param(f"{MINIMAL}log:\nlimits: null\nhub: {{endpoint: }}\n".encode(), id="null is not set"),
        pytest.param(f"---\n{MINIMAL}...\n".encode(), id="marks of a document"),
    ],
)
def test_other_ways_to_write_the_same_are_read(content: bytes) -> None:
    found = config_file.parse(content, "config.yaml")
    assert found.model_copy(update={"worker": configured().worker}) == configured()


def test_a_file_that_is_not_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(errors.ConfigError, match=r"--config: .*nowhere.* cannot be read: No such file"):
        config_file.read(tmp_path / "nowhere")
    with pytest.raises(errors.ConfigError, match="cannot be read: Is a directory"):
        config_file.read(tmp_path)


ACCEPTED: dict[str, tuple[tuple[Any, Any], ...]] = {
    "resyncInterval": (("90s", 90), ("1m30s", 90), ("1500ms", 1.5), ("1.5h", 5400)),
    "worker.chunk": (("64Ki", 65536), (1048576, 1048576), ("1e6", 1_000_000)),
    "worker.ids": (([1000, "7-9"], ((1000, 1000), (7, 9))),),
    "worker.maxResources": (({}, {}), ({"cpu": 2, "memory": "1Gi"}, {"cpu": "2", "memory": "1Gi"})),
    "worker.serviceAccounts": ((["b", "a", "b"], ("b", "a")),),
    "worker.proxy.http": (("", None), ("proxy:3128", "proxy:3128")),
    "hub.endpoint": (("https://hub.example.org/", "https://hub.example.org"),),
    "limits.statusWritesPerSecond": ((5, 5.0), (0.5, 0.5)),
}


@pytest.mark.parametrize(
    ("path", "given", "value"),
    [(path, given, value) for path, cases in ACCEPTED.items() for given, value in cases],
)
def test_values_are_read_in_their_own_units(path: str, given: Any, value: Any) -> None:
    assert configuration.value_at(configured({path: given}), path) == value


def test_what_is_given_replaces_a_default_of_several_fields() -> None:
    assert configured({"worker.securityContext": {"runAsUser": 7}}).worker.security_context.fs_group is None
    found = configured({"worker.resources": {"limits": {}}}).worker.resources
    assert (found.limits, found.requests) == ({}, {"cpu": "100m", "memory": "128Mi"})
    assert yaml.safe_load(written())["worker"] == {"image": "localhost/modelsync:dev"}
