"""The whole study in a world so small that it is learnt in seconds: from data sets to runs, log-probabilities and gates."""

import io
import json
import logging
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch
from accelerator import accelerator
from PIL import Image

from compactvl.config.overlay import load_config, merge
from compactvl.dag.identity import identified
from compactvl.dag.plan import Plan
from compactvl.data.canonical import CanonicalSet, ImageRow, write_set
from compactvl.errors import UserError
from compactvl.evaluation.benchmarks.gates import Settings as GatesBenchmark
from compactvl.evaluation.benchmarks.language import Settings as LanguageBenchmark
from compactvl.evaluation.results import read_predictions
from compactvl.files import read_json, sha256_file
from compactvl.records.intact import check_made
from compactvl.records.layout import Layout
from compactvl.records.record import MANIFEST, Made, read_manifest
from compactvl.studies.base import Job, Needs
from compactvl.studies.gating import STUDY
from compactvl.studies.gating import open as gating_open
from compactvl.studies.gating.images import open_images
from compactvl.studies.gating.runs import TOKENIZER, open_decoder, open_tokenizer
from compactvl.studies.gating.streams import Stream
from compactvl.studies.jobs import evaluate, train
from compactvl.text.batches import TokenBatch
from compactvl.training import loop
from compactvl.training.checkpoint import MODEL, read_state
from compactvl.vision.store import TokenWriter

COLOURS = ["red", "blue", "green", "black", "white"]
THINGS = ["dog", "cat", "cup", "hat", "tree", "car"]
DIM = len(COLOURS) + len(THINGS)
DECODER = {
    "kind": "decoder",
    "tokenizer": "bpe",
    "texts": ["lines"],
    "captions": ["drawn"],
    "shape": {
        "width": 32,
        "heads": 4,
        "feedforward": 64,
        "layers": 2,
        "length": 16,
        "dropout": 0.0,
        "embedding_std": 0.1,
    },
    "image": {"encoder": "eyes", "width": DIM, "layers": 1, "standardise": True},
    "curriculum": {"kind": "alternating", "epochs": 2, "text_batches": 10, "caption_batches": 60},
    "optimiser": {"batch": 24, "lr": 5e-3, "warmup": 5},
    "precision": "fp32",
}
SHORT = {"curriculum": {"kind": "alternating", "epochs": 2, "text_batches": 6, "caption_batches": 6}}
VARIANTS = {
    "bpe": {"kind": "tokenizer", "texts": ["lines", "drawn"], "vocabulary": 330},
    "base": DECODER,
    "hard": DECODER | SHORT | {"gate": "hard_token"},
    "trunk": DECODER | {"curriculum": {"kind": "text_only", "epochs": 1, "text_batches": 3}},
    "watched": DECODER | SHORT | {"monitor": {"pairs": "pairs", "vqa": "questions", "items": 10}, "start": "trunk"},
    "everything": DECODER
    | {
        "curriculum": {"kind": "mixed", "epochs": 2, "text_batches": 2, "caption_batches": 2},
        "image": DECODER["image"] | {"input": "patches", "width": 6, "channel_attention": True},
        "shape": DECODER["shape"] | {"dropout": 0.1},
        "auxiliary": {"clip": 1, "lcg": 0.3},
        "modulation": {"kind": "dyintra", "place": "text"},
        "data_share": 0.5,
    },
    "blind": DECODER | SHORT | {"image": DECODER["image"] | {"withheld": True}},
    "accumulated": DECODER
    | {"curriculum": {"kind": "captions_only", "epochs": 1}, "data_share": 0.2}
    | {"optimiser": DECODER["optimiser"] | {"accumulate": 3}},
    "captions_only": DECODER | {"curriculum": {"kind": "captions_only", "epochs": 1}, "data_share": 0.2},
    "bigram": {"kind": "ngram", "order": 2, "tokenizer": "bpe", "texts": ["lines"], "captions": ["drawn"]},
    "random": {"kind": "random", "tokenizer": "bpe"},
}
LANGUAGE = LanguageBenchmark(
    kind="language",
    tasks={
        "pairs": {"kind": "minimal_pairs", "dataset": "pairs"},
        "vqa": {"kind": "ranked_answers", "dataset": "questions", "images": "drawn"},
        "captions": {"kind": "perplexity", "dataset": "drawn", "images": "drawn", "text_column": "caption"},
        "lines": {"kind": "perplexity", "dataset": "lines"},
    },
)
GATES = GatesBenchmark(kind="gates", dataset="drawn", probe="probe", images="drawn")


def png(seed: int) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 255, (8, 8, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@dataclass
class World:
    layout: Layout

    def job(self, name: str, **changes) -> Job:
        peers = STUDY.revive(VARIANTS, "variants")
        output = self.layout.run("gating", name, 0)
        job = Job("gating", name, 0, peers[name], self.layout, output, peers, self.layout.resume("gating", name, 0))
        return replace(job, **changes)

    def trained(self, name: str):
        settings = VARIANTS[name]
        for needed in (settings.get("tokenizer"), settings.get("start"), name):
            if needed and not (self.layout.run("gating", needed, 0) / "manifest.json").is_file():
                train(identified(self.job(needed)))
        return self.layout.run("gating", name, 0)

    def evaluated(self, name: str, benchmark, key: str) -> tuple[dict[str, float], pd.DataFrame]:
        self.trained(name)
        folder = self.layout.result("gating", name, 0)
        if not (folder / f"{key}.json").is_file():
            evaluate(identified(self.job(name, output=folder), key, benchmark), key, benchmark)
        metrics = {m["name"]: m["value"] for m in read_json(folder / f"{key}.json")["metrics"]}
        return metrics, read_predictions(folder, key)


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    layout = Layout(tmp_path_factory.mktemp("world"))
    combinations = list(product(range(len(COLOURS)), range(len(THINGS)))) * 6
    order = np.random.default_rng(0).permutation(len(combinations))
    combinations = [combinations[i] for i in order]
    splits = ["train"] * 120 + ["val"] * 24 + ["test"] * 36
    ids = [f"i{n}" for n in range(len(combinations))]
    words = [(COLOURS[c], THINGS[t]) for c, t in combinations]
    captions = pd.DataFrame(
        {
            "item_id": ids,
            "image_id": ids,
            "split": splits,
            "caption": [f"this is a {c} {t} ." for c, t in words],
            "pos": "DET VERB DET ADJ NOUN .",
        }
    )
    images = (ImageRow(i, png(n), s) for n, (i, s) in enumerate(zip(ids, splits, strict=True)))
    write_set(layout.dataset("drawn"), "drawn", images, captions, Made("curate", ""), settings={})
    dataset = CanonicalSet.open(layout.dataset("drawn"))
    pooled = np.zeros((len(ids), DIM), np.float32)
    for row, (c, t) in enumerate(combinations):
        pooled[row, [c, len(COLOURS) + t]] = 1
    hashes = dict(zip(dataset.images["image_id"], dataset.images["sha256"], strict=True))
    facts = {"name": "eyes", "loader": "timm", "model": "eyes", "weights_sha256": "0" * 64}
    writer = TokenWriter(
        layout.tokens("eyes", "drawn"), shape=(3, 6), pooled_dim=DIM, storage="fp16", encoder_facts=facts, images=hashes
    )
    patches = np.random.default_rng(1).normal(size=(len(ids), 3, 6)).astype(np.float32)
    with writer:
        writer.append(ids, patches, pooled)
    writer.finish(Made("encode", ""))
    lines = [f"the {c} {t} is near the {u} ." for c in COLOURS for t in THINGS for u in THINGS]
    table = pd.DataFrame({"item_id": [f"l{n}" for n in range(len(lines))], "text": lines, "pos": ""})
    table["document"] = [f"d{n % 20}" for n in range(len(lines))]
    table["split"] = ["test" if n % 20 == 0 else "val" if n % 20 == 1 else "train" for n in range(len(lines))]
    text_only = {"text_only": True, "settings": {}, "made": Made("curate", "")}
    write_set(layout.dataset("lines"), "lines", (), table, **text_only)
    held_out = [n for n, split in enumerate(splits) if split != "train"]
    base = pd.DataFrame({"item_id": [f"q{n}" for n in held_out], "split": [splits[n] for n in held_out]})
    pairs = base.assign(
        image_id="",
        text_good=[f"the {words[n][0]} {words[n][1]} is" for n in held_out],
        text_bad=[f"the {words[n][1]} {words[n][0]} is" for n in held_out],
        phenomenon="order",
    )
    write_set(layout.dataset("pairs"), "pairs", (), pairs, **text_only)
    others = [json.dumps([t for t in THINGS if t != words[n][1]][:3]) for n in held_out]
    questions = base.assign(
        image_id=[ids[n] for n in held_out],
        question=[f"this is a {words[n][0]}" for n in held_out],
        answer=[words[n][1] for n in held_out],
        distractors=others,
        type="thing",
    )
    write_set(layout.dataset("questions"), "questions", (), questions, images_of="drawn", **text_only)
    needed = questions.rename(columns={"question": "prompt"}).assign(condition="necessary", pos="NOUN")
    idle = needed.assign(
        item_id=needed["item_id"] + "-idle",
        prompt="this is",
        answer="a",
        distractors=json.dumps(["is", "this", "."]),
        condition="irrelevant",
        pos="DET",
    )
    write_set(layout.dataset("probe"), "probe", (), pd.concat([needed, idle]), images_of="drawn", **text_only)
    return World(layout)


def test_a_run_is_whole_and_says_what_it_was_made_from(world):
    folder = world.trained("base")
    manifest = read_manifest(folder, "train")
    check_made(folder / MANIFEST)
    layout = world.layout
    read = [
        layout.dataset("lines"),
        layout.dataset("drawn"),
        layout.tokens("eyes", "drawn"),
        layout.run("gating", "bpe", 0),
    ]
    assert set(manifest["inputs"]) == {str(path / MANIFEST) for path in read}
    assert manifest["steps"] == 140
    # The last batch of a pass over the texts is smaller.
    assert 140 * 18 < manifest["seen"] <= 140 * 24
    assert not world.layout.resume("gating", "base", 0).exists()
    assert (world.trained("bpe") / TOKENIZER).is_file()


@pytest.mark.parametrize("name", ["watched", "hard", "everything"])
def test_everything_is_computed_on_the_device(world, tmp_path, name):
    """The accelerator's tensors meet none of the CPU's, and give what the CPU gives."""
    expected, _ = read_state(world.trained(name)), world.evaluated(name, GATES, "gates")
    there = replace(world.job(name), output=tmp_path / "run", scratch=tmp_path / "scratch")
    with accelerator() as device:
        train(identified(there))
        evaluate(identified(world.job(name, output=tmp_path), "language", LANGUAGE), "language", LANGUAGE)
        evaluate(identified(world.job(name, output=tmp_path), "gates", GATES), "gates", GATES)
    records = (
        tmp_path / "run/provenance.json",
        tmp_path / "language.provenance.json",
        tmp_path / "gates.provenance.json",
    )
    assert {read_json(record)["device"] for record in records} == {str(device)}
    if name != "hard":  # Gumbel noise is drawn otherwise on another device.
        for key, tensor in read_state(tmp_path / "run").items():
            torch.testing.assert_close(tensor, expected[key], rtol=1e-2, atol=3e-3)
    _, on_cpu = world.evaluated(name, LANGUAGE, "language")
    found = read_predictions(tmp_path, "language")["log_prob"]
    np.testing.assert_allclose(found, on_cpu["log_prob"], rtol=1e-3, atol=1e-3)


def test_a_job_that_leaves_its_gpu_idle_says_so(world, tmp_path, caplog):
    world.evaluated("bigram", LANGUAGE, "language")
    with accelerator():
        train(identified(world.job("bigram", output=tmp_path / "run", scratch=tmp_path / "scratch")))
        evaluate(identified(world.job("bigram", output=tmp_path), "language", LANGUAGE), "language", LANGUAGE)
    assert "bigram seed 0: computes on the CPU; its GPU is idle" in caplog.text
    assert "bigram on language: computes on the CPU; its GPU is idle" in caplog.text
    for record in (tmp_path / "run/provenance.json", tmp_path / "language.provenance.json"):
        assert read_json(record)["device"] == "cpu"


def test_the_image_is_read(world):
    metrics, _ = world.evaluated("base", LANGUAGE, "language")
    assert metrics["vqa"] > 0.9
    assert metrics["vqa_other_image"] < 0.5
    assert metrics["captions"] < 0.6 * metrics["captions_other_image"]
    assert metrics["pairs"] == 1.0
    assert metrics["lines"] < 6


def test_controls_know_what_they_should(world):
    bigram, _ = world.evaluated("bigram", LANGUAGE, "language")
    assert bigram["pairs"] == 1.0
    assert bigram["vqa"] < 0.6
    assert bigram["vqa"] == bigram["vqa_no_image"] == bigram["vqa_other_image"]
    random, _ = world.evaluated("random", LANGUAGE, "language")
    assert 0.2 < random["pairs"] < 0.8
    assert "captions" not in random
    text, _ = world.evaluated("trunk", LANGUAGE, "language")
    assert text["vqa"] == text["vqa_other_image"] == text["vqa_no_image"]


def test_withheld_images_are_not_read(world):
    blind, _ = world.evaluated("blind", LANGUAGE, "language")
    for task in ("vqa", "captions"):
        assert blind[task] == blind[f"{task}_other_image"] == blind[f"{task}_no_image"]
    lines = [json.loads(line) for line in (world.trained("blind") / "log.jsonl").read_text().splitlines()]
    assert any("caption_loss" in line for line in lines)
    peers = STUDY.revive(VARIANTS, "variants")
    needs = STUDY.training_needs(peers["blind"], peers)
    assert needs.tokens == frozenset()
    assert needs.datasets == {"lines", "drawn"}


def test_captions_alone_get_the_steps_of_the_texts_too(world):
    folder = world.trained("captions_only")
    job = world.job("captions_only")
    sets = {name: CanonicalSet.open(world.layout.dataset(name)).split("train") for name in ("lines", "drawn")}
    # A fifth of the 18 training documents and of the 120 images.
    texts, captions = len(sets["lines"]) * 4 // 18, 24
    expected = -(-texts // 24) + -(-captions // 24)
    assert read_manifest(folder, "train")["steps"] == expected == 3
    assert "text_loss" not in (folder / "log.jsonl").read_text()
    assert job.settings.curriculum.text_batches is None


def test_gates_by_word_are_those_of_the_position_before(world):
    _, table = world.evaluated("base", GATES, "gates")
    job = world.job("base")
    model, tokenizer = open_decoder(job.run), open_tokenizer(job)
    images = open_images(job.settings.image, world.layout, CanonicalSet.open(world.layout.dataset("drawn")))
    for item_id, words in list(table[table["source"] == "captions"].groupby("item_id"))[:4]:
        row = [tokenizer.bos]
        with torch.inference_mode():
            vectors = images.read([item_id])
            for word in words.itertuples():
                gates, surprisal, blind = [], 0.0, 0.0
                for piece in tokenizer.pieces([f" {word.word}"])[0]:
                    tokens = TokenBatch.of([row], tokenizer.pad)
                    hidden = model(tokens, vectors)
                    gates.append([float(g[0, -1].mean()) for g in hidden.gates])
                    surprisal -= float(model.output(hidden.states[0, -1]).log_softmax(-1)[piece])
                    blind -= float(model.output(model(tokens).states[0, -1]).log_softmax(-1)[piece])
                    row.append(piece)
                assert [word.gate_0, word.gate_1] == pytest.approx(np.mean(gates, axis=0), abs=1e-4)
                assert word.surprisal == pytest.approx(surprisal, abs=1e-3)
                assert word.surprisal_no_image == pytest.approx(blind, abs=1e-3)
                assert word.pieces == len(gates)
    captions = table[table["source"] == "captions"]
    assert captions["item_id"].nunique() == 36
    assert captions.groupby("item_id")["word"].agg(" ".join).str.match(r"this is a \w+ \w+ \.").all()
    assert set(zip(captions["word"], captions["pos"], strict=True)) >= {("a", "DET"), ("red", "ADJ"), ("dog", "NOUN")}


def test_the_probe_needs_the_image_where_it_should(world):
    metrics, table = world.evaluated("base", GATES, "gates")
    assert metrics["probe_accuracy/necessary"] > 0.9
    assert metrics["probe_accuracy_no_image/necessary"] < 0.6
    assert metrics["probe_accuracy/irrelevant"] == 1.0
    probe = table[table["source"] == "probe"]
    assert (probe["position"] == probe["condition"].map({"necessary": 4, "irrelevant": 2})).all()
    assert probe["item_id"].is_unique


def test_frequencies_are_of_the_training_texts(world):
    _, table = world.evaluated("base", GATES, "gates")
    lines = CanonicalSet.open(world.layout.dataset("lines")).split("train")["text"]
    captions = CanonicalSet.open(world.layout.dataset("drawn")).split("train")["caption"]
    words = " ".join([*lines, *captions]).split()
    for word in ("is", "red", "cup"):
        expected = np.log10((words.count(word) + 1) / (len(words) + len(set(words))) * 1e6)
        assert table.loc[table["word"] == word, "frequency"].unique() == pytest.approx([expected])


def test_collapsed_gates_are_warned_of(world, tmp_path, caplog, monkeypatch):
    world.evaluated("base", GATES, "gates")
    original = gating_open.open_decoder

    def constant(*args):
        model = original(*args)
        torch.nn.init.zeros_(model.layers[-1].gate.choose.weight)
        return model

    monkeypatch.setattr(gating_open, "open_decoder", constant)
    with caplog.at_level(logging.WARNING):
        evaluate(identified(world.job("base", output=tmp_path), "gates", GATES), "gates", GATES)
    assert "the gates have collapsed" in caplog.text
    caplog.clear()
    monkeypatch.setattr(gating_open, "open_decoder", original)
    with caplog.at_level(logging.WARNING):
        evaluate(identified(world.job("base", output=tmp_path), "gates", GATES), "gates", GATES)
    assert "collapsed" not in caplog.text


def test_the_temperature_falls_and_is_kept(world):
    world.trained("hard")
    lines = [json.loads(line) for line in (world.trained("hard") / "log.jsonl").read_text().splitlines()]
    assert any("temperature" in line for line in lines)
    model = open_decoder(world.job("hard").run)
    assert float(model.temperature) == pytest.approx(0.1)


def test_metrics_are_logged_at_every_epoch_boundary(world):
    lines = [json.loads(line) for line in (world.trained("watched") / "log.jsonl").read_text().splitlines()]
    marks = [line for line in lines if "epoch" in line]
    assert [(line["epoch"], line["step"]) for line in marks] == [(1, 6), (2, 12), (3, 18), (4, 24)]
    names = {"val_pairs", "val_vqa", "val_text_perplexity", "val_caption_perplexity"}
    assert all(names <= set(line) for line in marks)
    assert not any("val_pairs" in line for line in lines if "epoch" not in line)


def test_an_interrupted_training_ends_as_an_undisturbed_one(world, tmp_path, monkeypatch):
    whole = world.trained("watched")
    job = world.job("watched", output=tmp_path / "run", scratch=tmp_path / "scratch")
    original = loop.save_resume
    monkeypatch.setattr(loop, "SAVE_EVERY_SECONDS", -1.0)

    def stop(path, state):
        original(path, state)
        if json.loads(state["state"])["step"] == 10:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "save_resume", stop)
    with pytest.raises(KeyboardInterrupt):
        train(identified(job))
    monkeypatch.setattr(loop, "save_resume", original)
    train(identified(job))
    assert sha256_file(tmp_path / "run" / MODEL) == sha256_file(whole / MODEL)


def test_what_a_run_starts_from_has_seen_counts(world):
    before = read_manifest(world.trained("trunk"))["seen"]
    manifest = read_manifest(world.trained("watched"))
    log = [json.loads(line) for line in (world.trained("watched") / "log.jsonl").read_text().splitlines()]
    # Twelve steps of texts and twelve of captions, of 24 each but for the last batch of a pass.
    assert 24 * 18 < manifest["seen"] - before <= 24 * 24
    assert [before < line["seen"] <= manifest["seen"] for line in log] == [True] * len(log)


def test_micro_batches_show_each_image_once_before_any_comes_again(world, monkeypatch):
    shown, original = [], Stream.take

    def take(stream, number):
        shown.append((number, original(stream, number)[1]))
        return original(stream, number)

    monkeypatch.setattr(Stream, "take", take)
    folder = world.trained("accumulated")
    # Three steps of three micro-batches; the last look is at the gates' spread.
    assert [number for number, _ in shown] == [*range(9), 0]
    assert {len(images) for _, images in shown} == {8}
    first = [image for _, images in shown[:3] for image in images]
    assert sorted(first) == sorted({image for _, images in shown for image in images})
    manifest = read_manifest(folder)
    assert (manifest["steps"], manifest["seen"]) == (3, 72)


def test_every_part_at_once_trains_and_is_evaluated(world):
    lines = [json.loads(line) for line in (world.trained("everything") / "log.jsonl").read_text().splitlines()]
    assert {"text_loss", "caption_loss", "clip", "lcg"} <= set(lines[-1])
    metrics, _ = world.evaluated("everything", LANGUAGE, "language")
    assert np.isfinite(list(metrics.values())).all()


def test_what_jobs_read(world):
    peers = STUDY.revive(VARIANTS, "variants")
    need = lambda name: STUDY.training_needs(peers[name], peers)  # noqa: E731
    stored = frozenset({("eyes", "drawn")})
    assert need("base") == Needs(datasets=frozenset({"lines", "drawn"}), tokens=stored, variants=frozenset({"bpe"}))
    assert need("watched").datasets == {"lines", "drawn", "pairs", "questions"}
    assert need("watched").variants == {"bpe", "trunk"}
    assert need("trunk").tokens == need("bigram").tokens == frozenset()
    asked = STUDY.evaluation_needs(peers["base"], LANGUAGE, peers)
    assert asked == Needs(
        datasets=frozenset({"pairs", "questions", "drawn", "lines"}), tokens=stored, variants=frozenset({"bpe"})
    )
    assert STUDY.evaluation_needs(peers["bigram"], LANGUAGE, peers).tokens == frozenset()


def test_norms_are_an_input_and_missing_ones_are_told_before_anything_runs():
    peers = STUDY.revive(VARIANTS, "variants")
    benchmark = GATES.model_copy(update={"concreteness": "norms.txt"})
    assert STUDY.evaluation_needs(peers["base"], benchmark, peers).files == {"norms.txt"}
    config = merge(load_config([]), {"benchmarks": {"gates": {"concreteness": "nowhere/norms.txt"}}})
    with pytest.raises(UserError, match=r"base \(on gates\): nowhere/norms\.txt is missing"):
        Plan(config)


def test_captions_without_parts_of_speech_have_gates_too(world, tmp_path, monkeypatch):
    world.trained("base")
    original = CanonicalSet.split
    monkeypatch.setattr(
        CanonicalSet, "split", lambda self, name: original(self, name).drop(columns="pos", errors="ignore")
    )
    evaluate(
        identified(world.job("base", output=tmp_path), "gates", GatesBenchmark(kind="gates", dataset="drawn")),
        "gates",
        GatesBenchmark(kind="gates", dataset="drawn"),
    )
    assert set(read_predictions(tmp_path, "gates")["pos"]) == {""}


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("base", {"tokenizer": "bpee"}, r'base.tokenizer: unknown variant "bpee"; did you mean "bpe"'),
        (
            "base",
            {"tokenizer": "trunk"},
            r'base.tokenizer: needs tokenizer, which variant "trunk" \(decoder\) is not; name bpe',
        ),
        ("watched", {"start": "bigram"}, r'watched.start: needs decoder, which variant "bigram"'),
        ("base", {"kind": "decodr"}, r"base.kind: unknown kind 'decodr'; did you mean \"decoder\""),
        ("base", {"kind": None}, r"base.kind: missing; one of decoder"),
        ("base", {"gate": "softish"}, r"base.gate: input should be 'soft_feature'"),
        ("base", {"curriculum": {"kind": "mixd"}}, r"base.curriculum.kind: input should be"),
        ("base", {"curriculum": {"epoch": 2}}, r'base.curriculum.epoch: unknown setting; did you mean "epochs"'),
        ("base", {"shape": {"width": 30}}, r"width 30 is not a multiple of heads 8"),
        ("base", {"texts": []}, r"curriculum alternating needs `texts`"),
        ("base", {"captions": []}, r"curriculum alternating needs `captions`"),
        ("everything", {"image": {"withheld": True}}, r"not where images are withheld"),
        ("base", {"image": {"layers": 0, "channel_attention": True}}, r"image.layers must be above 0"),
        (
            "base",
            {"modulation": {"kind": "film", "place": "image"}, "auxiliary": {"clip": 1}},
            r"not with modulation of the image by the text",
        ),
        (
            "base",
            {"modulation": {"kind": "film", "place": "image"}, "image": {"input": "patches"}},
            r"use `input: cls`, or modes.image_conditioning released",
        ),
        ("bpe", {"pretrained": "gpt2"}, r"give either `texts` to train it on or `pretrained`"),
    ],
)
def test_bad_settings_are_told(name, change, message):
    variants = VARIANTS | {name: VARIANTS[name] | change}
    with pytest.raises(UserError, match=message):
        STUDY.revive(variants, "variants")


def test_what_cannot_be_evaluated_is_told():
    peers = STUDY.revive(VARIANTS | {"plain": DECODER | {"gate": "none"}}, "variants")
    assert peers["base"].supports(GATES, peers)[0]
    for name, benchmark, reason in (
        ("plain", GATES, "with a gate"),
        ("trunk", GATES, "trained with images"),
        ("bigram", GATES, "kind ngram has no ability 'gates'"),
        ("bpe", LANGUAGE, "kind tokenizer has no ability"),
    ):
        able, why = peers[name].supports(benchmark, peers)
        assert not able
        assert reason in why
