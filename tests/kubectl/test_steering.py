"""Acts of the plugin on a cluster: on the ModelSync that was meant, and on all that failed."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from modelsync.cli import main
from modelsync.kubectl.client import Client
from modelsync.kubectl.connection import ConnectionOptions, connect
from modelsync.kubectl.options import Cluster
from modelsync.kubectl.problems import CommandError
from modelsync.kubectl.verbs import steering
from modelsync.reading.acts import Act
from tests.kubectl import clusters
from tests.web.fake_cluster import a_sync


def test_one_that_was_deleted_and_created_again_is_another_one(tmp_path: Path) -> None:
    with clusters.serving(tmp_path) as served:
        served.call(lambda cluster: cluster.put(a_sync("team", "llama", "Downloading")))
        client = Client(connect(ConnectionOptions(kubeconfig=served.kubeconfig)), 30)
        cluster = Cluster(client=client, namespace="team", everywhere=False)
        with pytest.raises(CommandError, match="created again"):
            steering.change(cluster, Act.CANCEL, "team", "llama", uid="uid-of-the-one-before")
        assert "cancel" not in served.cluster.syncs["team", "llama"]["spec"]
        steering.change(cluster, Act.CANCEL, "team", "llama", uid="uid-of-team-llama")
        assert served.cluster.syncs["team", "llama"]["spec"]["cancel"] is True


def test_all_failed_are_those_of_every_page_and_not_the_cancelled(tmp_path: Path) -> None:
    with clusters.serving(tmp_path) as served:
        served.cluster.page = 3
        failed = [a_sync("team", f"failed-{one}", "Failed") for one in range(7)]
        served.call(lambda cluster: cluster.put(*failed, a_sync("team", "off", "Cancelled", cancel=True)))
        words = ["retry", "--all-failed", "--kubeconfig", served.kubeconfig]
        result = CliRunner().invoke(main.cli, words, catch_exceptions=False)
        assert result.exit_code == 0 and result.stdout.count("will be retried") == 7
        assert "annotations" not in served.cluster.syncs["team", "off"]["metadata"]
