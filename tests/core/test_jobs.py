"""The worker's Job: what every one of them is, and what alone may differ."""

import copy
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelsync.api import modelsync as api
from modelsync.api import naming, presets, protocol, syncqueue
from modelsync.api.common import untrusted
from modelsync.api.source import sources, transfer
from modelsync.api.worker_pod import pod_security, pod_template
from modelsync.core.jobs import job_manifest
from tests import counts
from tests.api.specs import affinities
from tests.builders import SyncBuilder, a_spec, a_sync

SETTINGS = job_manifest.JobSettings(image="registry.example/modelsync:1", hub_endpoint="https://hub.example")


def render(sync: SyncBuilder, attempt: int = 1, **fields: Any) -> dict[str, Any]:
    return job_manifest.render_job(sync.build(), attempt, "the-key", SETTINGS, **fields)


def pod_of(manifest: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = manifest["spec"]["template"]["spec"]
    return found


def request_of(manifest: dict[str, Any]) -> protocol.WorkRequest:
    annotations = manifest["spec"]["template"]["metadata"]["annotations"]
    return protocol.WorkRequest.model_validate_json(annotations[naming.REQUEST_ANNOTATION], strict=True)


S3 = sources.Source(s3=sources.S3Source(bucket="models", secret_ref=sources.SecretRef(name="keys")))
HUB = sources.Source(
    hugging_face=sources.HuggingFaceSource(
        repository="org/model", secret_ref=sources.TokenSecretRef(name="hub", key="read")
    )
)


def test_a_job_belongs_to_its_sync_and_names_it() -> None:
    manifest = render(a_sync(), attempt=3)
    assert manifest["metadata"]["name"] == "llama-uid-ll-3"
    owner = manifest["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("ModelSync", "uid-llama", True)
    assert owner["blockOwnerDeletion"] is False
    labels = manifest["metadata"]["labels"]
    assert labels == manifest["spec"]["template"]["metadata"]["labels"]
    assert labels[naming.UID_LABEL] == "uid-llama"
    assert labels[naming.ATTEMPT_LABEL] == "3"


def test_a_pod_has_its_users_labels_and_annotations_and_ours_win() -> None:
    # The CRD refuses such keys; an object that is older than its rule must not get round it.
    forged = {naming.UID_LABEL: "x", naming.ATTEMPT_LABEL: "9", naming.MANAGED_BY_LABEL: "x"}
    documents = {naming.REQUEST_ANNOTATION: "{}", naming.KEY_ANNOTATION: "known"}
    template = pod_template.PodTemplate(
        labels={"sidecar.istio.io/inject": "false", **forged},
        annotations={"linkerd.io/inject": "disabled", **documents},
    )
    plain, made = render(a_sync()), render(a_sync().with_spec(pod_template=template))
    ours, theirs = (found["spec"]["template"]["metadata"] for found in (plain, made))
    assert theirs["labels"] == {"sidecar.istio.io/inject": "false", **ours["labels"]}
    assert theirs["annotations"] == {"linkerd.io/inject": "disabled", **ours["annotations"]}
    assert made["metadata"]["labels"] == plain["metadata"]["labels"], "injectors read the Pod, not the Job"


def test_a_job_is_one_try_that_disruptions_do_not_count_against() -> None:
    spec = render(a_sync())["spec"]
    assert (spec["backoffLimit"], spec["completions"], spec["parallelism"]) == (0, 1, 1)
    assert spec["podReplacementPolicy"] == "Failed"
    assert spec["podFailurePolicy"]["rules"] == [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}
    ]
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    assert "ttlSecondsAfterFinished" not in spec, "the operator clears it, once its result is stored"


@pytest.mark.parametrize(
    ("own", "queues", "found"),
    [(None, None, None), (60, None, 60), (None, 90, 90), (60, 90, 60), (91, 90, 90)],
)
def test_the_shorter_deadline_of_sync_and_queue_stands_on_the_job(
    own: int | None, queues: int | None, found: int | None
) -> None:
    queue = syncqueue.SyncQueueSpec(active_deadline_seconds=queues)
    job = render(a_sync().with_spec(active_deadline_seconds=own), queue=queue)
    assert job["spec"].get("activeDeadlineSeconds") == found


@pytest.mark.parametrize(
    ("text", "rate"), [(None, None), ("1k", 1000), ("9E", untrusted.MAX_COUNT), ("nonsense", None)]
)
def test_the_lowest_speed_of_the_queue_reaches_the_worker(text: str | None, rate: int | None) -> None:
    queue = syncqueue.SyncQueueSpec(minimum_rate=text)
    assert request_of(render(a_sync(), queue=queue)).minimum_rate == rate


def test_a_pod_passes_the_restricted_standard_and_holds_no_token() -> None:
    pod = pod_of(render(a_sync()))
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    security = pod["securityContext"]
    assert (security["runAsNonRoot"], security["runAsUser"], security["fsGroup"]) == (True, 65532, 65532)
    assert security["fsGroupChangePolicy"] == "OnRootMismatch"
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["args"] == ["worker"]
    assert "command" not in container
    assert "env" not in container
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes.keys() == {"target", "request", "scratch"}
    assert volumes["scratch"]["emptyDir"]["sizeLimit"]
    assert {m["mountPath"] for m in container["volumeMounts"]} == {
        naming.VOLUME_DIR,
        naming.REQUEST_DIR,
        "/tmp",
    }


@pytest.mark.parametrize(
    ("source", "items"),
    [
        pytest.param(HUB, [{"key": "read", "path": "read"}], id="of a token only its key"),
        pytest.param(S3, None, id="keys: the whole Secret"),
    ],
)
def test_a_secret_is_mounted_for_the_workers_group_alone(
    source: sources.Source, items: list[dict[str, str]] | None
) -> None:
    pod = pod_of(render(a_sync().from_source(source)))
    (secret,) = [volume["secret"] for volume in pod["volumes"] if volume["name"] == "secret"]
    assert secret["secretName"] == source.secret_name
    assert secret["defaultMode"] == 0o440
    assert secret.get("items") == items
    (mount,) = [m for m in pod["containers"][0]["volumeMounts"] if m["name"] == "secret"]
    assert mount == {"name": "secret", "mountPath": naming.SECRET_DIR, "readOnly": True}


def test_a_request_says_all_and_reaches_the_worker_as_a_file() -> None:
    sync = (
        a_sync()
        .from_source(HUB)
        .with_spec(allow_patterns=("*.json",), bandwidth_limit="5M")
        .with_status(resolved=transfer.Resolved(revision="c0ffee"))
    )
    manifest = render(sync, attempt=2)
    request = request_of(manifest)
    assert (request.uid, request.namespace, request.name, request.attempt) == (
        "uid-llama",
        "team",
        "llama",
        2,
    )
    assert request.source.hugging_face is not None
    assert request.source.hugging_face.endpoint == "https://hub.example"
    assert (request.allow_patterns, request.bandwidth_limit) == (("*.json",), 5_000_000)
    assert (request.sub_path, request.resolved) == ("llama", transfer.Resolved(revision="c0ffee"))
    (volume,) = [v["downwardAPI"] for v in pod_of(manifest)["volumes"] if v["name"] == "request"]
    assert [item["path"] for item in volume["items"]] == [naming.REQUEST_FILE, naming.KEY_FILE]
    annotations = manifest["spec"]["template"]["metadata"]["annotations"]
    assert annotations[naming.KEY_ANNOTATION] == "the-key"


def test_a_sources_own_endpoint_stays() -> None:
    own = sources.HuggingFaceSource(repository="org/model", endpoint="https://mirror.example")
    request = request_of(render(a_sync().from_source(sources.Source(hugging_face=own))))
    assert request.source.hugging_face == own


def test_authorities_of_ones_own_are_mounted_and_named_to_the_worker() -> None:
    settings = job_manifest.JobSettings(image="x", ca_config_map="our-ca")
    pod = pod_of(job_manifest.render_job(a_sync().build(), 1, "key", settings))
    (volume,) = [volume for volume in pod["volumes"] if "configMap" in volume]
    assert volume["configMap"]["name"] == "our-ca"
    (container,) = pod["containers"]
    assert [entry["name"] for entry in container["env"]] == ["SSL_CERT_FILE"]
    assert container["env"][0]["value"].startswith(naming.CA_DIR)


DEFAULTS = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}}


@pytest.mark.parametrize(
    ("wished", "want"),
    [
        pytest.param({}, DEFAULTS, id="nothing"),
        pytest.param(
            {"limits": {"memory": "64Mi"}},
            {"requests": {"cpu": "100m"}, "limits": {"memory": "64Mi"}},
            id="a limit below the default request",
        ),
        pytest.param(
            {"requests": {"memory": "2Gi"}},
            {"requests": {"cpu": "100m", "memory": "2Gi"}, "limits": {}},
            id="a request above the default limit",
        ),
        pytest.param(
            {"requests": {"cpu": 2}, "limits": {"ephemeral-storage": "1Gi"}},
            {
                "requests": {"cpu": 2, "memory": "128Mi"},
                "limits": {"memory": "512Mi", "ephemeral-storage": "1Gi"},
            },
            id="others",
        ),
    ],
)
def test_wished_resources_never_clash_with_the_defaults(wished: dict[str, Any], want: dict[str, Any]) -> None:
    template = pod_template.PodTemplate(resources=pod_template.Resources(**wished))
    pod = pod_of(render(a_sync().with_spec(pod_template=template)))
    assert pod["containers"][0]["resources"] == want


def test_the_safe_subset_of_the_pod_template_is_taken_over() -> None:
    wished = {
        "nodeSelector": {"gpu": "yes"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "imagePullSecrets": [{"name": "pull"}],
        "priorityClassName": "high",
        "serviceAccountName": "models",
        "runtimeClassName": "gvisor",
    }
    template = pod_template.PodTemplate.model_validate(wished)
    pod = pod_of(render(a_sync().with_spec(pod_template=template)))
    assert {name: pod[name] for name in wished} == wished


def test_a_name_that_is_empty_is_left_out_as_templates_write_it() -> None:
    wished = {"priorityClassName": "", "serviceAccountName": "", "runtimeClassName": ""}
    template = pod_template.PodTemplate.model_validate(wished)
    assert not wished.keys() & pod_of(render(a_sync().with_spec(pod_template=template))).keys()


_ALWAYS = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
_DEFAULT = {
    "runAsUser": 65532,
    "runAsGroup": 65532,
    "fsGroup": 65532,
    "fsGroupChangePolicy": "OnRootMismatch",
}
IDENTITIES: dict[str, tuple[dict[str, Any] | None, dict[str, Any], dict[str, Any], int]] = {
    "by default": (None, {}, _DEFAULT, 0o440),
    "the ModelSync's own": (
        None,
        {"runAsUser": 1000, "supplementalGroups": [7], "seLinuxOptions": {"level": "s0:c1"}},
        {**_DEFAULT, "runAsUser": 1000, "supplementalGroups": [7], "seLinuxOptions": {"level": "s0:c1"}},
        0o440,
    ),
    "the operator's": ({"runAsUser": 5}, {}, {"runAsUser": 5}, 0o444),
    "both": ({"runAsUser": 5, "fsGroup": 6}, {"fsGroup": 7}, {"runAsUser": 5, "fsGroup": 7}, 0o440),
    "left to the namespace": ({}, {}, {}, 0o444),
}


@pytest.mark.parametrize(("operators", "own", "want", "mode"), IDENTITIES.values(), ids=IDENTITIES)
def test_as_whom_a_worker_runs(
    operators: dict[str, Any] | None, own: dict[str, Any], want: dict[str, Any], mode: int
) -> None:
    template = pod_template.PodTemplate.model_validate({"securityContext": own})
    secret = sources.TokenSecretRef(name="token")
    source = sources.Source(hugging_face=sources.HuggingFaceSource(repository="o/n", secret_ref=secret))
    settings = SETTINGS
    if operators is not None:
        chosen = pod_security.PodSecurityContext.model_validate(operators)
        settings = replace(SETTINGS, security_context=chosen)
    sync = a_sync().with_spec(pod_template=template, source=source).build()
    pod = pod_of(job_manifest.render_job(sync, 1, "key", settings))
    assert pod["securityContext"] == {**_ALWAYS, **want}
    (mounted,) = (volume["secret"] for volume in pod["volumes"] if volume["name"] == "secret")
    assert mounted["defaultMode"] == mode, "readable without fsGroup, too"


@pytest.mark.parametrize("affinity", affinities.GOOD.values(), ids=affinities.GOOD)
def test_an_affinity_arrives_unchanged(affinity: affinities.Affinity) -> None:
    template = pod_template.PodTemplate.model_validate({"affinity": affinity})
    assert pod_of(render(a_sync().with_spec(pod_template=template)))["affinity"] == affinity


TEXT = st.text(max_size=30)
SPECS = st.builds(
    lambda repository, allow, ignore, sub_path, limit, claim: a_spec(
        source=sources.Source.model_construct(
            hugging_face=sources.HuggingFaceSource.model_construct(
                repository=repository, revision=sub_path, endpoint=None, secret_ref=None
            ),
            s3=None,
            http=None,
        ),
        allow_patterns=tuple(allow),
        ignore_patterns=tuple(ignore),
        bandwidth_limit=limit,
    ).replace(
        target=api.Target(
            persistent_volume_claim=api.ClaimTarget.model_construct(claim_name=claim, sub_path=sub_path)
        )
    ),
    TEXT,
    st.lists(TEXT, max_size=3),
    st.lists(TEXT, max_size=3),
    TEXT,
    st.none() | st.text(max_size=24),
    st.just("models"),
)


def without_what_may_differ(manifest: dict[str, Any]) -> str:
    rest = copy.deepcopy(manifest)
    del rest["metadata"]["labels"], rest["metadata"]["ownerReferences"], rest["metadata"]["name"]
    del rest["spec"]["template"]["metadata"]
    return json.dumps(rest, sort_keys=True)


@settings(max_examples=counts.chosen(short=60, full=200), deadline=None)
@given(SPECS, st.text("abc-.", min_size=1, max_size=60), st.integers(1, 9999))
def test_nothing_a_user_writes_changes_the_manifest_beside_the_request(
    spec: api.ModelSyncSpec, name: str, attempt: int
) -> None:
    # No shell, no argument, no environment variable, no path is made of what a user writes.
    sync = a_sync(name).with_spec(**{field: getattr(spec, field) for field in type(spec).model_fields})
    plain = without_what_may_differ(render(a_sync()))
    assert without_what_may_differ(render(sync, attempt)) == plain
    request = request_of(render(sync, attempt))
    assert request.allow_patterns == spec.allow_patterns
    assert request.sub_path == spec.target.persistent_volume_claim.sub_path


@pytest.mark.parametrize(
    ("fields", "allow", "ignore"),
    [
        pytest.param({}, (), (), id="nothing said"),
        pytest.param({"preset": "wd-v3-tagger"}, ("model.onnx", "selected_tags.csv"), (), id="a preset"),
        pytest.param(
            {
                "preset": "wd-v3-tagger",
                "allow_patterns": ("*.json", "model.onnx"),
                "ignore_patterns": ("x*",),
            },
            ("*.json", "model.onnx", "selected_tags.csv"),
            ("x*",),
            id="a preset and patterns of one's own",
        ),
        pytest.param({"preset": "mine"}, ("a/*",), ("*.bin",), id="a preset of the operator"),
    ],
)
def test_a_preset_reaches_the_worker_as_patterns(
    fields: dict[str, Any], allow: tuple[str, ...], ignore: tuple[str, ...]
) -> None:
    mine = presets.Preset(allow_patterns=("a/*",), ignore_patterns=("*.bin",), required_patterns=("a/x",))
    settings = job_manifest.JobSettings(image="i", presets={**presets.BUILT_IN, "mine": mine})
    request = job_manifest.work_request(a_sync().with_spec(**fields).build(), 1, settings)
    assert (request.allow_patterns, request.ignore_patterns) == (allow, ignore)
    needs = request.needs
    assert (needs.preset if needs else None) == fields.get("preset")
    if needs is not None:
        assert needs.required == (("a/x",) if needs.preset == "mine" else ("model.onnx", "selected_tags.csv"))
        assert request.allow_patterns[: needs.own] == fields.get("allow_patterns", ())


def test_an_expected_digest_reaches_the_worker() -> None:
    request = job_manifest.work_request(
        a_sync().with_spec(expected_digest="sha256:00").build(), 1, job_manifest.JobSettings(image="i")
    )
    assert request.expected_digest == "sha256:00"


def test_proxies_and_authorities_are_the_only_variables_of_a_worker() -> None:
    settings = job_manifest.JobSettings(
        image="i", environment={"HTTPS_PROXY": "proxy:3128"}, ca_config_map="ca"
    )
    manifest = job_manifest.render_job(a_sync().build(), 1, "key", settings)
    (container,) = pod_of(manifest)["containers"]
    assert {each["name"]: each["value"] for each in container["env"]} == {
        "HTTPS_PROXY": "proxy:3128",
        "SSL_CERT_FILE": f"{naming.CA_DIR}/{naming.CA_FILE}",
    }
