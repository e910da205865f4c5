"""The paper's configuration: its recipe, and one step of its variants at full width on a small drawn world."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import ViltConfig, ViltModel

from compactvl.config.overlay import load_config
from compactvl.dag.identity import identified
from compactvl.dag.plan import Plan
from compactvl.errors import UserError
from compactvl.records.record import read_manifest
from compactvl.studies.dide import STUDY
from compactvl.studies.dide.settings import Dual, DualPairs, Encoder, Fusion
from compactvl.studies.jobs import train
from compactvl.training.checkpoint import read_state

REPOSITORY = Path(__file__).parents[3]


@cache
def paper() -> dict:
    plan = Plan(load_config([REPOSITORY / "config/paper.yaml"], base=REPOSITORY / "config.yaml"))
    return plan.studies["dide"].variants


def small_data(name: str, **changed: object) -> dict:
    """A paper variant's settings on the drawn world: its own data, few steps, no pretrained weights, its own seed."""
    settings = paper()[name].model_dump(mode="json", exclude={"benchmarks", "seeds"})
    pair = settings.get("image_pair", False)
    datasets = {"vqav2": "annotated", "nlvr2": "pairs", "snli_ve": "asked"}
    settings["trunk"] |= {"model": None, "weights": "tiny"}
    settings["dataset"] = datasets.get(settings["dataset"], "drawn")
    settings["optimiser"] |= {"steps": 1, "batch": 2, "accumulate": 1}
    settings["threads"], settings["start"] = 2, None
    if "answers" in settings:
        settings |= {"answers": 2, "images_of": "drawn", "validations": 0, "image_pair": pair}
    return settings | changed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("teacher", "student"), [("teacher_vqa", "dual_distilled_vqa"), ("teacher_nlvr2", "dual_distilled_nlvr2")]
)
def test_one_step_at_full_width(world, tmp_path, teacher, student):
    variants = STUDY.revive({teacher: small_data(teacher), student: small_data(student)}, "v")
    for name in (teacher, student):
        output = world.layout.run("dide", name, 0)
        train(identified(world.job(name, variants, scratch=tmp_path / name)))
        assert read_manifest(output, "train")["steps"] == 1
        assert len(read_state(output)["head.3.weight"]) == 2


@pytest.mark.slow
def test_one_step_of_the_pre_training_at_full_width(world, tmp_path):
    variants = {"vilt": small_data("vilt"), "student_attention": small_data("student_attention")}
    variants = STUDY.revive(variants, "v")
    for name in variants:
        train(identified(world.job(name, variants, scratch=tmp_path / name)))
        state = read_state(world.layout.run("dide", name, 0))
        assert all(torch.isfinite(value).all() for value in state.values())


def test_the_recipe_is_the_released_one():
    variants = paper()
    for variant in variants.values():
        if not isinstance(variant, Encoder):
            continue
        optimiser, trunk = variant.optimiser, variant.trunk
        assert (optimiser.betas, optimiser.eps, optimiser.weight_decay) == ((0.9, 0.98), 1e-8, 0.01)
        assert (optimiser.lr, optimiser.warmup, optimiser.schedule, optimiser.clip) == (1e-4, 0.1, "linear", None)
        assert (trunk.layers, trunk.width, trunk.heads, trunk.hidden, trunk.longest) == (12, 768, 12, 3072, 40)
        assert (trunk.dropout, trunk.model, variant.last_bias if hasattr(variant, "last_bias") else 0) == (
            0.1, "dandelin/vilt-b32-mlm", 0,
        )  # fmt: skip
        pixels = variant.images.pixels
        assert (pixels.fit.shorter, pixels.fit.longer, pixels.fit.multiple) == (384, 639, 32)
        assert pixels.augment.operations.operations == 2
        assert pixels.augment.operations.magnitude == 9
    assert variants["teacher_vqa"].optimiser.group_lr == {"head": 1e-3}
    assert variants["teacher_nlvr2"].optimiser.batch == 128
    assert variants["teacher_nlvr2"].optimiser.group_lr == {}
    assert variants["dual_nlvr2"].optimiser.steps == 2 * variants["teacher_nlvr2"].optimiser.steps


def test_the_faithful_student_learns_from_its_teacher_alone():
    losses = Dual.model_fields["losses"].default
    assert (losses.hard, losses.soft, losses.attention.weight, losses.attention.layers) == (0, 1, 1, (-1,))
    for task in ("vqa", "nlvr2", "snli_ve"):
        student = paper()[f"dual_distilled_{task}"]
        assert student.losses == losses
        assert paper()[student.teacher].dataset == student.dataset
        assert isinstance(paper()[student.teacher], Fusion)
    assert isinstance(paper()["student_attention"], DualPairs)


def test_published_weights_are_read_from_a_folder(world, tmp_path):
    sizes = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
    config = ViltConfig(vocab_size=16, max_position_embeddings=20, image_size=16, patch_size=8, **sizes)
    torch.manual_seed(5)
    model = ViltModel(config)
    model.save_pretrained(tmp_path / "vilt")
    trunk = {"model": str(tmp_path / "vilt"), "weights": "tiny", "layers": 2, "width": 24, "heads": 2, "hidden": 48}
    settings = small_data(
        "vilt",
        images={"input": "pixels", "patch": 8, "grid": 2, "pixels": {"fit": {"shape": "square", "image_size": 16}}},
    )
    settings["trunk"] = trunk | {"vocabulary": 16, "positions": 20, "longest": 16}
    settings["optimiser"]["steps"] = 0
    job = world.job("vilt", STUDY.revive({"vilt": settings}, "v"), output=tmp_path / "run", scratch=tmp_path / "s")
    train(identified(job))
    state = read_state(tmp_path / "run")
    np.testing.assert_array_equal(
        state["stack.image.projection.weight"], model.embeddings.patch_embeddings.projection.weight.detach()
    )
    settings["trunk"]["model"] = str(tmp_path / "nowhere")
    job = world.job("vilt", STUDY.revive({"vilt": settings}, "v"), output=tmp_path / "run", scratch=tmp_path / "s")
    with pytest.raises(UserError, match=r"trunk.model .* cannot be loaded .*hf download"):
        train(identified(job))
