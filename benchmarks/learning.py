"""Can the model learn at all? Two checks before any long training, on the demo's data.

    python benchmarks/learning.py [--images 64] [--steps 300]

1. The joint encoder overfits so many training scenes, twins included: share of pairs it puts before every other image's
   caption and every other caption's image, over all images × captions of the set (target: 98%).
2. Linear probes read place and count from the compressed tokens it gets, and from the patch tokens they come from.

Needs the demo's data set, tokens and the run of `late_interaction` (snakemake runs/edje/late_interaction/seed0/manifest.json).
Prints JSON.
"""

import argparse
import json
import logging

import numpy as np
import torch
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from compactvl.data.canonical import CanonicalSet
from compactvl.data.pairs import Pairs
from compactvl.nn.compute import autocast
from compactvl.records.layout import Layout
from compactvl.records.record import read_manifest
from compactvl.studies.edje import objectives
from compactvl.studies.edje.joint import build_joint, start_from
from compactvl.studies.edje.model import compress_all, match_pairs, score_pairs
from compactvl.studies.edje.settings import JointEncoder
from compactvl.text.batches import TokenBatch
from compactvl.text.wordpiece import WordPiece
from compactvl.vision.store import TokenStore

CENTRE = 0.5
REFRESH = 30
"""Steps between new scores of all pairs, from which negatives are drawn."""


def settings_of(layout: Layout, variant: str) -> JointEncoder:
    """Resolved settings of a joint variant, as the workflow wrote them."""
    return JointEncoder.model_validate_json(layout.settings("edje", variant).read_text(encoding="utf-8"))


def twins_first(dataset: CanonicalSet, pairs: Pairs, count: int) -> np.ndarray:
    """Indices of ``count`` images: twins (equal words, exchanged) with their partners first, then others."""
    bags: dict[tuple[str, ...], list[int]] = {}
    for index, captions in enumerate(pairs.of_image):
        for caption in captions:
            bags.setdefault(tuple(sorted(pairs.captions[caption].split())), []).append(index)
    twins = [i for group in bags.values() if len(set(group)) > 1 for i in dict.fromkeys(group)]
    return np.array(list(dict.fromkeys([*twins[: count // 2], *range(len(pairs.image_ids))]))[:count])


def overfit(layout: Layout, images: int, steps: int) -> dict[str, float]:
    """Train on every pair of a few scenes and measure on the same."""
    settings = settings_of(layout, "trunk")
    dataset = CanonicalSet.open(layout.dataset(settings.dataset))
    whole = Pairs.of(dataset, "train")
    pairs = whole.subset(twins_first(dataset, whole, images), 1)
    store = TokenStore.open(layout.tokens(settings.encoder, settings.dataset))
    tokenizer = WordPiece(layout.weights(settings.joint.weights).with_suffix(".tokenizer.json"))
    torch.manual_seed(0)
    model = build_joint(settings, layout, None)
    start_from(model, adapter=layout.run("edje", "late_interaction", 0), joint=None)
    captions = TokenBatch.of(tokenizer.encode(pairs.captions, settings.joint.longest_caption))
    patches = torch.from_numpy(store.read(pairs.image_ids)).float()
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-4, weight_decay=0.0)
    count, rng = len(pairs.image_ids), np.random.default_rng(0)
    # Images of equal words describe each other: they are not negatives.
    different = pairs.text[:, None] != pairs.text[None]
    model.train()
    grid = np.zeros((count, count))
    for step in range(steps):
        with autocast(model.device, settings.precision):
            vision = model.compress(patches)
        if step and step % REFRESH == 0:
            grid = _grid(model, vision.detach(), captions, tokenizer.sep)
        rows = rng.permutation(count)[:32]
        # Drawn in proportion to exp(score): hard negatives by the scores of a while ago, all of them at first.
        drawn = np.where(different, grid, -np.inf) + rng.gumbel(size=grid.shape)
        wrong_text = drawn[rows].argmax(1)
        wrong_image = drawn[:, rows].argmax(0)
        image = np.concatenate([rows, wrong_image, rows])
        text = np.concatenate([rows, rows, wrong_text])
        with autocast(model.device, settings.precision):
            logits = match_pairs(
                model, vision, captions, torch.from_numpy(image), torch.from_numpy(text), tokenizer.sep
            )
        positive, of_image, of_text = logits.chunk(3)
        loss = 0.5 * (
            objectives.itm_softmax(positive, of_image[:, None]) + objectives.itm_softmax(positive, of_text[:, None])
        )
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    model.eval()
    model.settings = settings.model_copy(update={"precision": "fp32"})
    with torch.inference_mode():
        grid = _grid(model, compress_all(model, store, pairs.image_ids), captions, tokenizer.sep)
    right = grid.diagonal()
    others = np.where(different, grid, -np.inf)
    return {
        "images": count,
        "images_with_a_twin": int(sum(len(set(b)) > 1 for b in _bags(pairs).values() for _ in b)),
        "text_to_image": float((right > others.max(0)).mean()),
        "image_to_text": float((right > others.max(1)).mean()),
    }


def _bags(pairs: Pairs) -> dict[tuple[str, ...], list[int]]:
    bags: dict[tuple[str, ...], list[int]] = {}
    for index, caption in enumerate(pairs.captions):
        bags.setdefault(tuple(sorted(caption.split())), []).append(index)
    return bags


def _grid(model, vision: torch.Tensor, captions: TokenBatch, sep: int) -> np.ndarray:
    """Scores of all images × all captions."""
    count = len(vision)
    images, texts = (part.ravel() for part in np.meshgrid(np.arange(count), np.arange(count), indexing="ij"))
    return score_pairs(model, vision, captions, images, texts, sep).reshape(count, count)


def probe(layout: Layout) -> dict[str, float]:
    """Accuracy of linear probes on test scenes: how many objects there are, and on which side each kind is."""
    settings = settings_of(layout, "trunk").model_copy(update={"precision": "fp32"})
    dataset = CanonicalSet.open(layout.dataset(settings.dataset))
    store = TokenStore.open(layout.tokens(settings.encoder, settings.dataset))
    images = dataset.images
    meta = [json.loads(text) for text in images["meta"]]
    ids = images["image_id"].tolist()
    model = build_joint(settings, layout, None).eval()
    start_from(model, adapter=layout.run("edje", "late_interaction", 0), joint=None)
    features = {
        "patches": store.read(ids).astype(np.float32).reshape(len(ids), -1),
        "compressed": compress_all(model, store, ids).numpy().reshape(len(ids), -1),
    }
    count = np.array([sum(o["count"] for o in m["objects"]) for m in meta])
    train, test = (images["split"] == "train").to_numpy(), (images["split"] == "test").to_numpy()
    results = {"count_majority": _majority(count[test])}
    for name, x in features.items():
        results[f"count_{name}"] = float(_right(x, count, train, test).mean())
        right, sides = [], []
        # One probe a kind of object: on which half of the picture is it? It must know the kind and the place.
        for concept in sorted({o["concept"] for m in meta for o in m["objects"]}):
            side = np.array([_side(m, concept) for m in meta])
            known = side >= 0
            right.append(_right(x, side, train & known, test & known))
            sides.append(side[test & known])
        results[f"side_{name}"] = float(np.concatenate(right).mean())
        results["side_majority"] = _majority(np.concatenate(sides))
    return results


def _right(x: np.ndarray, target: np.ndarray, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Which test rows a ridge classifier fitted on the training rows gets right."""
    classifier = make_pipeline(StandardScaler(), RidgeClassifier(alpha=1000.0))
    return classifier.fit(x[train], target[train]).predict(x[test]) == target[test]


def _majority(target: np.ndarray) -> float:
    return float(np.bincount(target).max() / len(target))


def _side(meta: dict, concept: str) -> int:
    """0 where a kind of object is in the left half of the picture, 1 in the right half, -1 where it is not there."""
    for kind in meta["objects"]:
        if kind["concept"] == concept:
            boxes = np.array(kind["boxes"])
            return int((boxes[:, 0] + boxes[:, 2]).mean() / 2 > CENTRE)
    return -1


def main() -> None:
    """Run both checks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=64, help="scenes to overfit (default: 64)")
    parser.add_argument("--steps", type=int, default=300, help="training steps (default: 300)")
    args = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    layout = Layout()
    read_manifest(layout.run("edje", "late_interaction", 0), "train")
    print(json.dumps({"probe": probe(layout)}, indent=2), flush=True)
    print(json.dumps({"overfit": overfit(layout, args.images, args.steps)}, indent=2))


if __name__ == "__main__":
    main()
