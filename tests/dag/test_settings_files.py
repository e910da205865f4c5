"""When a settings file counts as changed, where it was not there before: a clone has none."""

from pathlib import Path
from typing import Any

import pytest

from compactvl.config.overlay import load_config
from compactvl.dag.identity import settings_digest, variant_body
from compactvl.dag.plan import Plan
from compactvl.dag.settings_files import LONG_AGO, write_settings_files
from compactvl.records.layout import Layout
from compactvl.records.record import MANIFEST, Made, write

CONFIG = Path(__file__).parents[2] / "config.yaml"


def the_plan() -> Plan:
    return Plan(load_config([], CONFIG))


@pytest.fixture
def made_with(tmp_path, monkeypatch):
    """Write what a thing was made with, as its provenance has it: record, section and name, content of the settings file."""
    monkeypatch.chdir(tmp_path)
    layout = Layout()

    def make(record: Path, section: str, name: str, content: Any) -> Path:
        write(record, Made("made", "", {str(layout.settings(section, name)): settings_digest(content)}), [])
        return layout.settings(section, name)

    return make


def test_a_new_settings_file_is_a_change_where_something_was_made_with_another_content(made_with):
    plan = the_plan()
    layout, root = plan.layout, plan.root
    dino = root.encoders["dinov2_s"].model_dump(mode="json")
    records = {
        "sources": (layout.dataset("brown") / MANIFEST, "brown"),
        "weights": (layout.weights("minilm").with_suffix(".json"), "minilm"),
        "encoders": (layout.tokens("dinov2_s", "scenes") / MANIFEST, "dinov2_s"),
        "text_encoders": (layout.texts("minilm", "scenes") / MANIFEST, "minilm"),
        "gating": (layout.run("gating", "bpe", 0) / MANIFEST, "bpe"),
    }
    for section, (record, name) in records.items():
        made_with(record, section, name, {"other": 1})
    made_with(layout.tokens("dinov2_s", "names") / MANIFEST, "encoders", "dinov2_s", dino)
    made_with(
        layout.run("gating", "base", 0) / MANIFEST, "gating", "base", variant_body(plan.variant("gating", "base"))
    )
    write_settings_files(plan)
    for section, (_, name) in records.items():
        assert layout.settings(section, name).stat().st_mtime > LONG_AGO, section
    for section, name in (("gating", "base"), ("encoders", "efficientnet_lite0"), ("sources", "noto")):
        assert layout.settings(section, name).stat().st_mtime == LONG_AGO, section


def test_a_settings_file_that_is_there_is_dated_by_its_own_content(made_with):
    plan = the_plan()
    write_settings_files(plan)
    file = made_with(plan.layout.run("gating", "bpe", 0) / MANIFEST, "gating", "bpe", {"other": 1})
    write_settings_files(plan)
    assert file.stat().st_mtime == LONG_AGO, "Snakemake knows of it"
