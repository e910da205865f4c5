"""How well training uses the machine: GFLOP/s of a joint training step against those of its linear layers alone.

    python benchmarks/training.py [--threads 1] [--precision bf16]

The limit is measured on this machine, in the same precision: the linear layers of one BERT layer (fused projections,
output, up, down) at the step's own number of tokens, forward and both backward products. The step is the demo's: adapter,
joint encoder on four pairs a caption, loss, backward, clipping, AdamW. Operations are counted for the matrix products
alone, so everything else a step does counts against it. Target: 0.60. Prints JSON.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

from compactvl.nn.bert import BertShape
from compactvl.nn.compute import autocast
from compactvl.studies.edje.model import CHUNK, JointModel, match_pairs
from compactvl.studies.edje.settings import JointEncoder
from compactvl.text.batches import TokenBatch
from compactvl.training.memory import keep_freed_memory

TOKENS, PATCHES, D_V, HIDDEN, LENGTH, PAIRS = 12, 64, 384, 1024, 14, 4


def seconds(call: Callable[[], None], repeats: int) -> float:
    """Median time of a call after two that do not count."""
    call(), call()
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def limit(rows: int, precision: torch.dtype, shape: BertShape, repeats: int) -> dict[str, float]:
    """GFLOP/s of one layer's linear layers, forward alone and with the backward."""
    width, hidden = shape.width, shape.hidden
    layers = [(width, 3 * width), (width, width), (width, hidden), (hidden, width)]
    weights = [torch.randn(o, i, dtype=precision, requires_grad=True) for i, o in layers]
    inputs = [torch.randn(rows, i, dtype=precision, requires_grad=True) for i, _ in layers]
    grads = [torch.randn(rows, o, dtype=precision) for _, o in layers]
    flops = sum(2 * rows * i * o for i, o in layers)

    def forward() -> None:
        with torch.no_grad():
            for x, w in zip(inputs, weights, strict=True):
                nn.functional.linear(x, w)

    def both() -> None:
        for x, w, g in zip(inputs, weights, grads, strict=True):
            nn.functional.linear(x, w).backward(g)
        for tensor in (*inputs, *weights):
            tensor.grad = None

    return {"forward": flops / seconds(forward, repeats) / 1e9, "step": 3 * flops / seconds(both, repeats) / 1e9}


def flops_of_step(batch: int, shape: BertShape) -> float:
    """Matrix-product operations of a forward pass over one step's pairs and images."""
    width, length = shape.width, LENGTH + TOKENS + 1
    dense = 2 * length * (4 * width * width + 2 * width * shape.hidden)
    attention = 2 * 2 * length * length * width
    # The last layer: keys and values for all positions, the rest for [CLS].
    last = 2 * length * 2 * width * width + 2 * (2 * width * width + 2 * width * shape.hidden) + 2 * 2 * length * width
    pair = (shape.layers - 1) * (dense + attention) + last
    heads = 6
    folded = 2 * PATCHES * D_V * TOKENS * heads * 2 + 2 * TOKENS * (heads + 2) * D_V * D_V
    image = folded + 2 * TOKENS * (2 * D_V * HIDDEN + D_V * width)
    return batch * (PAIRS * pair + image)


def main() -> None:
    """Measure the limit and the step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1, as the demo trains)")
    parser.add_argument("--precision", choices=("bf16", "fp32"), default="bf16")
    parser.add_argument("--batch", type=int, default=24, help="positive pairs a step (default: 24, the demo's)")
    parser.add_argument("--layers", type=int, default=3, help="layers of the joint encoder (default: 3, the demo's)")
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(args.threads)
    precision = torch.bfloat16 if args.precision == "bf16" else torch.float32
    shape = BertShape(layers=args.layers)
    settings = JointEncoder(
        kind="joint",
        encoder="-",
        vision={"tokens": PATCHES, "width": D_V, "pooled": D_V},
        dataset="-",
        first_stage="-",
        adapter={"tokens": TOKENS, "heads": 6, "hidden": HIDDEN, "rescale": True},
        objectives={"mlm": 0},
        optimiser={"steps": 1},
    )
    model = JointModel(settings, shape).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    patches = torch.randn(args.batch, PATCHES, D_V)
    captions = TokenBatch(torch.randint(1000, 20000, (args.batch, LENGTH)), torch.full((args.batch,), LENGTH))
    images = torch.arange(args.batch).repeat(PAIRS)
    texts = images.clone()

    def forward() -> torch.Tensor:
        with autocast(model.device, args.precision):
            return match_pairs(model, model.compress(patches), captions, images, texts, 102)

    def inference() -> None:
        with torch.inference_mode():
            forward()

    def step() -> None:
        loss = nn.functional.softplus(-forward()).mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()

    rows = CHUNK * (LENGTH + TOKENS + 1)
    bound = limit(rows, precision, shape, args.repeats)
    flops = flops_of_step(args.batch, shape)
    took = {"forward": seconds(inference, args.repeats), "step": seconds(step, args.repeats)}
    reached = {"forward": flops / took["forward"] / 1e9, "step": 3 * flops / took["step"] / 1e9}
    print(
        json.dumps(
            {
                "threads": args.threads,
                "precision": args.precision,
                "limit_gflops": {k: round(v, 1) for k, v in bound.items()},
                "reached_gflops": {k: round(v, 1) for k, v in reached.items()},
                "share": {k: round(reached[k] / bound[k], 3) for k in reached},
                "pairs_per_s": {k: round(args.batch * PAIRS / v, 1) for k, v in took.items()},
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
