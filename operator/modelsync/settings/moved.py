"""Where settings are now that were flags, variables or values of the chart before there was one document.

A flag or variable that is silently without effect is found late, by what does not work; so each is refused
with its place in the document. Once no installation is older than the document, these tables can go.
"""

from collections.abc import Mapping

from modelsync import errors

FIELDS: Mapping[str, str] = {
    "worker_image": "worker.image",
    "worker_image_pull_policy": "worker.imagePullPolicy",
    "worker_resources": "worker.resources",
    "worker_max_resources": "worker.maxResources",
    "worker_priority_classes": "worker.priorityClasses",
    "worker_service_accounts": "worker.serviceAccounts",
    "worker_runtime_classes": "worker.runtimeClasses",
    "worker_security_context": "worker.securityContext",
    "worker_ids": "worker.ids",
    "worker_connections": "worker.connections",
    "worker_chunk": "worker.chunk",
    "worker_max_retries": "worker.maxRetries",
    "worker_timeout_seconds": "worker.timeout",
    "worker_http_proxy": "worker.proxy.http",
    "worker_https_proxy": "worker.proxy.https",
    "worker_no_proxy": "worker.proxy.noProxy",
    "worker_log_level": "worker.logLevel",
    "worker_engines": "worker.engines",
    "worker_allowed_addresses": "worker.addresses.allowed",
    "worker_denied_addresses": "worker.addresses.denied",
    "worker_ca_config_map": "worker.caConfigMap",
    "hub_endpoint": "hub.endpoint",
    "disable_model_downloads": "attempts.disabled",
    "retry_base_seconds": "attempts.retryBase",
    "start_deadline_seconds": "attempts.startDeadline",
    "presets": "presets",
    "progress_via": "worker.progressVia",
    "status_qps": "limits.statusWritesPerSecond",
    "resync_seconds": "resyncInterval",
    "lease_duration": "leaderElection.leaseDuration",
    "renew_deadline": "leaderElection.renewDeadline",
    "retry_period": "leaderElection.retryPeriod",
    "port": "metrics.port",
    "health_port": "health.port",
}
"""Former settings by the name that made their flag (`--status-qps`) and variable (`MODELSYNC_STATUS_QPS`)."""
_COMMON = {"DISABLE_MODEL_DOWNLOADS": "attempts.disabled"}
"""Of the variables that other programs know too, the one that must not be without effect."""
_LINKS = {"MODELSYNC_PORT"}
"""Kubernetes sets it in Pods beside a Service with the name modelsync."""
VALUES: Mapping[str, str] = {
    "worker": "config.worker (of worker.timeoutSeconds: timeout, as 10s; of worker.image: one reference)",
    "presets": "config.presets",
    "config.hubEndpoint": "config.hub.endpoint",
    "config.disableModelDownloads": "config.attempts.disabled",
    "config.retryBaseSeconds": "config.attempts.retryBase, as 10s",
    "config.startDeadlineSeconds": "config.attempts.startDeadline, as 60s",
    "config.statusQps": "config.limits.statusWritesPerSecond",
    "config.resyncSeconds": "config.resyncInterval, as 300s",
    "config.leaseDuration": "config.leaderElection.leaseDuration, as 15s",
    "config.renewDeadline": "config.leaderElection.renewDeadline, as 10s",
    "config.retryPeriod": "config.leaderElection.retryPeriod, as 2s",
    "config.logFormat": "config.log.format",
    "config.logLevel": "config.log.level",
}
"""Former values of the chart, which its schema refuses with this text."""


def refuse_variables(environment: Mapping[str, str]) -> None:
    """Raise ConfigError for a variable that was a setting."""
    variables = {f"MODELSYNC_{name.upper()}": path for name, path in FIELDS.items()} | _COMMON
    for variable, path in variables.items():
        value = environment.get(variable, "").strip().lower()
        if variable in _LINKS or value in ("", "0", "false", "no", "off"):
            continue
        raise errors.ConfigError(
            f"{variable}: the operator reads no such variable; unset it, and set {path} in its configuration"
        )


def of_flag(flag: str) -> str | None:
    """The place of a former flag in the document."""
    return FIELDS.get(flag.removeprefix("--").replace("-", "_"))
