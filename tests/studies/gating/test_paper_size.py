"""The paper's configuration: its recipe, its sizes, BabyLM's files from disk to metrics, and one step of its variants."""

import json
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tokenizers import Tokenizer as RawTokenizer
from tokenizers import models, pre_tokenizers, trainers

from compactvl.config.overlay import load_config, merge
from compactvl.dag.identity import identified
from compactvl.dag.plan import Plan
from compactvl.data.canonical import CanonicalSet
from compactvl.data.curate import Curation, curate
from compactvl.errors import UserError
from compactvl.files import read_json
from compactvl.records.intact import check_made
from compactvl.records.layout import Layout
from compactvl.records.record import MANIFEST, read_manifest
from compactvl.studies.base import Job
from compactvl.studies.gating.curriculum import build_schedule
from compactvl.studies.gating.images import open_images
from compactvl.studies.gating.model import GatedDecoder
from compactvl.studies.gating.scoring import DecoderScorer
from compactvl.studies.gating.settings import Decoder, Monitor, NGram, Random, Tokenizer
from compactvl.studies.gating.streams import open_stream
from compactvl.studies.gating.train import Trainer
from compactvl.studies.gating.words import word_values
from compactvl.studies.jobs import evaluate, parameter_table, train
from compactvl.text.bpe import TextTokenizer
from compactvl.training.loop import State

REPOSITORY = Path(__file__).parents[3]
BABYLM = Path("data/external/babylm")
SETS = ("babylm_text", "babylm_captions", "blimp", "blimp_supplement", "ewok", "vqa", "winoground")
LANGUAGE, GATES = ("language",), ("language", "gates")
MONITOR = {"pairs": "blimp", "vqa": "vqa", "split": "test", "items": 2000}
DATA = {"texts": ("babylm_text",), "captions": ("babylm_captions",)}

# What each variant has that is not the paper's default.
VARIANTS: dict[str, dict[str, Any]] = {
    "base": {},
    "soft_token": {"gate": "soft_token"},
    "hard_feature": {"gate": "hard_feature"},
    "hard_token": {"gate": "hard_token"},
    "no_gate": {"gate": "none"},
    "no_image_encoder": {"image": {"layers": 0}},
    "channel_attention": {"image": {"channel_attention": True}},
    **{
        f"{kind}_{name}": {"modulation": {"kind": kind, "place": place}}
        for kind, (name, place) in product(
            ("film", "dyintra"), (("text", "text"), ("cross", "cross_attention"), ("image", "image"))
        )
    },
    "clip": {"auxiliary": {"clip": 1}, "optimiser": {"batch": 128, "warmup": 6000}},
    "lcg": {"auxiliary": {"lcg": 0.3}, "optimiser": {"batch": 128, "warmup": 60_000}},
    "lcg_released": {
        "auxiliary": {"lcg": 0.3},
        "optimiser": {"batch": 128, "warmup": 60_000},
        "modes": {"lcg": "released"},
    },
    "curriculum_caption_first": {"curriculum": {"first": "caption"}},
    **{
        f"curriculum_{kind}": {"curriculum": {"kind": kind}}
        for kind in ("text_then_caption", "caption_then_text", "mixed_shuffled", "captions_only")
    },
    "curriculum_mixed": {"curriculum": {"kind": "mixed"}, "optimiser": {"warmup": 7000}},
    "curriculum_mixed_shuffled_released": {
        "curriculum": {"kind": "mixed_shuffled"},
        "modes": {"mixed_shuffled": "released"},
    },
    **{f"scale_{part}": {"data_share": 1 / part} for part in (2, 4, 8)},
    **{f"no_gate_scale_{part}": {"data_share": 1 / part, "gate": "none"} for part in (2, 4, 8)},
    "no_images": {"image": {"withheld": True}},
    "text_only": {"curriculum": {"kind": "text_only"}},
}
READS_GATES = {"base", "soft_token", "hard_feature", "hard_token", "scale_2", "scale_4", "scale_8"}
ONE_STEP = [name for name in VARIANTS if "scale" not in name and "curriculum" not in name and name != "text_only"]


def paper(layout: Layout, overlay: Mapping[str, Any] | None = None) -> Plan:
    config = load_config([REPOSITORY / "config/paper.yaml"], base=REPOSITORY / "config.yaml")
    return Plan(merge(config, overlay or {}), layout)


@cache
def variants() -> dict[str, Any]:
    return dict(paper(Layout()).studies["gating"].variants)


# The recipe: nothing of the demo's is left in a variant that lies over one of the demo's.


def test_base_is_the_defaults():
    wanted = Decoder(kind="decoder", tokenizer="gpt2", texts=["babylm_text"], captions=["babylm_captions"])
    assert variants()["base"] == wanted.model_copy(
        update={"benchmarks": GATES, "threads": 8, "monitor": Monitor(**MONITOR)}
    )


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_differs_from_the_defaults_by_its_own_choice_alone(name):
    benchmarks = GATES if name in READS_GATES else LANGUAGE
    wanted = Decoder(
        kind="decoder", tokenizer="gpt2", **DATA, threads=8, benchmarks=benchmarks, monitor=MONITOR, **VARIANTS[name]
    )
    assert variants()[name] == wanted


def test_controls_and_tokenizer():
    others = {name: variant for name, variant in variants().items() if name not in VARIANTS}
    ngram = {"kind": "ngram", "tokenizer": "gpt2", **DATA, "threads": 8, "benchmarks": LANGUAGE}
    assert others == {
        "gpt2": Tokenizer(kind="tokenizer", pretrained="openai-community/gpt2"),
        "unigram": NGram(order=1, **ngram),
        "bigram": NGram(order=2, **ngram),
        "random": Random(kind="random", tokenizer="gpt2", benchmarks=LANGUAGE),
    }


def test_benchmarks_are_babylms():
    root = paper(Layout()).root
    language, gates = root.benchmarks["language"], root.benchmarks["gates"]
    assert {name: (task.kind, task.dataset, task.images) for name, task in language.tasks.items()} == {
        "pairs": ("minimal_pairs", "blimp", None),
        "blimp_supplement": ("minimal_pairs", "blimp_supplement", None),
        "ewok": ("ewok", "ewok", None),
        "vqa": ("ranked_answers", "vqa", "vqa"),
        "winoground": ("winoground", "winoground", "winoground"),
        "text_perplexity": ("perplexity", "babylm_text", None),
        "caption_perplexity": ("perplexity", "babylm_captions", "babylm_captions"),
    }
    assert {task.max_items for name, task in language.tasks.items() if "perplexity" not in name} == {None}
    assert {task.prompt for task in language.tasks.values()} == {"{question}"}
    assert (gates.probe, gates.images, gates.concreteness) == (None, None, None)
    assert (root.datasets["babylm_text"].seed, root.datasets["babylm_captions"].seed) == (42, 42)


def test_jobs():
    plan = paper(Layout())
    counts = Counter(type(job).__name__ for job in (*plan.trainings, *plan.evaluations) if job.study == "gating")
    seeds = 3
    assert counts == {
        "Training": seeds * (len(VARIANTS) + 4),
        "Evaluation": seeds * (len(VARIANTS) + len(READS_GATES) + 3),
    }
    needs = [plan.needs("gating", name) for name in variants()]
    needs += [plan.needs("gating", name, key) for name, variant in variants().items() for key in variant.benchmarks]
    assert not any(need.tokens or need.texts or need.weights or need.encoders for need in needs)
    assert set().union(*(need.datasets for need in needs)) == set(SETS)


def test_missing_files_say_where_to_get_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = paper(Layout())
    for name in SETS:
        with pytest.raises(UserError, match=rf"datasets\.{name}\.\w+: data/external/babylm/.* is missing.*https://"):
            plan.external(name)


def test_the_published_number_of_steps_is_a_whole_number_of_epochs():
    batches = 1_107_020 // variants()["base"].curriculum.epochs
    texts = batches * 2 // 3
    schedule = build_schedule(variants()["base"].curriculum, texts, batches - texts, 0)
    assert len(schedule.steps) == 1_107_020
    # Read at every caption step: half a million times the count of a million steps would take hours.
    assert {schedule.caption_steps for _ in range(10_000)} == {10 * (batches - texts)}


# Sizes.


def test_parameters():
    d, layers = 768, 8
    linear = d * d + d
    base, without = 198_449_236, 188_993_620
    wanted = {
        **dict.fromkeys(VARIANTS, base),
        **{name: without for name in VARIANTS if name.startswith("no_gate")},
        "soft_token": 189_018_204,
        "hard_feature": 207_892_564,
        "hard_token": 189_030_500,
        "no_image_encoder": 163_009_876,
        "channel_attention": base + (d * 48 + 48) + (48 * d + d),
        **dict.fromkeys(("film_text", "film_cross"), base + layers * 2 * linear),
        **dict.fromkeys(("dyintra_text", "dyintra_cross"), base + layers * linear),
        "film_image": base + 2 * linear,
        "dyintra_image": base + linear,
        "clip": base + 2 * linear + 1,
        "lcg": base + 2 * d * d + 1,
        "lcg_released": 161_029_205,
    }
    study = paper(Layout()).studies["gating"]
    table = parameter_table(study.variants)
    assert table.groupby("variant")["parameters"].sum().to_dict() == wanted


# From BabyLM's files to metrics.

NOUNS, VERBS, PLACES = ("dog", "cat", "bird", "girl"), ("sees", "likes", "finds"), ("park", "house", "garden")


def sentence(number: int) -> str:
    noun, verb, place = NOUNS[number % 4], VERBS[number // 4 % 3], PLACES[number // 12 % 3]
    return f"A {noun} {verb} {1 + number // 36} things in the {place}."


def write_jsonl(path: Path, *records: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


def write_vectors(path: Path, rows: int, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.random.default_rng(seed).standard_normal((rows, 768), dtype=np.float32))


def write_babylm(root: Path) -> None:
    """Tiny files with the names and forms of BabyLM's."""
    texts, captions, tasks = root / "train_50M", root / "captions", root / "evaluation"
    texts.mkdir(parents=True)
    (texts / "childes.train").write_text("".join(f"*MOT:\t{sentence(i)}\n" for i in range(150)), encoding="utf-8")
    (texts / "simple_wiki.train").write_text(
        "".join(f"= = = {i} = = =\n{sentence(i)}\n" for i in range(150, 250)), encoding="utf-8"
    )
    captions.mkdir()
    for name, numbers in (("cc_3M", range(90)), ("local_narr", range(90, 130))):
        (captions / f"{name}_captions.json").write_text(json.dumps([f"In this image, {sentence(i)}" for i in numbers]))
    for seed, (part, rows) in enumerate({"cc_3M_dino_v2_states_1of2": 50, "cc_3M_dino_v2_states_2of2": 40,
                                         "local_narr_dino_v2_states": 40}.items()):  # fmt: skip
        write_vectors(captions / f"{part}.npy", rows, seed)
    for paradigm, (good, bad) in {"agreement": ("sees", "see"), "gender": ("herself", "himself")}.items():
        write_jsonl(
            tasks / f"blimp_filtered/{paradigm}.jsonl",
            *({"sentence_good": f"The {noun} {good} it.", "sentence_bad": f"The {noun} {bad} it.", "field": "syntax",
               "linguistics_term": paradigm, "UID": paradigm} for noun in NOUNS),
        )  # fmt: skip
    for kind in ("hypernym", "turn_taking"):
        write_jsonl(
            tasks / f"supplement_filtered/{kind}.jsonl",
            *({"sentence_good": f"A {noun} is here.", "sentence_bad": f"A {noun} here is."} for noun in NOUNS),
        )
    for domain in ("spatial-relations", "social-properties"):
        write_jsonl(
            tasks / f"ewok_filtered/{domain}.jsonl",
            *({"Context1": f"The {noun} is left.", "Context2": f"The {noun} is right.", "Target1": "Go left.",
               "Target2": "Go right.", "Domain": domain} for noun in NOUNS),
        )  # fmt: skip
    others = ["red", "two", "no", "yes", "blue", "a house", "outside"]
    questions = [{"question": f"Where is the {noun}?", "target_ans": "park", "distractors": others} for noun in NOUNS]
    write_jsonl(tasks / "vqa_filtered/vqa_distractors_info.jsonl", *questions)
    write_vectors(tasks / "vqa_dino_v2.npy", len(questions), 11)
    write_jsonl(
        tasks / "winoground_filtered/winoground.jsonl",
        *({"caption_0": f"a {noun} in a house", "caption_1": f"a house in a {noun}", "collapsed_tag": "Object"}
          for noun in NOUNS),
    )  # fmt: skip
    write_vectors(tasks / "winoground_dino_v2.npy", len(NOUNS), 12)


SMALL = {
    "gpt2": {"pretrained": None, "texts": ["babylm_text"], "vocabulary": 300, "lowercase": False},
    "base": {
        "shape": {"width": 32, "heads": 4, "feedforward": 64, "layers": 1, "length": 40},
        "image": {"layers": 1},
        "curriculum": {"epochs": 2, "text_batches": 3, "caption_batches": 2},
        "optimiser": {"batch": 8, "lr": 1e-3, "warmup": 2},
        "threads": 1,
    },
}


@dataclass
class World:
    """BabyLM's files and sets in a folder, and the paper's plan with ever smaller variants."""

    layout: Layout
    plan: Plan

    def job(self, name: str, output: Path) -> Job:
        study = self.plan.studies["gating"]
        scratch = self.layout.resume("gating", name, 0)
        return Job("gating", name, 0, study.variants[name], self.layout, output, study.variants, scratch)

    def train(self, name: str) -> Path:
        job = self.job(name, self.layout.run("gating", name, 0))
        if not (job.output / "manifest.json").is_file():
            for peer in self.plan.peers("gating", name):
                self.train(peer)
            train(identified(job))
        return job.output

    def evaluate(self, name: str, benchmark: str) -> tuple[dict[str, dict[str, Any]], pd.DataFrame]:
        self.train(name)
        job = self.job(name, self.layout.result("gating", name, 0))
        evaluate(
            identified(job, benchmark, self.plan.root.benchmarks[benchmark]),
            benchmark,
            self.plan.root.benchmarks[benchmark],
        )
        metrics = {metric["name"]: metric for metric in read_json(job.output / f"{benchmark}.json")["metrics"]}
        return metrics, pd.read_parquet(job.output / f"{benchmark}.parquet")

    def open(self, name: str) -> CanonicalSet:
        return CanonicalSet.open(self.layout.dataset(name))

    @property
    def tokenizer(self) -> TextTokenizer:
        return TextTokenizer(self.train("gpt2") / "tokenizer.json")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Curated with the paper's own settings, whose paths are relative to the working folder."""
    root = tmp_path_factory.mktemp("babylm")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        write_babylm(BABYLM)
        layout = Layout(root)
        plan = paper(layout, {"studies": {"gating": {"variants": SMALL}}})
        for name in SETS:
            assert all(Path(path).is_file() for path in plan.external(name))
            curate(plan.root.datasets[name], Curation(name, layout))
        yield World(layout, plan)
    shutil.rmtree(root)


def test_a_decoder_from_files_to_metrics(world):
    run = world.train("base")
    manifest = read_manifest(run, "train")
    assert (manifest["steps"], manifest["seen"], manifest["vocabulary"]) == (10, 80, world.tokenizer.size)
    check_made(run / MANIFEST)
    logged = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in logged if "epoch" in line] == [1, 2, 3, 4]
    assert {"text_loss", "caption_loss"} <= set().union(*logged)

    metrics, predictions = world.evaluate("base", "language")
    for task, chance in (("pairs", 0.5), ("blimp_supplement", 0.5), ("vqa", 1 / 8), ("winoground", 0.5)):
        assert metrics[task]["chance"] == pytest.approx(chance), task
        assert 0 <= metrics[task]["value"] <= 1, task
    assert {"pairs/agreement", "blimp_supplement/hypernym", "ewok/spatial-relations", "winoground/Object"} <= set(
        metrics
    )
    assert {"vqa_no_image", "vqa_other_image", "winoground_no_image", "caption_perplexity_no_image"} <= set(metrics)
    for name in ("text_perplexity", "caption_perplexity"):
        assert 1 < metrics[name]["value"] < 1e6
    assert metrics["text_perplexity"]["n"] == len(world.open("babylm_text").split("test"))
    assert metrics["caption_perplexity"]["n"] == len(world.open("babylm_captions").split("test"))
    # The vectors are those of the item's own row, and they are looked at.
    vqa = predictions[predictions["task"] == "vqa"]
    assert set(vqa.loc[vqa["condition"] == "own", "image_id"]) == {f"vqa_dino_v2-{row}" for row in range(4)}
    by_condition = vqa.pivot(index=["item_id", "choice"], columns="condition", values="log_prob")
    assert (by_condition["own"] != by_condition["none"]).all()
    assert (by_condition["own"] != by_condition["other"]).any()


def test_gates_of_captions_without_parts_of_speech(world):
    metrics, table = world.evaluate("base", "gates")
    captions = world.open("babylm_captions").split("test")
    assert sorted(table["word"]) == sorted(word for caption in captions["caption"] for word in caption.split())
    assert table["gate_0"].between(0, 1).all()
    assert set(table["pos"]) == {""}
    assert metrics
    assert all(np.isfinite(metric["value"]) for metric in metrics.values())


@pytest.mark.parametrize("name", ["bigram", "random"])
def test_controls_from_files_to_metrics(name, world):
    metrics, _ = world.evaluate(name, "language")
    assert {"pairs", "blimp_supplement", "ewok", "vqa", "winoground"} <= set(metrics)
    assert ("text_perplexity" in metrics) == (name == "bigram")


def test_a_share_of_the_texts_has_lines_of_every_file(world):
    texts = world.open("babylm_text")
    train = texts.split("train")

    def counts(share: float) -> pd.Series:
        stream = open_stream([texts], world.tokenizer, share=share, longest=40, batch=8, seed=0)
        assert not stream.image_ids
        return train.set_index("text")["document"].loc[sorted(set(stream.texts))].value_counts()

    whole, half, eighth = counts(1), counts(1 / 2), counts(1 / 8)
    assert set(half.index) == set(eighth.index) == set(whole.index) == {"childes.train", "simple_wiki.train"}
    assert half.sum() == pytest.approx(len(train) / 2, rel=0.1)
    assert (half < whole).all()


# The published tokenizer: a folder stands for the Hub.


@pytest.fixture
def like_gpt2(world, tmp_path) -> TextTokenizer:
    """A published tokenizer of GPT-2's kind: byte-level, no space before a text's first word, no special tokens."""
    raw = RawTokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    raw.train_from_iterator(world.open("babylm_captions").items["caption"].tolist(), trainer)
    (tmp_path / "published").mkdir()
    raw.save(str(tmp_path / "published/tokenizer.json"))
    own = Tokenizer(kind="tokenizer", pretrained=str(tmp_path / "published"))
    job = world.job("gpt2", tmp_path / "run")
    train(identified(Job(**{**vars(job), "settings": own})))
    return TextTokenizer(tmp_path / "run/tokenizer.json")


def test_words_are_read_as_in_training(like_gpt2, world):
    """The surprisals of a caption's words sum up to its log-probability, first word and full stop included."""
    size = like_gpt2.size
    assert (like_gpt2.pad, like_gpt2.eos, like_gpt2.bos) == (size - 3, size - 2, size - 1)
    torch.manual_seed(0)
    settings = world.plan.variant("gating", "base").model_copy(update={"precision": "fp32"})
    model = GatedDecoder(settings, size).eval()
    captions = world.open("babylm_captions")
    items = captions.split("test").head(4)
    images = open_images(settings.image, world.layout, captions)
    texts, image_ids = items["caption"].tolist(), items["image_id"].tolist()
    found = word_values(model, like_gpt2, [text.split() for text in texts], image_ids, images)
    rows = [row[:-1] for row in like_gpt2.encode(texts, settings.shape.length)]
    scorer = DecoderScorer(model, like_gpt2, {"captions": images})
    scores = scorer.score(rows, [1] * len(rows), image_ids, "captions")
    assert [value.surprisal.sum() for value in found] == pytest.approx(list(-scores), rel=1e-4)


def test_without_the_hub_the_tokenizer_is_asked_for_in_one_line(tmp_path, monkeypatch, world):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    job = world.job("gpt2", tmp_path / "run")
    with pytest.raises(
        UserError, match=r"tokenizer 'openai-community/gpt2' cannot be loaded .*give a folder"
    ) as caught:
        train(identified(Job(**{**vars(job), "settings": variants()["gpt2"]})))
    assert "\n" not in str(caught.value)


# One step of text and one of captions at full width.


@pytest.mark.parametrize("name", ONE_STEP)
def test_one_step_at_full_width(name, world):
    """One layer of each kind and a small vocabulary, so that it fits a small machine; everything else is the paper's."""
    full = variants()[name]
    layers = {"shape": {"layers": 1}, "image": {"layers": min(1, full.image.layers)}}
    settings = full.model_copy(
        update={key: getattr(full, key).model_copy(update=update) for key, update in layers.items()}
    )
    captions, tokenizer = world.open("babylm_captions"), world.tokenizer
    streams = [
        open_stream([data], tokenizer, share=1, longest=settings.shape.length, batch=4, seed=0)
        for data in (world.open("babylm_text"), captions)
    ]
    torch.manual_seed(0)
    model = GatedDecoder(settings, tokenizer.size)
    assert model.logits(torch.zeros(1, 768)).shape == (1, tokenizer.size)
    schedule = build_schedule(settings.curriculum.model_copy(update={"epochs": 1}), 1, 1, 0)
    trainer = Trainer(model, tokenizer, schedule, *streams, open_images(settings.image, world.layout, captions))
    optimiser = torch.optim.AdamW(model.parameters(), lr=settings.optimiser.lr)
    numbers: dict[str, float] = {}
    for step in range(2):
        outcome = trainer.loss(State(step=step), np.random.default_rng(0))
        outcome.loss.backward()
        numbers |= outcome.numbers
    idle = {part for part, parameter in model.named_parameters() if parameter.grad is None}
    optimiser.step()
    # One image vector has weight 1 whatever asks for it: without a gate nothing reads the text's side.
    unread = {"no_gate": ("norm_2.",), "lcg_released": ("norm_2.", "cross_attention.", "gate.")}.get(name, ())
    first = {key for key, _ in model.named_parameters() if key.startswith(tuple(f"layers.0.{part}" for part in unread))}
    assert idle == first
    extra = {"temperature"} if settings.gate.startswith("hard") else {name.removesuffix("_released")} & {"clip", "lcg"}
    assert numbers.keys() == {"text_loss", "caption_loss"} | extra
    assert all(np.isfinite(list(numbers.values())))
    assert all(torch.isfinite(parameter).all() for parameter in model.parameters())
