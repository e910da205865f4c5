"""Reading a token store against a plain read of the same bytes.

    python benchmarks/store.py cache/tokens/dinov2_s/scenes
    python benchmarks/store.py --make 4000 --storage fp16 --cold

Sequential reading is compared with reading the shard files into one buffer; targets: 0.8 for fp16. Without ``--cold``
everything comes from the page cache, which is the harder comparison. Prints JSON.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from compactvl.records.record import Made
from compactvl.vision.codec import PAYLOAD_DTYPES
from compactvl.vision.store import TokenStore, TokenWriter


def make_store(folder: Path, count: int, shape: tuple[int, int], storage: str) -> None:
    """Write a store of random tokens."""
    random = np.random.default_rng(0)
    images = {f"image-{k}": "0" * 64 for k in range(count)}
    settings = {"shape": shape, "pooled_dim": shape[1], "storage": storage, "images": images, "batch": 64}
    with TokenWriter(folder, encoder_facts={"name": "random"}, **settings) as writer:
        for start in range(0, count, 64):
            ids = writer.missing[start : start + 64]
            tokens = random.normal(0, 1, (len(ids), *shape)).astype(np.float32)
            writer.append(ids, tokens, tokens[:, 0])
    writer.finish(Made("encode", ""))


def measure(folder: Path, options: argparse.Namespace) -> dict:
    """Return the rates of every way of reading, and the share of the plain rate each reaches.

    Each way is run once to warm up and then until ``--seconds`` have passed; the median pass counts.
    """
    with TokenStore.open(folder, memory_map=False) as direct, TokenStore.open(folder, memory_map=True) as mapped:
        paths = [path for path in sorted(folder.glob("shard-*.npy")) if ".pooled" not in path.name]
        per_image = direct.nbytes_payload / len(direct)
        order = np.random.default_rng(0).permutation(len(direct))[: max(options.batch, 4096)]
        requests = [[direct.ids[i] for i in order[k : k + options.batch]] for k in range(0, len(order), options.batch)]

        def plain() -> int:
            # Blocks of the store's own size into one buffer that is used again.
            buffer = bytearray(max(1, int(per_image * options.block)))
            for path in paths:
                with path.open("rb", buffering=0) as file:
                    while file.readinto(buffer):
                        pass
            return len(direct)

        def before() -> None:
            if options.cold:
                mapped.close()  # the kernel keeps pages that are mapped
                drop_page_cache(folder)

        def scattered(store: TokenStore) -> int:
            return sum(len(store.read(ids)) for ids in requests)

        ways: dict[str, Callable[[], int]] = {
            "plain sequential": plain,
            "store sequential": lambda: sum(len(ids) for ids, _ in direct.blocks(options.block)),
            "store random, pread": lambda: scattered(direct),
            "store random, memory map": lambda: scattered(mapped),
        }
        rates = {way: images_per_second(run, before, options.seconds) for way, run in ways.items()}
    rows = [
        {
            "way": way,
            "megabytes_per_second": round(rate * per_image / 1e6, 1),
            "images_per_second": round(rate, 1),
            "over_plain": round(rate / rates["plain sequential"], 3),
        }
        for way, rate in rates.items()
    ]
    return {"benchmark": "store", "cold": options.cold, "block": options.block, "batch": options.batch, "rows": rows}


def drop_page_cache(folder: Path) -> None:
    """Ask the kernel to forget a store's cached pages, so that the next read comes from the disk."""
    for path in folder.glob("shard-*.npy"):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def images_per_second(run: Callable[[], int], before: Callable[[], None], seconds: float) -> float:
    """Return the median rate of the passes made in ``seconds``, after one to warm up."""
    before()
    run()
    passes, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or not passes:
        before()
        start = time.perf_counter()
        passes.append(run() / (time.perf_counter() - start))
    return statistics.median(passes)


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
