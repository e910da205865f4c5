import re
import tomllib
from pathlib import Path

import pytest

from compactvl.dag.digest import (
    ROOT,
    WITHOUT_EFFECT,
    covered,
    imports_of,
    locked_versions,
    source_digest,
)

FILES = {
    "__init__.py": "",
    "train.py": """
from typing import TYPE_CHECKING
from pack.losses import loss
if TYPE_CHECKING:
    from pack import plots
def train():
    from . import loop
    from pack.errors import Mistake
    return loop.run(loss)
""",
    "draw.py": "from pack import plots\nimport pack.data.reader\n",
    "plots.py": "import os\ndef draw():\n    return 1\n",
    "losses.py": "def loss():\n    return 1\n",
    "loop.py": "def run(*a):\n    from pack.deep import inner\n    return inner\n",
    "deep.py": "inner = 1\n",
    "errors.py": "from pack.records import book\nclass Mistake(Exception):\n    pass\n",
    "records/__init__.py": "",
    "records/book.py": "import scipy\nx = 1\n",
    "data/__init__.py": "",
    "data/reader.py": "x = 1\n",
    "unused.py": "x = 1\n",
}


@pytest.fixture
def package(tmp_path):
    """A package on disk; returns functions that digest an entry and change a file."""
    count = iter(range(1000))

    def write(changes=None):
        # The digest caches by folder, so each state of the package gets a folder of its own.
        root = tmp_path / str(next(count)) / "pack"
        for name, text in {**FILES, **(changes or {})}.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return root

    return write


def digest(root: Path, entry="pack.train"):
    return source_digest([entry], root, "pack")


def test_it_follows_what_runs_and_nothing_else(package):
    modules, _ = covered(["pack.train"], package(), "pack")
    assert sorted(modules) == ["pack.deep", "pack.loop", "pack.losses", "pack.train"]
    modules, _ = covered(["pack.draw"], package(), "pack")
    assert sorted(modules) == ["pack.data.reader", "pack.draw", "pack.plots"]
    assert imports_of("pack.train", package(), "pack") == ["pack.errors", "pack.loop", "pack.losses"]


@pytest.mark.parametrize("name", ["losses.py", "loop.py", "deep.py"])
def test_a_change_in_what_it_uses_counts(package, name):
    assert digest(package()) != digest(package({name: FILES[name].replace("1", "2") + "\ny = 3\n"}))


@pytest.mark.parametrize("name", ["plots.py", "unused.py", "data/reader.py", "errors.py", "records/book.py"])
def test_a_change_in_what_it_does_not_use_does_not_count(package, name):
    assert digest(package()) == digest(package({name: "changed = 1\n"}))


def test_comments_docstrings_and_layout_do_not_count(package):
    text = '"""Module."""\n# note\ndef loss():\n    """Doc."""\n\n    return (1)  # same\n'
    assert digest(package()) == digest(package({"losses.py": text}))


def test_a_script_counts_by_its_imports(package, tmp_path):
    script = tmp_path / "report.py"
    script.write_text("from pack import plots\nprint(1)\n")
    first = source_digest([script], package(), "pack")
    assert first == source_digest([script], package({"losses.py": "x = 2\n"}), "pack")
    assert first != source_digest([script], package({"plots.py": "x = 2\n"}), "pack")


@pytest.mark.parametrize("entry", ["pack.none", "pack.train:train"])
def test_an_unknown_entry_is_an_error(package, entry):
    with pytest.raises(ModuleNotFoundError):
        digest(package(), entry)


def test_the_stages_of_this_package_have_digests():
    from compactvl.dag.stages import STAGE_MODULES, encode_modules, weights_modules

    stages = {**STAGE_MODULES, "weights": weights_modules("minilm"), "encode": encode_modules("timm")}
    digests = {stage: source_digest(modules) for stage, modules in stages.items()}
    assert len(set(digests.values())) == len(digests)
    modules, _ = covered(encode_modules("timm"))
    assert {"compactvl.vision.encode", "compactvl.vision.loaders.timm"} <= modules.keys()
    assert "compactvl.vision.loaders.open_clip" not in modules
    assert not any(name.startswith("compactvl.reporting") for name in modules)


def test_it_knows_the_locked_version_of_what_is_imported(package, tmp_path):
    root = package({"deep.py": "import PIL.Image\nfrom scikit_posthocs import dunn\nimport os\ninner = 1\n"})
    assert covered(["pack.train"], root, "pack")[1] == {"pillow", "scikit-posthocs"}
    assert covered(["pack.draw"], root, "pack")[1] == set()

    def locked(entry, **versions):
        folder = tmp_path / "-".join(versions.values())
        folder.mkdir(exist_ok=True)
        lines = [f"{name}=={version} \\\n    --hash=sha256:0" for name, version in versions.items()]
        (folder / "requirements.lock").write_text("\n".join(lines))
        return source_digest([entry], root, "pack", folder)

    train, report = "pack.train", "pack.draw"
    before = locked(train, pillow="1.0", numpy="1.0")
    assert locked(train, pillow="1.0", numpy="1.1") == before
    assert locked(train, pillow="1.1", numpy="1.0") != before
    assert locked(report, pillow="1.1", numpy="1.0") == locked(report, pillow="1.0", numpy="1.0")


def test_every_import_is_locked_or_an_extra():
    project = tomllib.loads((ROOT.parents[1] / "pyproject.toml").read_text())["project"]
    extras = {
        re.match(r"[\w-]+", line)[0].lower().replace("_", "-")
        for lines in project["optional-dependencies"].values()
        for line in lines
    }
    modules = [str(path.relative_to(ROOT).with_suffix("")).replace("/", ".") for path in ROOT.rglob("*.py")]
    entries = [f"compactvl.{name.removesuffix('.__init__')}" for name in modules if name != "__init__"]
    assert covered(entries)[1] - set(locked_versions()) - extras == set()
    assert "torch" in locked_versions()


def test_what_has_no_effect_is_there():
    for name in WITHOUT_EFFECT:
        path = ROOT.joinpath(*name.split("."))
        assert path.is_dir() or path.with_suffix(".py").is_file(), name
