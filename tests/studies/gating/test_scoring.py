"""Log-probabilities of texts against minicons, brute force, and counting."""

import itertools
import math
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from compactvl.evaluation.texts import answer
from compactvl.studies.gating.ngram import NGramModel
from compactvl.studies.gating.open import RandomTexts
from compactvl.studies.gating.scoring import (
    DecoderScorer,
    continuation_log_probs,
)
from compactvl.text.batches import TokenBatch
from compactvl.text.bpe import TextTokenizer, save_tokenizer, train_bpe

TEXTS = [
    "the cat sat on the mat .",
    "a dog and two cats sit here .",
    "two dogs are on the left of a cat .",
    "there are three cats in the picture .",
]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory) -> TextTokenizer:
    path = tmp_path_factory.mktemp("bpe") / "tokenizer.json"
    save_tokenizer(train_bpe(TEXTS * 3, 290, lowercase=True), path)
    return TextTokenizer(path)


def requests(*rows: tuple) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["context", "continuation", "ends", "image_id", "task"])


def test_equals_minicons_on_a_random_gpt2(tokenizer):
    minicons = pytest.importorskip("minicons.scorer", reason="the test requirement minicons is not installed")
    from tokenizers import Tokenizer
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=tokenizer.size, n_positions=64, n_embd=32, n_layer=2, n_head=4, bos_token_id=tokenizer.bos,
        eos_token_id=tokenizer.eos, attn_implementation="eager",
    )  # fmt: skip
    model = GPT2LMHeadModel(config).eval()
    # A freshly made GPT-2 predicts every token alike; larger weights make it opinionated.
    for parameter in model.parameters():
        parameter.data.mul_(3.0)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(tokenizer.backend.to_str()),
        bos_token="[BOS]",
        eos_token="[EOS]",
        pad_token="[PAD]",
    )
    scorer = minicons.IncrementalLMScorer(model, tokenizer=wrapped, device="cpu")
    theirs = scorer.sequence_score(TEXTS, reduction=lambda x: x.sum(0).item(), bos_token=True, bow_correction=False)
    tokens = TokenBatch.of([[tokenizer.bos, *ids] for ids in tokenizer.pieces(TEXTS)], tokenizer.pad)
    with torch.inference_mode():
        hidden = model.transformer(tokens.ids, attention_mask=tokens.mask.long()).last_hidden_state
        ours = continuation_log_probs(hidden, model.lm_head, tokens, torch.ones(len(TEXTS), dtype=torch.int64))
    assert len({round(x, 3) for x in theirs}) == len(TEXTS)
    assert ours.tolist() == pytest.approx(theirs, abs=1e-3)


def small_decoder(build, tokenizer, precision="fp32"):
    from compactvl.studies.gating.model import GatedDecoder

    settings = build().settings
    shape = settings.shape.model_copy(update={"length": 20})
    return GatedDecoder(settings.model_copy(update={"precision": precision, "shape": shape}), tokenizer.size).eval()


class Vectors:
    def read(self, image_ids):
        return torch.stack([torch.full((1, 12), float(len(i))) for i in image_ids])


def test_requests_equal_a_loop_over_tokens(build, tokenizer):
    torch.manual_seed(0)
    model = small_decoder(build, tokenizer)
    table = requests(
        ("", "the cat sat .", False, "", "a"),
        ("how many cats ?", " two", False, "image", "a"),
        ("how many cats ?", " two", False, "longer image", "a"),
        ("", "two dogs are here", True, "image", "b"),
    )
    found = answer(table, DecoderScorer(model, tokenizer, {"a": Vectors()}))
    for row in found.itertuples():
        context, text = tokenizer.pieces([row.context, row.continuation])
        ids = [tokenizer.bos, *context, *text, *([tokenizer.eos] if row.ends else [])]
        # Task b has no images to look at, so its image id is not looked at.
        vectors = Vectors().read([row.image_id]) if row.image_id and row.task == "a" else None
        total = 0.0
        for place in range(1 + len(context), len(ids)):
            with torch.inference_mode():
                logits = model.output(model(TokenBatch.of([ids[:place]], tokenizer.pad), vectors).states[0, -1])
            total += math.log(torch.softmax(logits.double(), -1)[ids[place]])
        assert row.log_prob == pytest.approx(total, abs=1e-3)
        assert row.tokens == len(ids) - 1 - len(context)


def test_a_bf16_model_predicts_in_float32(build, tokenizer):
    """Body in bf16, output layer and sums in float32."""
    torch.manual_seed(0)
    model = small_decoder(build, tokenizer, "bf16")
    seen = []
    model.output.register_forward_hook(lambda module, inputs, output: seen.append((inputs[0].dtype, output.dtype)))
    answer(requests(("", TEXTS[0], True, "", "a")), DecoderScorer(model, tokenizer, {}))
    assert seen == [(torch.float32, torch.float32)]


def test_equal_texts_are_scored_once_and_alike(tokenizer):
    seen = []
    scorer = SimpleNamespace(
        score=lambda rows, starts, images, task: seen.append(len(rows)) or np.arange(len(rows), dtype=float),
        tokenizer=tokenizer,
        longest=50,
    )
    table = requests(*[("", text, False, image, "a") for text in TEXTS[:2] for image in ("", "", "x")])
    found = answer(table, scorer)
    assert seen == [4]
    assert found["log_prob"].tolist() == [0, 0, 1, 2, 2, 3]


def test_long_requests_lose_the_beginning_of_the_context_then_the_end(tokenizer):
    caught = []
    context, text = tokenizer.pieces([TEXTS[0], " mat"])
    scorer = SimpleNamespace(
        score=lambda rows, starts, images, task: caught.extend(zip(rows, starts, strict=False)) or np.zeros(len(rows)),
        tokenizer=tokenizer,
        longest=len(text) + 3,
    )
    answer(requests((TEXTS[0], " mat", False, "", "a"), ("", TEXTS[0], False, "", "a")), scorer)
    assert caught[0] == ([tokenizer.bos, *context[-2:], *text], 3)
    assert caught[1] == ([tokenizer.bos, *context[: len(text) + 2]], 1)


def test_random_scores_differ_by_seed_and_repeat():
    score = lambda seed: RandomTexts(None, seed).score([[1]] * 5, [1] * 5, [""] * 5, "a").tolist()  # noqa: E731
    assert score(0) == score(0) != score(1)


@pytest.mark.parametrize("order", [1, 2])
def test_ngram_probabilities_sum_to_one(order):
    rng = np.random.default_rng(0)
    model = NGramModel(order, 12, 0.75)
    model.fit([[rng.integers(0, 11, 9).tolist() for _ in range(15)] for _ in range(2)])
    everything = torch.arange(12)
    for before in range(12):
        assert model.probabilities(torch.full((12,), before), everything).sum().item() == pytest.approx(1.0, abs=1e-9)


def test_bigram_is_interpolated_kneser_ney_by_counting():
    rows = [[2, 5, 6, 5, 7, 1], [2, 5, 6, 8, 1], [2, 9, 6, 5, 1]]
    model = NGramModel(2, 12, 0.75)
    assert model.fit([rows[:2], rows[2:]]) == 13
    pairs = Counter(pair for row in rows for pair in itertools.pairwise(row))
    before = {v: sum(c for (x, _), c in pairs.items() if x == v) for v in range(12)}
    followers = {v: sum(x == v for x, _ in pairs) for v in range(12)}
    continuations = {w: sum(y == w for _, y in pairs) + 0.01 for w in range(12)}
    norm = sum(continuations.values())
    for v in range(12):
        for w in range(12):
            base = continuations[w] / norm
            expected = base
            if before[v]:
                expected = (max(pairs[v, w] - 0.75, 0) + 0.75 * followers[v] * base) / before[v]
            found = model.probabilities(torch.tensor([v]), torch.tensor([w])).item()
            assert found == pytest.approx(expected, abs=1e-12)


def test_unigram_is_relative_frequency():
    model = NGramModel(1, 6, 0.75)
    model.fit([[[2, 4, 4, 1]], [[2, 4, 3, 1]]])
    counts = np.array([0, 2, 0, 1, 3, 0]) + 0.01
    assert model.base.numpy() == pytest.approx(counts / counts.sum())
    score = model.score([[2, 4, 3, 1]], [2], [""], "a")
    assert score.tolist() == pytest.approx([math.log(counts[3] / counts.sum()) + math.log(counts[1] / counts.sum())])
