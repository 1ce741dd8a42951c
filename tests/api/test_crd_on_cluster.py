"""The CRDs proven on a real API server: what it refuses and in which words, what it accepts and stores."""

import json
from typing import Any

import pytest

from dev import kube
from tests.api import proof
from tests.api.specs import affinities, bases, extremes

pytestmark = proof.NEEDS_CLUSTER
BAD, GOOD, UPDATES = bases.table("bad"), bases.table("good"), bases.table("updates")
_NOT_CHECKED = "<nil>: Invalid value: null: some validation rules were not checked"


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.name)
def test_a_bad_spec_is_refused_with_the_field_and_the_fix(api: proof.Proof, case: bases.Case) -> None:
    with pytest.raises(proof.Refused) as refused:
        api.create(case.kind, case.whole)
    # Kubernetes adds one standing line when a missing or ill-typed field kept it from evaluating rules.
    assert [line for line in refused.value.lines if not line.startswith(_NOT_CHECKED)] == case.lines


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.name)
def test_a_good_spec_is_accepted_and_stored_with_defaults(api: proof.Proof, case: bases.Case) -> None:
    spec = api.create(case.kind, case.whole)["spec"]
    assert {path: bases.at(spec, path) for path in case.stored or {}} == (case.stored or {})


def test_defaults_add_nothing_else(api: proof.Proof) -> None:
    spec = api.create("ModelSync", bases.BASES["hub"])["spec"]
    assert set(spec) == {path.split(".")[0] for path in GOOD[0].stored or {}}


@pytest.mark.parametrize("affinity", affinities.GOOD.values(), ids=affinities.GOOD)
def test_an_affinity_is_stored_unchanged_and_a_job_may_have_it(
    api: proof.Proof, affinity: affinities.Affinity
) -> None:
    spec = {**bases.BASES["hub"], "podTemplate": {"affinity": affinity}}
    assert api.create("ModelSync", spec)["spec"]["podTemplate"]["affinity"] == affinity
    api.create_job(extremes.rendered({**spec, "target": {"persistentVolumeClaim": {"claimName": "c"}}}))


@pytest.mark.parametrize(("affinity", "words"), affinities.BAD.values(), ids=affinities.BAD)
def test_what_no_pod_has_is_refused(api: proof.Proof, affinity: affinities.Affinity, words: str) -> None:
    with pytest.raises(proof.Refused) as refused:
        api.create("ModelSync", {**bases.BASES["hub"], "podTemplate": {"affinity": affinity}})
    assert all(line.startswith("spec.podTemplate.affinity.") for line in refused.value.lines[:1])
    assert words in str(refused.value)


@pytest.fixture(scope="module")
def stored(api: proof.Proof) -> dict[str, str]:
    """Each different spec of the updates' table, stored once: its name by its text."""
    names: dict[str, str] = {}
    for case in UPDATES:
        if str(case.first) not in names:
            names[str(case.first)] = f"stored-{len(names)}"
            api.create(case.kind, case.first, name=names[str(case.first)], dry_run=False)
    return names


@pytest.mark.parametrize("case", UPDATES, ids=lambda case: case.name)
def test_a_change_is_accepted_or_refused_as_another_sync(
    api: proof.Proof, stored: dict[str, str], case: bases.Case
) -> None:
    try:
        api.patch(case.kind, stored[str(case.first)], {"spec": case.patch})
        said = [""]
    except proof.Refused as refused:
        said = refused.lines
    assert said == case.lines


@pytest.mark.parametrize("spec", extremes.LARGEST.values(), ids=extremes.LARGEST)
def test_the_largest_spec_is_accepted_and_its_job_can_be_created(
    api: proof.Proof, spec: dict[str, Any]
) -> None:
    api.create("ModelSync", spec)
    api.create_job(extremes.rendered(spec))


@pytest.mark.parametrize("source", extremes.TOO_LONG.values(), ids=extremes.TOO_LONG)
def test_a_list_of_files_that_fits_into_no_request_is_refused(
    api: proof.Proof, source: dict[str, Any]
) -> None:
    with pytest.raises(proof.Refused) as refused:
        api.create("ModelSync", {**bases.BASES["http"], "source": source})
    assert refused.value.lines == [
        "spec.source.http.files: Invalid value: must have at most 131072 bytes in all urls and paths"
        " together: give the files to several ModelSyncs, or name the bucket in source.s3 with a secretRef"
        " instead of presigned URLs"
    ]


def test_kubectl_shows_the_same_words(api: proof.Proof) -> None:
    spec = {**bases.BASES["hub"], "bandwidthLimit": "500m"}
    sync = {"apiVersion": proof.API_VERSION, "kind": "ModelSync", "metadata": {"name": "b"}, "spec": spec}
    sync["metadata"] = {"name": "b", "namespace": proof.NAMESPACE}
    with pytest.raises(kube.KubectlError) as refused:
        kube.kubectl("apply", "-f", "-", stdin=json.dumps(sync))
    assert str(refused.value).endswith(
        'The ModelSync "b" is invalid: spec.bandwidthLimit: Invalid value: "500m": must be a quantity of at'
        " least 1k bytes per second, such as 50M (M is mega, m is milli)"
    )
