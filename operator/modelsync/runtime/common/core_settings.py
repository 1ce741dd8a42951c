"""What of the configuration the planner and the workers' Jobs get, in their own terms."""

from datetime import timedelta

from modelsync.api import presets, protocol
from modelsync.api.worker_pod import pod_template
from modelsync.core.cluster import snapshot
from modelsync.core.jobs import job_manifest
from modelsync.settings.configuration import Configuration, Proxy


def plan_settings(configuration: Configuration, operator_namespace: str) -> snapshot.Settings:
    """What the planner decides by."""
    worker, attempts = configuration.worker, configuration.attempts
    return snapshot.Settings(
        retry_base=timedelta(seconds=attempts.retry_base),
        start_deadline=timedelta(seconds=attempts.start_deadline),
        protected_namespaces=snapshot.PROTECTED_NAMESPACES | {operator_namespace},
        presets=tuple(_known_presets(configuration)),
        engines=worker.engines,
        priority_classes=worker.priority_classes,
        service_accounts=("default", *worker.service_accounts),
        runtime_classes=worker.runtime_classes,
        ids=worker.ids,
        most_resources=worker.max_resources,
        downloads_disabled=attempts.disabled,
    )


def job_settings(configuration: Configuration) -> job_manifest.JobSettings:
    """What goes into every worker's Job."""
    worker = configuration.worker
    return job_manifest.JobSettings(
        image=worker.image,
        image_pull_policy=worker.image_pull_policy,
        resources=pod_template.Resources(
            requests=dict(worker.resources.requests), limits=dict(worker.resources.limits)
        ),
        security_context=worker.security_context,
        most_resources=worker.max_resources,
        hub_endpoint=configuration.hub.endpoint,
        ca_config_map=worker.ca_config_map,
        presets=_known_presets(configuration),
        environment=_variables(worker.proxy, worker.log_level),
        tuning=protocol.Tuning(
            connections=worker.connections,
            chunk_bytes=worker.chunk,
            max_retries=worker.max_retries,
            timeout_seconds=worker.timeout,
        ),
        addresses=protocol.Addresses(allowed=worker.addresses.allowed, denied=worker.addresses.denied),
    )


def _known_presets(configuration: Configuration) -> dict[str, presets.Preset]:
    """The built-in presets and the given ones, which win."""
    return {**presets.BUILT_IN, **configuration.presets}


def _variables(proxy: Proxy, log_level: str) -> dict[str, str]:
    """The workers' variables; a program that knows one of them knows it in capitals."""
    known = {
        "HTTP_PROXY": proxy.http,
        "HTTPS_PROXY": proxy.https,
        "NO_PROXY": ",".join(proxy.no_proxy),
        "MODELSYNC_LOG_LEVEL": log_level if log_level != "info" else None,
    }
    return {name: value for name, value in known.items() if value}
