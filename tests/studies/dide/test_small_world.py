"""Training and evaluation of small variants on a small drawn data set, from files to files."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from accelerator import accelerator

from compactvl.dag.digest import covered
from compactvl.dag.identity import identified
from compactvl.errors import UserError
from compactvl.evaluation.benchmarks.classification import Settings as Classification
from compactvl.evaluation.benchmarks.latency import Settings as Latency
from compactvl.evaluation.benchmarks.retrieval import Settings as Retrieval
from compactvl.evaluation.results import read_predictions, read_result
from compactvl.files import read_json
from compactvl.records.intact import check_made
from compactvl.records.record import MANIFEST, read_manifest
from compactvl.studies.dide.answering import Answerer
from compactvl.studies.dide.build import open_run
from compactvl.studies.jobs import evaluate, open_model, train
from compactvl.training.checkpoint import read_state
from compactvl.training.loop import SAVE_VARIABLE

ASKED = Classification(kind="classification", dataset="asked", images="drawn")
PAIRS = Classification(kind="classification", dataset="pairs", images="drawn")
TRAINED = ["aligned", "fused", "dual_pairs", "teacher", "blind", "hard", "dual", "soft_vqa", "pair_dual", "pixel_dual"]


@pytest.mark.parametrize("name", TRAINED)
def test_each_kind_trains_and_its_run_is_whole(world, name):
    folder = world.trained(name)
    check_made(folder / MANIFEST)
    manifest = read_manifest(folder, "train")
    assert manifest["steps"] == 3
    assert "tokenizer.json" in manifest["files"]
    assert ("encoder" in manifest) == (not name.startswith("pixel"))
    for line in map(json.loads, (folder / "log.jsonl").read_text().splitlines()):
        assert all(np.isfinite(value) for value in line.values())
    assert not world.layout.resume("dide", name, 0).exists()


@pytest.mark.parametrize("name", ["teacher", "hard", "dual", "blind", "random", "shuffled"])
def test_each_kind_answers(world, tmp_path, name):
    world.trained(name)
    evaluate(identified(world.job(name, output=tmp_path), "asked", ASKED), "asked", ASKED)
    table = read_predictions(tmp_path, "asked")
    assert len(table) == 36
    assert set(table["prediction"]) <= {"yes", "no"}
    names = [metric["name"] for metric in read_result(tmp_path / "asked.json")["metrics"]]
    assert {"accuracy", "macro", "accuracy/red"} <= set(names)


def test_items_of_two_images_are_answered(world, tmp_path):
    world.trained("pair_dual")
    evaluate(identified(world.job("pair_dual", output=tmp_path), "pairs", PAIRS), "pairs", PAIRS)
    names = [metric["name"] for metric in read_result(tmp_path / "pairs.json")["metrics"]]
    assert "consistency" in names


def test_a_dual_encoder_retrieves(world, tmp_path):
    world.trained("dual_pairs")
    benchmark = Retrieval(kind="retrieval", dataset="drawn")
    evaluate(identified(world.job("dual_pairs", output=tmp_path), "drawn", benchmark), "drawn", benchmark)
    assert {"t2i_r1", "i2t_r1"} <= {metric["name"] for metric in read_result(tmp_path / "drawn.json")["metrics"]}


def test_both_encoders_are_timed(world, tmp_path, monkeypatch):
    monkeypatch.setattr("compactvl.studies.dide.latency.Answerer.sizes", ("own",))
    benchmark = Latency(kind="latency", batch_sizes=(1, 2), questions_an_image=(1, 4), words=5, repeats=3, seconds=0.01)
    for name, expected in (("teacher", 2), ("dual", 2 * 3)):
        world.trained(name)
        evaluate(identified(world.job(name, output=tmp_path / name), "latency", benchmark), "latency", benchmark)
        result = read_result(tmp_path / name / "latency.json")
        assert len(result["metrics"]) == expected
        assert result["environment"]["threads"] >= 1
    found = {metric["name"]: metric["value"] for metric in result["metrics"]}
    rows = pd.read_parquet(tmp_path / "dual" / "latency.parquet").set_index(["batch", "part"])["ms"]
    assert found["ms/own/batch2"] == pytest.approx(rows[2, "question"])
    assert found["ms/own/batch2/questions4"] == pytest.approx(rows[2, "question"] + rows[2, "image"] / 4)


def test_an_image_computed_once_gives_the_same_answers(world):
    """Cached features, in any batch, against the whole model on every item by itself."""
    world.trained("dual")
    scorer = open_model(world.job("dual"), ASKED)
    items = pd.read_parquet(world.layout.dataset("asked") / "items.parquet")
    items = items[items["split"] == "test"].reset_index(drop=True)
    together = scorer.logits(items)
    alone = np.concatenate([open_model(world.job("dual"), ASKED).logits(items.iloc[[row]]) for row in (0, 7, 35)])
    np.testing.assert_allclose(together[[0, 7, 35]], alone, atol=1e-5)


def test_no_steps_are_a_run_of_what_is_begun_with(world, small, tmp_path):
    known = small(blind={"optimiser": {"steps": 0, "batch": 6}})
    train(identified(world.job("blind", known, output=tmp_path / "run", scratch=tmp_path / "scratch")))
    begun, found = read_state(world.trained("fused")), read_state(tmp_path / "run")
    assert all(torch.equal(found[key], value) for key, value in begun.items() if key.startswith("stack."))
    assert read_manifest(tmp_path / "run", "train")["steps"] == 0


def test_the_best_weights_are_kept(world):
    manifest = read_manifest(world.trained("teacher"), "train")
    lines = [json.loads(line) for line in (world.trained("teacher") / "log.jsonl").read_text().splitlines()]
    scores = [line["val_score"] for line in lines if "val_score" in line]
    assert len(scores) == 2
    assert manifest["best"]["val_score"] == pytest.approx(max(scores), abs=1e-5)


def test_nothing_reaches_the_teacher(world, monkeypatch):
    """Its weights are as they were, none of them has a gradient, and it sees what the student sees."""
    from compactvl.studies.dide import train as module

    opened = []
    monkeypatch.setattr(module, "open_run", lambda *args: opened.append(open_run(*args)) or opened[-1])
    world.trained("dual")
    before = read_state(world.trained("teacher"))
    module.train_dual(identified(world.job("dual", output=world.layout.root / "again")))
    (teacher,) = opened
    for name, parameter in teacher.named_parameters():
        assert parameter.grad is None
        assert torch.equal(parameter.cpu(), before[name])
    again, first = (read_state(world.layout.root / "again"), read_state(world.trained("dual")))
    assert all(torch.equal(again[key], first[key]) for key in first)


@pytest.mark.parametrize("name", ["fused", "dual_pairs", "dual", "pixel_dual"])
def test_an_interrupted_training_ends_as_an_undisturbed_one(world, tmp_path, monkeypatch, name):
    monkeypatch.setenv(SAVE_VARIABLE, "0")
    wanted = read_state(world.trained(name))
    job = replace(world.job(name), output=tmp_path / "run", scratch=tmp_path / "scratch")
    from compactvl.training import loop

    step = torch.optim.AdamW.step
    count = iter(range(99))

    def fails(self, *args, **options):
        if next(count) == 2:
            raise KeyboardInterrupt
        return step(self, *args, **options)

    monkeypatch.setattr(torch.optim.AdamW, "step", fails)
    monkeypatch.setattr(loop, "SAVE_EVERY_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        train(identified(job))
    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    train(identified(job))
    found = read_state(tmp_path / "run")
    assert all(torch.equal(found[key], wanted[key]) for key in wanted)


@pytest.mark.parametrize("name", ["fused", "dual_pairs", "teacher", "dual", "pair_dual", "pixel_dual"])
def test_everything_is_computed_on_the_device(world, tmp_path, name):
    wanted = read_state(world.trained(name))
    with accelerator() as device:
        train(identified(world.job(name, output=tmp_path / "run", scratch=tmp_path / "scratch")))
        assert read_json(tmp_path / "run" / "provenance.json")["device"] == str(device)
    for key, tensor in read_state(tmp_path / "run").items():
        torch.testing.assert_close(tensor, wanted[key], rtol=1e-3, atol=1e-4)


def test_questions_are_answered_from_kept_features(world, tmp_path):
    tokens, kept = world.layout.tokens("cam", "drawn"), tmp_path / "features.safetensors"
    run, questions = world.trained("dual"), ["is there a red ?", "is there a blue ?"]
    first = Answerer.open(run, tokens, kept).answer("test-00", questions, top=2)
    assert kept.is_file()
    again = Answerer.open(run, tokens, kept)
    again.images = None  # nothing is computed of the image any more
    assert again.answer("test-00", questions, top=2) == first
    assert {answer for answer, _ in first[0]} == {"yes", "no"}
    assert sum(chance for _, chance in first[0]) == pytest.approx(1, abs=1e-5)
    fused = Answerer.open(world.trained("teacher"), tokens).answer("test-00", questions)
    assert len(fused) == 2
    with pytest.raises(UserError, match="another run"):
        Answerer.open(world.trained("hard"), tokens, kept)
    with pytest.raises(UserError, match="no words"):
        again.answer("test-00", [" "])
    with pytest.raises(UserError, match="no-such"):
        Answerer.open(run, tokens).answer("no-such", questions)


def test_what_is_lost_of_a_question_is_told(world, caplog):
    answerer = Answerer.open(world.trained("dual"), world.layout.tokens("cam", "drawn"))
    long = "is there a red and blue and " * 3
    caplog.set_level("WARNING")
    caplog.clear()
    asked = answerer.answer("test-00", ["is there a red ?", f"{long} green ?", f"{long} blue ?"])
    assert caplog.messages == [
        f"question {n} is longer than the 16 word pieces the model reads; its end is cut off" for n in (2, 3)
    ]
    assert asked[1] == asked[2]
    for question in ("dogs", "\u200b", "caf\udce9 ?"):
        with pytest.raises(UserError, match="question 2 "):
            answerer.answer("test-00", ["is there a red ?", question])


def test_tokens_of_another_encoder_are_refused(world, tmp_path):
    store = tmp_path / "store"
    shutil.copytree(world.layout.tokens("cam", "drawn"), store)
    manifest = read_json(store / MANIFEST)
    manifest["encoder"]["model"] = "other"
    from compactvl.records.record import DIGEST, write_record

    write_record(store / MANIFEST, {key: value for key, value in manifest.items() if key != DIGEST})
    with pytest.raises(UserError, match="choose the store of that encoder"):
        Answerer.open(world.trained("dual"), store)


def test_what_trains_imports_no_report_and_no_other_study():
    modules, _ = covered(["compactvl.studies.dide.train", "compactvl.studies.dide.train_pairs"])
    assert not [name for name in modules if ".report" in name or ".edje" in name or ".gating" in name]


@pytest.mark.parametrize("name", ["dual", "pair_dual"])
def test_a_teacher_that_is_remembered_teaches_the_same(world, name):
    from compactvl.data.canonical import CanonicalSet
    from compactvl.studies.dide.distillation import RememberedTeacher, Teacher
    from compactvl.studies.dide.images import open_images
    from compactvl.studies.items import TrainingItems
    from compactvl.text.wordpiece import WordPiece

    settings = world.job(name).settings
    model = open_run(world.trained(settings.teacher))
    tokenizer = WordPiece.beside(world.layout.weights("tiny"))
    asked = CanonicalSet.open(world.layout.dataset(settings.dataset))
    items = TrainingItems(asked, "train", tokenizer, answers=2, **settings.form)
    images = open_images(settings.images, world.layout, "drawn")
    rows = np.array([0, 4, 2, 17])
    texts, read = items.texts(rows), [images.read(list(ids)) for ids in items.images[rows].T]
    (logits, maps), (again, kept) = (
        teacher(rows, texts, read, None)
        for teacher in (Teacher(model, [0, 1]), RememberedTeacher(model, [0, 1], items, images, "t"))
    )
    torch.testing.assert_close(again, logits, atol=1e-5, rtol=0)
    assert len(kept) == len(maps) == settings.image_pair + 1
    for one, other in zip(maps, kept, strict=True):
        for pair, remembered in zip(one, other, strict=True):
            for exact, half in zip(pair, remembered, strict=True):
                torch.testing.assert_close(half.exp(), exact.exp(), atol=1e-3, rtol=0)
