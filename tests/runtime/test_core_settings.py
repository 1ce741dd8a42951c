"""What planner and workers get of the configuration."""

from modelsync.api import presets
from modelsync.runtime.common import core_settings
from modelsync.settings import environment
from tests.settings import documents


def test_presets_add_to_the_built_in_ones_and_replace_them_by_name() -> None:
    given = {"mine": {"allowPatterns": ["*.bin"]}, "onnx": {"allowPatterns": ["model.onnx"]}}
    configured = documents.configured({"presets": given})
    found = core_settings.job_settings(configured).presets
    assert found["mine"].allow_patterns == ("*.bin",)
    assert found["onnx"].allow_patterns == ("model.onnx",)
    assert found["safetensors"] == presets.BUILT_IN["safetensors"]
    assert set(core_settings.plan_settings(configured, "ops").presets) == found.keys()


def test_workers_are_given_the_addresses_that_they_may_reach() -> None:
    fields = {
        "worker.addresses.allowed": ["10.1.0.0/16", "fd00::1"],
        "worker.addresses.denied": ["10.0.0.0/8"],
    }
    found = core_settings.job_settings(documents.configured(fields))
    assert found.addresses.dump() == {"allowed": ["10.1.0.0/16", "fd00::1/128"], "denied": ["10.0.0.0/8"]}


def test_workers_are_given_proxies_retries_and_timeouts() -> None:
    fields = {
        "worker.maxRetries": 0,
        "worker.timeout": "2500ms",
        "worker.logLevel": "debug",
        "worker.proxy.https": "proxy:3128",
        "worker.proxy.noProxy": ["hub", ".svc"],
    }
    found = core_settings.job_settings(documents.configured(fields))
    assert (found.tuning.max_retries, found.tuning.timeout_seconds) == (0, 2.5)
    proxies = {"HTTPS_PROXY": "proxy:3128", "NO_PROXY": "hub,.svc"}
    assert found.environment == {**proxies, "MODELSYNC_LOG_LEVEL": "debug"}
    assert environment.worker_environment(found.environment).log_level == "debug"


def test_the_operators_own_namespace_is_protected_too() -> None:
    found = core_settings.plan_settings(documents.configured(), "ops")
    assert {"ops", "kube-system"} <= found.protected_namespaces
