"""Settings: flags over variables over defaults, and errors that name the fix."""

from typing import Any

import pytest

from modelsync import errors
from modelsync.api import presets
from modelsync.runtime import app
from modelsync.settings import environment, operator_config

IMAGE = {"worker_image": "localhost/modelsync:dev"}


def test_defaults_need_only_the_image() -> None:
    found = operator_config.operator_config(IMAGE, {})
    assert (found.namespace, found.operator_namespace, found.in_cluster) == ((), "modelsync-system", False)
    assert (found.status_qps, found.lease_duration, found.renew_deadline, found.retry_period) == (
        20,
        15,
        10,
        2,
    )
    assert found.worker_chunk == 8 * 1024 * 1024
    assert found.worker_resources.limits == {"memory": "512Mi"}


def test_a_flag_wins_over_its_variable() -> None:
    environment = {"MODELSYNC_STATUS_QPS": "5", "MODELSYNC_NAMESPACE": "a, b,a", "MODELSYNC_PORT": "0"}
    found = operator_config.operator_config({**IMAGE, "status_qps": "7", "namespace": ()}, environment)
    assert (found.status_qps, found.namespace, found.port) == (7, ("a", "b"), 0)
    assert operator_config.operator_config({**IMAGE, "namespace": ("c",)}, environment).namespace == ("c",)


def test_in_a_pod_the_cluster_is_its_own_unless_a_kubeconfig_is_named() -> None:
    pod = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "HOSTNAME": "modelsync-0"}
    assert operator_config.operator_config(IMAGE, pod).in_cluster
    assert operator_config.operator_config(IMAGE, pod).identity == "modelsync-0"
    assert not operator_config.operator_config({**IMAGE, "kubeconfig": "f"}, pod).in_cluster


@pytest.mark.parametrize(
    ("name", "text", "fix"),
    [
        ("namespace", "Models", "lower case"),
        ("operator_namespace", "a/b", "name of a namespace"),
        ("worker_image_pull_policy", "Sometimes", "Always, IfNotPresent, Never"),
        ("worker_resources", "{", "as JSON"),
        ("worker_resources", '{"limit":{}}', "as JSON"),
        ("worker_resources", "[]", "as JSON"),
        ("worker_max_resources", "[]", "as JSON"),
        ("worker_max_resources", "null", "as JSON"),
        ("worker_max_resources", '{"cpu":"many"}', "as JSON"),
        ("worker_max_resources", '{"nvidia.com/gpu":"1"}', "as JSON"),
        ("worker_priority_classes", "High,low", "lower case"),
        ("worker_service_accounts", "Admin", "lower case"),
        ("worker_runtime_classes", "a,B", "lower case"),
        ("worker_security_context", "[]", "as JSON"),
        ("worker_security_context", '{"runAsUser":0}', "from 1 to"),
        ("worker_security_context", '{"privileged":true}', "as JSON"),
        ("worker_security_context", '{"runAsUser":"me"}', "as JSON"),
        ("worker_ids", "0", "never 0"),
        ("worker_ids", "0-5", "never 0"),
        ("worker_ids", "9-5", "ranges"),
        ("worker_ids", "1-2147483648", "ranges"),
        ("worker_ids", "a", "ranges"),
        ("worker_connections", "0", "from 1 to 64"),
        ("worker_connections", "1e3", "from 1 to 64"),
        ("worker_chunk", "8Mb", "such as 8Mi"),
        ("worker_chunk", "1Ki", "from 64Ki"),
        ("hub_endpoint", "hub.example.org", "base URL"),
        ("hub_endpoint", "https://u:p@hub.example.org", "without user"),
        ("presets", "{", "as JSON"),
        ("presets", '{"a":{"allow":["*"]}}', "as JSON"),
        ("presets", '{"a":{"allowPatterns":["/x"]}}', "as JSON"),
        ("presets", '{"A b":{}}', "lower case"),
        ("disable_model_downloads", "perhaps", "true or false"),
        ("worker_max_retries", "-1", "from 0 to 1000"),
        ("worker_timeout_seconds", "0", "from 0.1"),
        ("worker_https_proxy", "ftp://proxy", "address of a proxy"),
        ("worker_engines", "Native,Curl", "some of Native, HFTransfer, HuggingFaceHub"),
        ("worker_engines", ",", "some of Native, HFTransfer, HuggingFaceHub"),
        ("worker_allowed_addresses", "10.0.0.0/8,hub", "CIDR blocks such as"),
        ("worker_denied_addresses", "10.0.0.1/8", "no bits set behind the prefix"),
        ("worker_no_proxy", " ", "must not be empty"),
        ("progress_via", "magic", "pod-ip, proxy"),
        ("status_qps", "nan", "from 0.1"),
        ("status_qps", "many", "a number"),
        ("resync_seconds", "0", "from 1"),
        ("lease_duration", "-1", "from 1"),
        ("log_format", "xml", "text, json"),
        ("log_level", "loud", "debug, info"),
        ("port", "70000", "a port"),
        ("health_port", "-1", "a port"),
    ],
)
def test_a_bad_value_is_told_with_flag_variable_and_fix(name: str, text: str, fix: str) -> None:
    option = next(option for option in operator_config.OPTIONS if option.name == name)
    with pytest.raises(errors.ConfigError) as told:
        operator_config.operator_config({**IMAGE, name: text}, {})
    for part in (option.flag, option.variable, fix):
        assert part in str(told.value)
    with pytest.raises(errors.ConfigError, match=fix):
        operator_config.operator_config(IMAGE, {option.variable: text})


def test_the_image_must_be_named() -> None:
    with pytest.raises(errors.ConfigError, match=r"--worker-image.*is needed"):
        operator_config.operator_config({}, {})


@pytest.mark.parametrize("times", [{"renew_deadline": "15"}, {"retry_period": "10"}, {"lease_duration": "9"}])
def test_lease_times_must_be_in_order(times: dict[str, Any]) -> None:
    with pytest.raises(errors.ConfigError, match="--renew-deadline"):
        operator_config.operator_config({**IMAGE, **times}, {})


def test_every_option_is_a_field_and_every_field_but_two_an_option() -> None:
    fields = set(operator_config.OperatorConfig.__dataclass_fields__)
    assert fields - {option.name for option in operator_config.OPTIONS} == {"in_cluster", "identity"}


def test_presets_add_to_the_built_in_ones_and_replace_them_by_name() -> None:
    text = '{"mine":{"allowPatterns":["*.bin"]},"onnx":{"allowPatterns":["model.onnx"]}}'
    found = operator_config.operator_config(IMAGE, {"MODELSYNC_PRESETS": text}).presets
    assert found["mine"].allow_patterns == ("*.bin",)
    assert found["onnx"].allow_patterns == ("model.onnx",)
    assert found["safetensors"] == presets.BUILT_IN["safetensors"]


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("HF_ENDPOINT", "https://hub.example.org/", "hub_endpoint", "https://hub.example.org"),
        ("HF_DOWNLOAD_MAX_RETRIES", "9", "worker_max_retries", 9),
        ("HF_HUB_DOWNLOAD_TIMEOUT", "30", "worker_timeout_seconds", 30.0),
        ("DISABLE_MODEL_DOWNLOADS", "1", "disable_model_downloads", True),
        ("HTTP_PROXY", "http://proxy:3128", "worker_http_proxy", "http://proxy:3128"),
        ("https_proxy", "http://proxy:3128", "worker_https_proxy", "http://proxy:3128"),
        ("NO_PROXY", ".svc,10.0.0.0/8", "worker_no_proxy", ".svc,10.0.0.0/8"),
    ],
)
def test_the_fields_own_variables_count_where_ours_are_not_set(
    variable: str, text: str, field: str, value: object
) -> None:
    assert getattr(operator_config.operator_config(IMAGE, {variable: text}), field) == value
    option = next(option for option in operator_config.OPTIONS if option.name == field)
    assert variable in option.common
    ours = {variable: text, option.variable: option.default or "http://ours"}
    assert getattr(operator_config.operator_config(IMAGE, ours), field) != value


def test_a_proxys_password_is_refused_and_not_shown() -> None:
    with pytest.raises(errors.ConfigError) as told:
        operator_config.operator_config(IMAGE, {"HTTPS_PROXY": "http://user:canary@proxy:3128"})
    assert "HTTPS_PROXY" in str(told.value) and "canary" not in str(told.value)


def test_workers_are_told_which_addresses_they_may_reach() -> None:
    flags = {"worker_allowed_addresses": "10.1.0.0/16, fd00::1", "worker_denied_addresses": "10.0.0.0/8"}
    found = app.job_settings(operator_config.operator_config({**IMAGE, **flags}, {}))
    assert found.addresses.dump() == {"allowed": ["10.1.0.0/16", "fd00::1/128"], "denied": ["10.0.0.0/8"]}


def test_workers_are_told_proxies_retries_and_timeouts() -> None:
    found = app.job_settings(
        operator_config.operator_config(
            {
                **IMAGE,
                "worker_max_retries": "0",
                "worker_timeout_seconds": "2.5",
                "worker_log_level": "debug",
            },
            {"HTTPS_PROXY": "proxy:3128", "no_proxy": "hub"},
        )
    )
    assert (found.tuning.max_retries, found.tuning.timeout_seconds) == (0, 2.5)
    proxies = {"HTTPS_PROXY": "proxy:3128", "NO_PROXY": "hub"}
    assert found.environment == {**proxies, "MODELSYNC_LOG_LEVEL": "debug"}
    assert environment.worker_environment(found.environment).log_level == "debug"
