"""What ``compactvl tokens info|bench`` shows about a token store."""

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compactvl.vision.shards import shard_name
from compactvl.vision.store import TokenStore


def info(folder: str | Path) -> str:
    """Return a store's facts as a text table, one line a fact.

    Raises:
        UserError: no finished store there, or it is damaged.
    """
    with TokenStore.open(folder) as store:
        manifest, total = store.manifest, sum(store.manifest["bytes"].values())
        parts = ", ".join(f"{name} {size / 1e6:,.1f}" for name, size in manifest["bytes"].items() if size)
        encoder = manifest["encoder"]
        length, width = store.shape
        rows = {
            "store": str(folder),
            "data set": manifest["dataset"].get("name", "-"),
            "images": f"{len(store):,} in {len(manifest['shards'])} shards",
            "tokens": f"{length} x {width} an image, {store.storage}",
            "pooled": f"{store.pooled_dim} numbers, float32",
            "bytes an image": f"{store.nbytes_payload / len(store):,.0f} (with all else {total / len(store):,.0f})",
            "on disk": f"{total / 1e6:,.1f} MB ({parts})",
            "encoder": f"{encoder.get('name', '-')}: {encoder.get('model', '-')} by {encoder.get('loader', '-')}",
            "weights": encoder.get("weights_sha256", "-"),
            "precision": encoder.get("precision", "-"),
            "preprocessing": ", ".join(f"{key} {value}" for key, value in encoder.get("preprocessing", {}).items()),
        }
        if encoder.get("remark"):
            rows["remark"] = encoder["remark"]
    wide = max(map(len, rows))
    return "\n".join(f"{key.ljust(wide)}  {value}" for key, value in rows.items())


@dataclass(frozen=True)
class Rate:
    """One way of reading, measured: MB/s of bytes on disk and images/s."""

    way: str
    megabytes_per_second: float
    images_per_second: float


def bench(
    folder: str | Path, *, block: int = 256, batch: int = 64, seconds: float = 3.0, seed: int = 0, cold: bool = False
) -> list[Rate]:
    """Measure reading: the plain files, the store's contiguous blocks, and random access both ways.

    Each way is run once to warm up and then until ``seconds`` have passed; the median pass counts.

    Args:
        folder: the store.
        block: images a contiguous block.
        batch: images a random read.
        seconds: time for each way.
        seed: of the random order.
        cold: drop the store's pages from the page cache before each pass, so that every pass reads the disk.

    Raises:
        UserError: no finished store there, or it is damaged.
    """
    with TokenStore.open(folder, memory_map=False) as direct, TokenStore.open(folder, memory_map=True) as mapped:
        shards = [shard_name(int(number)) for number in direct.manifest["shards"]]
        paths = [Path(folder) / f"{shard}{kind}.npy" for shard in shards for kind in _kinds(direct)]
        per_image = direct.nbytes_payload / len(direct)
        order = np.random.default_rng(seed).permutation(len(direct))[: max(batch, 4096)]
        requests = [[direct.ids[i] for i in order[k : k + batch]] for k in range(0, len(order), batch)]

        def plain() -> int:
            # Blocks of the store's own size into one buffer that is used again.
            buffer = bytearray(max(1, int(per_image * block)))
            for path in paths:
                with path.open("rb", buffering=0) as file:
                    while file.readinto(buffer):
                        pass
            return len(direct)

        def sequential() -> int:
            return sum(len(ids) for ids, _ in direct.blocks(block))

        def before() -> None:
            if cold:
                mapped.close()  # the kernel keeps pages that are mapped
                drop_page_cache(folder)

        def scattered(store: TokenStore) -> int:
            return sum(len(store.read(ids)) for ids in requests)

        ways: dict[str, Callable[[], int]] = {
            "plain sequential": plain,
            "store sequential": sequential,
            "store random, pread": lambda: scattered(direct),
            "store random, memory map": lambda: scattered(mapped),
        }
        return [_measure(way, run, before, per_image, seconds) for way, run in ways.items()]


def bench_table(rates: list[Rate]) -> str:
    """Return measured rates as a text table."""
    lines = [f"{'':<26}{'MB/s':>10}{'images/s':>12}"]
    lines += [f"{rate.way:<26}{rate.megabytes_per_second:>10,.0f}{rate.images_per_second:>12,.0f}" for rate in rates]
    return "\n".join(lines)


def drop_page_cache(folder: str | Path) -> None:
    """Ask the kernel to forget a store's cached pages, so that the next read comes from the disk."""
    for path in Path(folder).glob("shard-*.npy"):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(handle)


def _measure(way: str, run: Callable[[], int], before: Callable[[], None], per_image: float, seconds: float) -> Rate:
    before()
    run()
    passes, end = [], time.perf_counter() + seconds
    while True:
        before()
        start = time.perf_counter()
        images = run()
        now = time.perf_counter()
        passes.append(images / (now - start))
        if now >= end:
            rate = statistics.median(passes)
            return Rate(way, rate * per_image / 1e6, rate)


def _kinds(store: TokenStore) -> tuple[str, ...]:
    return ("",) if store.storage == "fp16" else ("", ".scales")
