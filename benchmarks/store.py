"""Reading a token store against a plain read of the same bytes.

    python benchmarks/store.py cache/tokens/dinov2_s/scenes
    python benchmarks/store.py --make 4000 --storage fp16 --cold

Sequential reading is compared with reading the shard files into one buffer; targets: 0.8 for fp16. Without ``--cold``
everything comes from the page cache, which is the harder comparison. Prints JSON.
"""

import argparse
import json
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np

from compactvl.records.record import Made
from compactvl.vision.codec import PAYLOAD_DTYPES
from compactvl.vision.inspect import bench
from compactvl.vision.store import TokenWriter


def make_store(folder: Path, count: int, shape: tuple[int, int], storage: str) -> None:
    """Write a store of random tokens."""
    random = np.random.default_rng(0)
    facts = {"name": "random"}
    with TokenWriter(folder, shape=shape, pooled_dim=shape[1], storage=storage, encoder_facts=facts) as writer:
        for start in range(0, count, 64):
            ids = [f"image-{k}" for k in range(start, min(start + 64, count))]
            tokens = random.normal(0, 1, (len(ids), *shape)).astype(np.float32)
            writer.append(ids, tokens, tokens[:, 0], ["0" * 64] * len(ids))
    writer.finish(Made("encode", ""))


def measure(folder: Path, options: argparse.Namespace) -> dict:
    """Return the rates of every way of reading, and the share of the plain rate each reaches."""
    rates = bench(folder, block=options.block, batch=options.batch, seconds=options.seconds, cold=options.cold)
    plain = rates[0].megabytes_per_second
    rows = [asdict(rate) | {"over_plain": round(rate.megabytes_per_second / plain, 3)} for rate in rates]
    for row in rows:
        row |= {key: round(row[key], 1) for key in ("megabytes_per_second", "images_per_second")}
    return {"benchmark": "store", "cold": options.cold, "block": options.block, "batch": options.batch, "rows": rows}


def main() -> None:
    """Parse the options, measure, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("store", type=Path, nargs="?", help="a token store; without it one is made and thrown away")
    parser.add_argument("--make", type=int, default=4000, metavar="N", help="images of the store that is made")
    parser.add_argument("--shape", type=int, nargs=2, default=[64, 384], metavar=("T", "D"))
    parser.add_argument("--storage", default="fp16", choices=sorted(PAYLOAD_DTYPES))
    parser.add_argument("--block", type=int, default=256, help="images a contiguous block")
    parser.add_argument("--batch", type=int, default=64, help="images a random read")
    parser.add_argument("--seconds", type=float, default=3.0, help="time for each way of reading")
    parser.add_argument("--cold", action="store_true", help="drop the store from the page cache before each pass")
    options = parser.parse_args()
    if options.store is not None:
        print(json.dumps(measure(options.store, options), indent=2))
        return
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        make_store(Path(folder), options.make, tuple(options.shape), options.storage)
        print(json.dumps(measure(Path(folder), options), indent=2))


if __name__ == "__main__":
    main()
