"""How well training from pixels uses the machine: GFLOP/s of a step of ESsEN's arms against their linear layers alone, and
whether the loader keeps up.

    python benchmarks/towers.py [--variants one_tower two_tower_vit two_tower_cnn] [--dataset data/sets/easy_open]

The limit is measured on this machine, in the same precision: a linear layer of the arm's width and its hidden width, forward
and backward, at the step's own number of tokens. Operations of the step are counted by torch for matrix products and
convolutions alone, so everything else a step does counts against it. Target: 0.60. The loader is asked for batches as fast as they
come, by one thread beside nothing else. Prints JSON.
"""

import argparse
import json
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode
from training import seconds

from compactvl.config.overlay import load_config
from compactvl.dag.plan import Plan
from compactvl.data.canonical import CanonicalSet
from compactvl.nn.compute import autocast
from compactvl.studies.essen.build import build
from compactvl.text.batches import TokenBatch
from compactvl.training.memory import keep_freed_memory
from compactvl.vision.pixels import pixel_batches

LENGTH = 10
"""Word pieces of a question."""


def limit(rows: int, width: int, hidden: int, precision: str, repeats: int) -> float:
    """GFLOP/s of two linear layers, forward and both backward products."""
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    weights = [torch.randn(o, i, dtype=kind, requires_grad=True) for i, o in ((width, hidden), (hidden, width))]
    x, grad = torch.randn(rows, width, dtype=kind, requires_grad=True), torch.randn(rows, width, dtype=kind)

    def both() -> None:
        F.linear(F.linear(x, weights[0]), weights[1]).backward(grad)
        for tensor in (x, *weights):
            tensor.grad = None

    return 3 * 4 * rows * width * hidden / seconds(both, repeats) / 1e9


def measure(settings: object, repeats: int) -> dict[str, float]:
    """Time a step of a variant, and its limit."""
    torch.manual_seed(0)
    model, batch, each = build(settings).train(), settings.optimiser.batch, settings.questions_an_image
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    side, images = settings.pixels.fit.image_size, batch // each
    texts = TokenBatch.of(torch.randint(1000, 20000, (batch, LENGTH)).tolist())
    pixels, place = torch.randn(images, 3, side, side), torch.arange(images).repeat_interleave(each)
    targets = torch.randint(settings.answers, (batch,))

    def loss() -> torch.Tensor:
        with autocast(model.device, settings.precision):
            return F.cross_entropy(model.answer(texts, [model.look(pixels)], place).float(), targets)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        loss().backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()

    with FlopCounterMode(display=False) as counter:
        loss().backward()
    shown, form = model.look(pixels).shape[1], settings.model
    sizes = getattr(form, "fusion", None) or form.text
    bound = limit(batch * (LENGTH + shown), sizes.width, sizes.hidden, settings.precision, repeats)
    took = seconds(step, repeats)
    reached = counter.get_total_flops() / took / 1e9
    return {
        "limit_gflops": round(bound, 1),
        "reached_gflops": round(reached, 1),
        "share": round(reached / bound, 3),
        "images_a_second": round(images / took, 1),
    }


def loader_rate(dataset: CanonicalSet, settings: object, count: int = 1024) -> float:
    """Images a second of the loader."""
    ids, size = dataset.images["image_id"].tolist()[:count], 16
    steps = [(number, ids[start : start + size]) for number, start in enumerate(range(0, len(ids), size))]
    begun = time.perf_counter()
    for _ in pixel_batches(dataset, settings.pixels, steps, 0):
        pass
    return round(len(ids) / (time.perf_counter() - begun), 1)


def main() -> None:
    """Measure every variant that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", nargs="+", default=["one_tower", "two_tower_vit", "two_tower_cnn"])
    parser.add_argument("--dataset", type=Path, help="a data set on disk, for the loader, e.g. data/sets/easy_open")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1, as the demo trains)")
    parser.add_argument("--repeats", type=int, default=15)
    args = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(args.threads)
    variants = Plan(load_config()).studies["essen"].variants
    found: dict[str, object] = {name: measure(variants[name], args.repeats) for name in args.variants}
    if args.dataset is not None:
        found["loader_images_a_second"] = loader_rate(CanonicalSet.open(args.dataset), variants[args.variants[0]])
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
