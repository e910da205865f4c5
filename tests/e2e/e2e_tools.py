"""What the end-to-end tests share: working copies of the repository, and real processes in them."""

import contextlib
import io
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from PIL import Image, ImageDraw

REPOSITORY = Path(__file__).parents[2]
SMOKE = ("--configfile", "config/smoke.yaml", "photos.yaml")
"""The smoke size, and photos of a user's own: see :func:`add_photos`."""
SMALL = (*SMOKE, "small.yaml")
"""A handful of its variants: see :func:`keep_only`."""
SMALL_VARIANTS = {
    "edje": {
        "retriever": ("scenes",),
        "late_interaction": (),
        "trunk": (),
        "edje": ("scenes", "swaps"),
        "random_scores": ("swaps",),
        "photos": ("photos",),
    },
    "gating": {"bpe": (), "text_trunk": ("language",), "base": ("language", "gates"), "unigram": ("language",)},
}
"""Study → variant → its benchmarks."""
COLOURS = ("red", "green", "blue", "white", "black", "orange")
SHAPES = ("ellipse", "rectangle")


def working_copy(folder: Path) -> Path:
    """Copy what git tracks or would track, with photos; source archives that are already fetched come along as links.

    A copy that is there already is brought up to date.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY, capture_output=True, check=True, text=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        source = REPOSITORY / name
        if source.is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / name)
    for archive in (REPOSITORY / "data" / "sources").glob("*.[tw][gh][zl]"):
        if not (folder / "data" / "sources" / archive.name).exists():
            os.link(archive, folder / "data" / "sources" / archive.name)
    if not (folder / "photos").exists():
        add_photos(folder)
    return folder


def copy_of(copy: Path, folder: Path) -> Path:
    """Copy a working copy with everything made in it, times included; the archives stay links."""

    def place(source: str, target: str) -> str:
        if Path(source).parent.name == "sources" and not source.endswith((".dvc", ".gitignore")):
            os.link(source, target)
            return target
        return shutil.copy2(source, target)

    return Path(shutil.copytree(copy, folder, copy_function=place, symlinks=True))


def add_photos(copy: Path, number: int = 40) -> None:
    """Draw images with captions into ``photos/`` and write an overlay in which a variant trains on them."""
    folder = copy / "photos"
    folder.mkdir()
    rows = ["image,caption,split"]
    for i in range(number):
        rows += [
            f"{i:03d}.png,{caption},{'train' if i < 16 else 'val' if i < 26 else 'test'}"
            for caption in photo(folder, i)
        ]
    (folder / "captions.csv").write_text("\n".join(rows) + "\n")
    overlay = {
        "datasets": {"photos": {"kind": "folder", "path": "photos", "captions": "captions.csv"}},
        "tokens": {"efficientnet_lite0": ["photos"]},
        "benchmarks": {"photos": {"kind": "retrieval", "dataset": "photos", "queries_per_image": 1}},
        "studies": {
            "edje": {
                "variants": {
                    "photos": {
                        "base": "retriever",
                        "dataset": "photos",
                        "optimiser": {"steps": 200, "batch": 16, "warmup": 2},
                        "benchmarks": ["photos"],
                    }
                }
            }
        },
    }
    write_yaml(copy / "photos.yaml", overlay)


def photo(folder: Path, number: int) -> list[str]:
    """Draw one photo, different for every number, and return its captions."""
    rng = random.Random(number)
    image = Image.new("RGB", (96, 96), tuple(rng.randrange(256) for _ in range(3)))
    draw = ImageDraw.Draw(image)
    words = []
    for _ in range(2):
        colour, shape, x, y = rng.choice(COLOURS), rng.choice(SHAPES), rng.randrange(56), rng.randrange(56)
        getattr(draw, shape)((x, y, x + 36, y + 36), fill=colour)
        words.append(f"a {colour} {shape}")
    image.save(folder / f"{number:03d}.png")
    return [f"{words[0]} and {words[1]}", f"{words[1]} with {words[0]} number {number}"]


def keep_only(copy: Path, variants: Mapping[str, Mapping[str, tuple[str, ...]]] = SMALL_VARIANTS) -> Path:
    """Write the overlay ``small.yaml``, which switches off all variants but those given, and all their other benchmarks."""
    sections: dict[str, Any] = {}
    for name in ("config.yaml", "photos.yaml"):
        for study, section in yaml.safe_load((copy / name).read_text())["studies"].items():
            kept = variants.get(study, {})
            if "pool" in section:
                sections[study] = {"pool": dict.fromkeys(section["pool"])}
            for variant in section.get("variants", ()):
                setting = {"benchmarks": list(kept[variant])} if variant in kept else None
                sections.setdefault(study, {"variants": {}})["variants"][variant] = setting
    write_yaml(copy / "small.yaml", {"studies": sections})
    return copy / "small.yaml"


def write_yaml(path: Path, value: Any) -> None:
    """Write a YAML file."""
    path.write_text(yaml.safe_dump(value, sort_keys=False))


def environment(copy: Path, **more: str) -> dict[str, str]:
    """Return the environment of a process that is to use the copy's package."""
    return {**os.environ, "PYTHONPATH": str(copy / "workflow"), "OMP_NUM_THREADS": "1", **more}


def python(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m ARGUMENTS`` in the copy, with the copy's package."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=copy, env=environment(copy), capture_output=True, text=True, check=False,
    )  # fmt: skip


def run(copy: Path, *arguments: str) -> str:
    """Run ``python -m ARGUMENTS`` in the copy, which must succeed; return its output."""
    done = python(copy, *arguments)
    assert done.returncode == 0, f"{' '.join(arguments)}\n{done.stdout[-4000:]}\n{done.stderr[-12000:]}"
    return done.stdout + done.stderr


def snakemake(copy: Path, *arguments: str) -> str:
    """Run Snakemake with two cores in the copy, which must succeed; return its output."""
    return run(copy, "snakemake", "--cores", "2", *arguments)


def planned(output: str) -> dict[str, int]:
    """Return rule → number of jobs from a dry run's first table; empty when there is nothing to be done."""
    if "Job stats:" not in output:
        assert "Nothing to be done" in output, output[-3000:]
        return {}
    lines = output.split("Job stats:")[1].splitlines()[3:]
    rows = [line.split() for line in lines[: lines.index("")]]
    return {name: int(count) for name, count in rows if name != "total"}


def planned_outputs(output: str) -> dict[str, list[str]]:
    """Return rule → first output of each of its jobs, from a dry run."""
    found: dict[str, list[str]] = {}
    rule = ""
    for line in output.splitlines():
        if line.startswith(("rule ", "localrule ")):
            rule = line.split()[1].rstrip(":")
        elif line.startswith("    output: "):
            found.setdefault(rule, []).append(line.split()[1].rstrip(","))
    return found


@contextlib.contextmanager
def changed(path: Path, content: bytes | None) -> Iterator[None]:
    """Give a file another content (``None``: remove it) for as long as the context lasts; then put it back with its time."""
    before = path.read_bytes() if path.exists() else None
    time = path.stat().st_mtime_ns if path.exists() else 0
    try:
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        yield
    finally:
        path.unlink(missing_ok=True)
        if before is not None:
            path.write_bytes(before)
            os.utime(path, ns=(time, time))


def flipped(data: bytes, place: int) -> bytes:
    """Return ``data`` with one bit of the byte at ``place`` turned over; negative places count from the end."""
    buffer = io.BytesIO(data).getbuffer()
    buffer[place] ^= 1
    return bytes(buffer)
