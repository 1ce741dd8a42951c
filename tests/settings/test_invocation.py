"""Flags and Pod: what wins over what, and errors that name the flag and the fix."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from modelsync import errors
from modelsync.cli import config as config_command
from modelsync.settings import configuration, invocation, moved
from tests.settings import documents


def started(environment: dict[str, str] | None = None, **flags: Any) -> invocation.Invocation:
    return invocation.read(**{"config": "c.yaml", **flags}, environment=environment or {})


def test_all_namespaces_are_acted_on_unless_some_are_named() -> None:
    assert (started().namespaces, started().operator_namespace) == ((), "modelsync-system")
    assert started(namespaces=("a", "b", "a")).namespaces == ("a", "b")


def test_in_a_pod_the_cluster_is_its_own_unless_a_kubeconfig_is_named() -> None:
    pod = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "HOSTNAME": "modelsync-0"}
    assert started(pod).in_cluster and started(pod).identity == "modelsync-0"
    assert not started(pod, kubeconfig="f").in_cluster
    assert not started(pod, context="c").in_cluster


def test_the_flag_wins_over_kubeconfig() -> None:
    assert started({"KUBECONFIG": "/a"}).kubeconfig == "/a"
    assert started({"KUBECONFIG": "/a"}, kubeconfig="/b").kubeconfig == "/b"


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"config": None}, "--config: is needed; name the file"),
        ({"config": ""}, "--config: is needed"),
        ({"namespaces": ("Models",)}, "--namespace: 'Models' must be the name of a namespace"),
        ({"operator_namespace": "a/b"}, "--operator-namespace: 'a/b' must be the name of a namespace"),
    ],
)
def test_a_bad_flag_is_reported_with_the_fix(flags: dict[str, Any], says: str) -> None:
    with pytest.raises(errors.ConfigError, match=says.replace("(", r"\(")):
        started(**flags)


def test_flags_of_the_log_win_over_the_document() -> None:
    document = documents.configured({"log.level": "warning", "log.format": "json"})
    assert started().over(document) == document
    said = started(log_level="debug").over(document).log
    assert (said.level, said.format) == ("debug", "json")
    assert started(log_format="text").over(document).log.format == "text"


@pytest.mark.parametrize("name", moved.FIELDS)
def test_a_variable_that_was_a_setting_is_refused_with_its_place(name: str) -> None:
    variable = f"MODELSYNC_{name.upper()}"
    if variable == "MODELSYNC_PORT":
        assert started({variable: "tcp://10.0.0.7:8080"}), "Kubernetes sets it beside a Service named so"
        return
    with pytest.raises(errors.ConfigError, match=rf"{variable}: .* set {moved.FIELDS[name]} "):
        started({variable: "7"})


@pytest.mark.parametrize("value", ["1", "true", "TRUE", "perhaps"])
def test_a_veto_that_nobody_would_obey_is_refused(value: str) -> None:
    with pytest.raises(errors.ConfigError, match=r"DISABLE_MODEL_DOWNLOADS: .* set attempts\.disabled"):
        started({"DISABLE_MODEL_DOWNLOADS": value})
    started({"DISABLE_MODEL_DOWNLOADS": "false"})


def test_variables_of_other_programs_are_without_effect() -> None:
    theirs = {"HTTPS_PROXY": "http://proxy:1", "HF_ENDPOINT": "https://h", "MODELSYNC_LOG_LEVEL": "debug"}
    assert started(theirs) == started()


def test_places_of_former_settings_are_fields() -> None:
    paths = {path for path, _ in configuration.fields()}
    for path in moved.FIELDS.values():
        assert path in paths or any(each.startswith(f"{path}.") for each in paths), path


def test_a_document_is_checked_without_an_operator(tmp_path: Path) -> None:
    run, file = CliRunner(), tmp_path / "config.yaml"
    file.write_bytes(documents.written())
    done = run.invoke(config_command.command, ["check", str(file)])
    assert (done.exit_code, done.output) == (0, f"{file}: valid\n")
    done = run.invoke(config_command.command, ["check", "-"], input=documents.written())
    assert (done.exit_code, done.output) == (0, "-: valid\n")
    file.write_bytes(documents.written({"limits.bandwidth": 1}))
    refused = run.invoke(config_command.command, ["check", str(file)]).exception
    assert isinstance(refused, errors.ConfigError) and "limits.bandwidth" in str(refused)


PROXY = "http://user:password@proxy.example.org:3128"


@pytest.mark.parametrize(
    ("variable", "value", "document", "says"),
    [
        ("HTTPS_PROXY", PROXY, {}, ("connections to the API server", "worker.proxy.https")),
        ("https_proxy", PROXY, {}, ("connections to the API server", "worker.proxy.https")),
        ("HTTPS_PROXY", PROXY, {"worker.proxy.http": "http://p:1"}, ("worker.proxy.https",)),
        ("HTTPS_PROXY", PROXY, {"worker.proxy.https": "http://p:1"}, ()),
        ("HTTP_PROXY", PROXY, {}, ("connections to the API server", "worker.proxy.http ")),
        ("ALL_PROXY", PROXY, {}, ("no effect", "worker.proxy.http and worker.proxy.https")),
        ("NO_PROXY", ".svc", {}, ()),
        ("SSL_CERT_FILE", "/ca.pem", {}, ("worker.caConfigMap",)),
        ("SSL_CERT_FILE", "/ca.pem", {"worker.caConfigMap": "ca"}, ()),
        ("HF_ENDPOINT", "https://mirror.example.org", {}, ("no effect", "hub.endpoint")),
        ("HF_ENDPOINT", "https://a.example.org", {"hub.endpoint": "https://b.example.org"}, ()),
        ("HF_TOKEN", "hf_password", {}, ("no effect", "spec.source.huggingFace.secretRef")),
        ("HF_HUB_OFFLINE", "1", {}, ("no effect", "attempts.disabled")),
        ("HF_XET_HIGH_PERFORMANCE", "1", {}, ("HF_XET_HIGH_PERFORMANCE: no variable of the Hub's",)),
        ("AWS_ACCESS_KEY_ID", "password", {}, ("no effect", "spec.source.s3.secretRef")),
        ("AWS_ENDPOINT_URL", "https://s3.example.org", {}, ("spec.source.s3.endpoint",)),
        ("AWS_ROLE_ARN", "arn:aws:iam::1:role/r", {}, ()),
        ("HF_TOKEN", "", {}, ()),
    ],
)
def test_a_variable_that_downloads_do_not_use_is_named_with_the_field_that_they_do(
    variable: str, value: str, document: dict[str, Any], says: tuple[str, ...]
) -> None:
    found = invocation.warnings(documents.configured(document), {variable: value, "PATH": "/bin"})
    assert len(found) == bool(says)
    for warning in found:
        assert warning.startswith(f"{variable}: ")
        assert "password" not in warning
        assert all(part in warning for part in says), warning
