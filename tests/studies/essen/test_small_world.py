"""Training and evaluation of every kind on a small drawn world."""

import itertools
import json

import numpy as np
import pytest
import torch
from drawn import WORDS
from safetensors.torch import load_file

from compactvl.config.base import validate
from compactvl.dag.identity import identified
from compactvl.data.canonical import CanonicalSet
from compactvl.errors import UserError
from compactvl.evaluation.benchmarks.classification import Settings as Classification
from compactvl.evaluation.benchmarks.grounding import Settings as Boxes
from compactvl.evaluation.benchmarks.latency import Settings as Latency
from compactvl.studies.essen.build import build
from compactvl.studies.essen.open import open_model
from compactvl.studies.essen.parameters import count_parameters
from compactvl.studies.essen.runs import open_run
from compactvl.studies.items import TrainingItems
from compactvl.studies.jobs import train
from compactvl.studies.pieces import open_tokenizer
from compactvl.text.wordpiece import WordPiece
from compactvl.training.checkpoint import read_state
from compactvl.vision.pixels import pixel_batches


def log_of(run) -> list[dict]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("name", ["one", "vit", "cnn", "frozen", "blind", "pairs", "pairs_one", "boxes", "boxes_one"])
def test_every_kind_trains_and_is_counted(world, variants_of, name):
    run = world.trained(name)
    state = read_state(run)
    counted = dict(count_parameters(variants_of()[name], {}))
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    assert sum(value.numel() for key, value in state.items() if not key.endswith(buffers)) == sum(counted.values())
    assert all(np.isfinite(line["loss"]) for line in log_of(run))


@pytest.mark.parametrize("name", ["captions", "captions_one"])
def test_captions_give_words_and_matches(world, name):
    line = log_of(world.trained(name))[-1]
    assert {"masked_words", "matching", "matched"} <= line.keys()
    assert line["loss"] == pytest.approx(line["masked_words"] + line["matching"], abs=1e-3)
    assert 0 < line["masked_words"] < 2 * np.log(len(WORDS))


def test_a_start_hands_on_everything_but_the_heads(world, variants_of):
    for name, start in (("pairs", "captions"), ("pairs_one", "captions_one")):
        world.trained(start)
        from compactvl.studies.essen.runs import begin

        model, given = begin(world.job(name)), read_state(world.job(name).peer_run(start))
        for key, value in model.state_dict().items():
            if key == "encoder.modality.weight":
                assert torch.equal(value[:2], given[key])
                assert torch.equal(value[2], given[key][1])
            elif not key.startswith("head."):
                assert torch.equal(value, given[key]), key
    problems = list(variants_of(cnn={"start": "captions"})["cnn"].problems(variants_of()))
    assert problems == []
    with pytest.raises(UserError, match=r"v.cnn.model.form: differs from that of start captions_one"):
        variants_of(cnn={"start": "captions_one"})


@pytest.mark.parametrize(
    ("name", "start", "key"), [("one", "captions_one", "image.position"), ("vit", None, "vision.model.pos_embed")]
)
def test_positions_are_resampled_to_another_image_size(variants_of, name, start, key):
    from compactvl.studies.essen.runs import adopt

    small = build(variants_of()[name])
    larger = {"pixels": {"fit": {"shape": "square", "image_size": 32}}}
    model = build(variants_of(**{name: larger, "captions_one": larger})[name])
    table = torch.zeros_like(small.state_dict()[f"encoder.{key}"])
    table[0, 0], table[0, 1:] = 5.0, torch.tensor([1.0, 1.0, 3.0, 3.0])[:, None]
    adopt(model, small.state_dict() | {f"encoder.{key}": table})
    found = model.state_dict()[f"encoder.{key}"]
    assert found.shape[1] == 17
    assert (found[0, 0] == 5).all()
    rows = found[0, 1:, 0].unflatten(0, (4, 4))
    assert (rows[1:] >= rows[:-1]).all(), "rows keep their order"
    assert rows.mean() == pytest.approx(2.0, abs=1e-3)
    torch.testing.assert_close(rows, rows[:, :1].expand(4, 4))


def test_a_run_answers_as_its_model_does_one_by_one(world):
    run, job = world.trained("cnn"), world.job("cnn")
    benchmark = validate(Classification, {"kind": "classification", "dataset": "asked", "images": "drawn"}, "b")
    dataset, images = CanonicalSet.open(world.layout.dataset("asked")), CanonicalSet.open(world.layout.dataset("drawn"))
    table = dataset.split("test").sample(frac=1, random_state=0).reset_index(drop=True)
    found = open_model(job, benchmark).logits(table)
    model, tokenizer = open_run(run), open_tokenizer(run)
    items = TrainingItems(dataset, "test", tokenizer, answers=2, longest=16)
    place = {item: row for row, item in enumerate(dataset.split("test")["item_id"])}
    for row, item in enumerate(table["item_id"][:6]):
        own = place[item]
        (batch,) = pixel_batches(images, job.settings.pixels, [(0, [items.images[own, 0]])], None)
        with torch.inference_mode():
            alone = model.answer(items.texts([own]), [model.look(batch.pixels)])
        np.testing.assert_allclose(found[row], alone[0].numpy(), atol=1e-4)


def test_boxes_that_are_not_there_are_never_chosen(world):
    world.trained("boxes")
    benchmark = validate(Boxes, {"kind": "grounding", "dataset": "boxed"}, "b")
    table = CanonicalSet.open(world.layout.dataset("boxed")).split("test")
    found = open_model(world.job("boxes"), benchmark).logits(table)
    counts = table["boxes"].map(lambda text: len(json.loads(text))).to_numpy()
    assert found.shape == (len(table), 3)
    assert np.isfinite(found).sum(1).tolist() == counts.tolist()
    measured = benchmark.measure(open_model(world.job("boxes"), benchmark), world.layout)
    assert measured.predictions["candidates"].tolist() == counts.tolist()
    assert 0 <= measured.metrics[0].value <= 1


def test_frozen_towers_stay_as_they_are(world):
    run = world.trained("frozen")
    torch.manual_seed(0)
    before, after = build(world.job("frozen").settings).state_dict(), load_file(run / "model.safetensors")
    vision = [key for key in before if key.startswith("encoder.vision.")]
    assert any(key.endswith("running_mean") for key in vision)
    assert all(torch.equal(before[key], after[key]) for key in vision)
    assert not torch.equal(before["encoder.image_in.weight"], after["encoder.image_in.weight"])


def test_a_blind_model_answers_alike_whatever_is_shown(world):
    model = open_run(world.trained("blind"))
    one, two = (model.look(torch.randn(2, 3, 16, 16)) for _ in range(2))
    assert torch.equal(one, two)


def test_a_share_is_a_part_of_larger_ones_by_whole_images(world):
    dataset = CanonicalSet.open(world.layout.dataset("asked"))
    tokenizer = WordPiece.beside(world.layout.weights("tiny"))
    held = [
        set(map(tuple, TrainingItems(dataset, "train", tokenizer, answers=2, longest=16, share=share).images))
        for share in (0.125, 0.25, 0.5, 1.0)
    ]
    assert [len(own) for own in held] == [3, 6, 12, 24]
    assert all(small < large for small, large in itertools.pairwise(held))


def test_half_of_the_captions_get_a_wrong_image(world):
    from compactvl.studies.essen.pretrain import matching_loss
    from compactvl.text.batches import TokenBatch

    class Told(torch.nn.Module):
        """Says "right" to every pair, and notes which it was asked about."""

        def pooled(self, texts, images, of_text, of_image):
            self.asked = of_image
            return torch.zeros(len(of_image), 4)

        def matching(self, pooled):
            return torch.tensor([[0.0, 9.0]]).expand(len(pooled), 2)

    told, size = Told(), 8
    match = torch.eye(size, dtype=torch.bool)
    match[0, 1] = match[1, 0] = True
    _, right = matching_loss(
        told, TokenBatch.of([[1]] * size), torch.zeros(size, 2, 4), match, torch.Generator().manual_seed(0)
    )
    assert float(right) == 0.5
    wrong = told.asked != torch.arange(size)
    assert int(wrong.sum()) == size // 2
    assert not match[torch.arange(size)[wrong], told.asked[wrong]].any()


def test_training_again_gives_the_same_bits(world, tmp_path):
    whole = world.trained("captions")
    again = world.job("captions", output=tmp_path / "run", scratch=tmp_path / "scratch")
    train(identified(again))
    one, two = (load_file(run / "model.safetensors") for run in (whole, tmp_path / "run"))
    assert all(torch.equal(one[key], two[key]) for key in one)


def test_a_model_is_timed_by_its_sizes(world):
    from compactvl.studies.essen.latency import open_answerer

    benchmark = validate(Latency, {"kind": "latency", "batch_sizes": [2], "repeats": 3, "seconds": 0.05}, "b")
    measured = benchmark.measure(open_answerer(world.job("cnn"), benchmark), world.layout)
    assert {"ms/own/batch2", "ms/own/batch2/questions16"} <= {metric.name for metric in measured.metrics}
    assert (measured.predictions["ms"] > 0).all()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"pixels": {"fit": {"shape": "aspect"}}}, "images of one size are needed"),
        ({"pixels": {"fit": {"shape": "square", "image_size": 20}}, "model": {"form": "one_tower", "patch": 8}}, "patch 8 does not divide"),
        ({"longest": 30}, "longest 30 is more than model.text.positions 24"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(variants_of, changed, message):
    with pytest.raises(UserError, match=message):
        variants_of(cnn=changed)


def test_another_task_is_not_its_own(variants_of):
    known = variants_of()
    benchmark = validate(Classification, {"kind": "classification", "dataset": "pairs"}, "b")
    assert known["cnn"].supports(benchmark, known) == (False, "it was trained on asked, the benchmark asks pairs")
