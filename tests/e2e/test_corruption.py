"""One byte, row or image changed behind the pipeline's back: the next reader refuses it, `verify` names it, and no more.

Each case damages a file of the finished benchmark and runs a real command that reads it: exit code 2 and the file's name,
nothing written. The file is then put back, and everything is as recorded again.
"""

import io
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from e2e_tools import SMOKE, changed, copy_of, flipped, python, run, snakemake
from safetensors.numpy import load as load_tensors

from compactvl.cli.main import main
from compactvl.files import sha256_file
from compactvl.training.checkpoint import save_resume

pytestmark = pytest.mark.e2e
SETS, TOKENS, TEXTS = Path("data/sets/photos"), Path("cache/tokens/dinov2_s/photos"), Path("cache/texts/minilm/photos")
WEIGHTS, RUNS, RESULTS = Path("cache/weights"), Path("runs"), Path("results")
SHARD = TOKENS / "shard-00000.npy"


# What happens to a file: its bytes before → its bytes after.


def a_byte(data: bytes) -> bytes:
    """Turn a bit of a byte drawn from the file's inner half."""
    return flipped(data, random.Random(0).randrange(len(data) // 4, 3 * len(data) // 4))


def in_a_tensor(data: bytes) -> bytes:
    """Turn a bit of a number: the file stays a whole safetensors file."""
    damaged = flipped(data, -1)
    assert load_tensors(damaged).keys() == load_tensors(data).keys()
    return damaged


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def gone(data: bytes) -> None:
    return None


def edited(old: str, new: str) -> Callable[[bytes], bytes]:
    """Replace the first occurrence of a text."""

    def edit(data: bytes) -> bytes:
        assert old.encode() in data
        return data.replace(old.encode(), new.encode(), 1)

    return edit


def parquet(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[bytes], bytes]:
    """Change a table and write it with its schema: still a whole Parquet file."""

    def rewrite(data: bytes) -> bytes:
        table = pq.read_table(io.BytesIO(data))
        target = io.BytesIO()
        frame = change(table.to_pandas()).reset_index(drop=True)
        pq.write_table(pa.Table.from_pandas(frame, schema=table.schema, preserve_index=False), target)
        return target.getvalue()

    return rewrite


def without_a_row(table: pd.DataFrame) -> pd.DataFrame:
    return table.drop(index=3)


def exchanged(column: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Exchange the first and the last row's values of one column."""

    def exchange(table: pd.DataFrame) -> pd.DataFrame:
        values = table[column].tolist()
        values[0], values[-1] = values[-1], values[0]
        assert values != table[column].tolist()
        return table.assign(**{column: values})

    return exchange


# Commands that read them.


def settings(section: str, name: str) -> list[str]:
    return ["--settings", f"state/settings/{section}/{name}.json"]


def job(study: str, variant: str) -> list[str]:
    peers = [str(path) for path in sorted(Path("state/settings", study).glob("*.json"))]
    return [*settings(study, variant), "--peers", *peers, "--study", study, "--variant", variant, "--seed", "0"]


def train(study: str, variant: str) -> list[str]:
    return ["train", *job(study, variant)]


def evaluate(study: str, variant: str, benchmark: str) -> list[str]:
    return ["evaluate", *job(study, variant), "--benchmark", f"state/settings/benchmarks/{benchmark}.json"]


def encode() -> list[str]:
    weights = str(WEIGHTS / "dinov2_s.safetensors")
    return ["encode", *settings("encoders", "dinov2_s"), "--dataset", str(SETS), "--weights", weights]


def embed() -> list[str]:
    weights = str(WEIGHTS / "minilm.safetensors")
    return ["embed", *settings("text_encoders", "minilm"), "--dataset", str(SETS), "--weights", weights]


def rerank() -> list[str]:
    return ["rerank", "--run", "runs/edje/edje/seed0", "--tokens", str(TOKENS), "--query", "a red ellipse"]


def collect() -> list[str]:
    return ["collect", "--study", "edje", "--only", "state/settings/results/edje.json"]


def index() -> list[str]:
    return ["index"]


def photos() -> list[str]:
    return train("edje", "photos")


def joint() -> list[str]:
    return train("edje", "edje")


def gating() -> list[str]:
    return train("gating", "base")


def on_photos() -> list[str]:
    return evaluate("edje", "photos", "photos")


EDJE, PHOTOS, BPE = (RUNS / name / "seed0" for name in ("edje/edje", "edje/photos", "gating/bpe"))
RESULT = RESULTS / "edje" / "photos" / "seed0" / "photos.json"
CASES = {
    "a byte of the items": (SETS / "items.parquet", a_byte, embed),
    "an item missing": (SETS / "items.parquet", parquet(without_a_row), photos),
    "a byte of an image": (SETS / "images-00000.parquet", a_byte, encode),
    "two images exchanged": (SETS / "images-00000.parquet", parquet(exchanged("image")), encode),
    "two splits exchanged": (SETS / "images-00000.parquet", parquet(exchanged("split")), photos),
    "images cut short": (SETS / "images-00000.parquet", cut, encode),
    "a data set's manifest edited": (SETS / "manifest.json", edited('"train": ', '"train": 9'), embed),
    "a data set's manifest cut short": (SETS / "manifest.json", cut, embed),
    "a byte of a token shard": (SHARD, a_byte, rerank),
    "a byte of a shard the joint encoder trains on": (
        Path("cache/tokens/dinov2_s/scenes/shard-00000.npy"),
        a_byte,
        joint,
    ),
    "a shard cut short": (SHARD, cut, rerank),
    "a shard missing": (SHARD, gone, rerank),
    "a row of the index missing": (TOKENS / "index.parquet", parquet(without_a_row), rerank),
    "two rows of the index exchanged": (TOKENS / "index.parquet", parquet(exchanged("image_id")), rerank),
    "a byte of the pooled vectors": (TOKENS / "pooled.npy", a_byte, photos),
    "a store's manifest edited": (TOKENS / "manifest.json", edited('"storage": "fp16"', '"storage": "int8"'), rerank),
    "a byte of the caption vectors": (TEXTS / "vectors.npy", a_byte, photos),
    "two captions exchanged": (TEXTS / "texts.parquet", parquet(exchanged("text")), photos),
    "a byte of a vision encoder": (WEIGHTS / "dinov2_s.safetensors", in_a_tensor, encode),
    "a byte of a text encoder": (WEIGHTS / "minilm.safetensors", in_a_tensor, embed),
    "a word of the text encoder's tokenizer": (WEIGHTS / "minilm.tokenizer.json", edited('"the"', '"thy"'), embed),
    "the record of weights edited": (WEIGHTS / "minilm.json", edited('"stage"', '"stake"'), embed),
    "a byte of a checkpoint": (PHOTOS / "model.safetensors", in_a_tensor, on_photos),
    "a checkpoint cut short": (PHOTOS / "model.safetensors", cut, on_photos),
    "a checkpoint missing": (PHOTOS / "model.safetensors", gone, on_photos),
    "a byte of a checkpoint that another builds on": (
        RUNS / "gating/text_trunk/seed0/model.safetensors",
        in_a_tensor,
        gating,
    ),
    "a run's manifest edited": (EDJE / "manifest.json", edited('"seen": ', '"seen": 1'), rerank),
    "a run's settings edited": (EDJE / "settings.json", edited('"bf16"', '"fp32"'), rerank),
    "a word of a run's tokenizer": (EDJE / "tokenizer.json", edited('"the"', '"thy"'), rerank),
    "a byte of the study's tokenizer": (BPE / "tokenizer.json", a_byte, gating),
    "a metric edited": (RESULT, edited('"value": 0.', '"value": 0.9'), collect),
    "a result cut short": (RESULT, cut, collect),
    "the table of metrics edited": (RESULTS / "metrics.csv", edited("0.", "0.9"), index),
    "a settings file cut short": (Path("state/settings/edje/photos.json"), cut, photos),
}
UNRECORDED = ("state",)


@pytest.fixture
def here(finished, monkeypatch):
    """The finished benchmark as the working folder."""
    monkeypatch.chdir(finished)
    return finished


@pytest.mark.parametrize("case", CASES)
def test_the_next_reader_refuses(case, here, tmp_path, capsys):
    path, damage, command = CASES[case]
    arguments, out = command(), tmp_path / "out"
    if arguments[0] in ("train", "evaluate", "encode", "embed", "index"):
        arguments += ["--out", str(out / "index.html" if arguments[0] == "index" else out)]
    with changed(path, damage(path.read_bytes())):
        assert main(arguments) == 2
        shown = capsys.readouterr()
        errors = [line for line in shown.err.splitlines() if line.startswith("error: ")]
        assert len(errors) == 1, shown.err
        assert str(path) in errors[0]
        assert any(word in errors[0] for word in ("snakemake", "run the stage")), errors[0]
        assert "Traceback" not in shown.err
        assert [found for found in tmp_path.rglob("*") if found.is_file()] == []
        if path.parts[0] not in UNRECORDED:
            assert main(["verify", str(path.parent)]) == 1
            assert str(path) in capsys.readouterr().out
    if path.parts[0] not in UNRECORDED:
        assert main(["verify", str(path.parent)]) == 0


def test_verify_names_every_bad_file_and_no_other(here, capsys):
    """One damaged file of every kind at a time would take a hash of the whole tree each: all at once."""
    import contextlib

    rng = random.Random(1)
    bad = [SETS / "items.parquet", SHARD, TEXTS / "vectors.npy", WEIGHTS / "minilm.tokenizer.json", RESULT]
    bad += [PHOTOS / "log.jsonl", PHOTOS / "provenance.json", RESULTS / "summary.csv", RESULTS / "metrics.json"]
    bad += [RESULT.with_suffix(".parquet"), RESULTS / "reports" / "edje.html", RESULTS / "edje" / "parameters.csv"]
    bad += [rng.choice(sorted((RESULTS / "figures" / "gating").glob("*.png")))]
    with contextlib.ExitStack() as damaged:
        for path in bad:
            data = path.read_bytes()
            damaged.enter_context(changed(path, flipped(data, data.index(b"0") if path.suffix == ".json" else -9)))
        assert main(["verify"]) == 1
        lines = capsys.readouterr().out.splitlines()[:-2]
    assert {line.split(":")[0] for line in lines if "stale" not in line} == {str(path) for path in bad}
    assert main(["verify"]) == 0


def test_predictions_that_were_changed_are_not_reported(here):
    from compactvl.errors import UserError
    from compactvl.evaluation.results import read_predictions

    path = RESULT.with_suffix(".parquet")
    column = next(name for name, kind in pd.read_parquet(path).dtypes.items() if kind.kind == "f")
    change = parquet(lambda table: table.assign(**{column: np.roll(table[column], 1)}))
    with changed(path, change(path.read_bytes())), pytest.raises(UserError, match=str(path)):
        read_predictions(path.parent, path.stem)


@pytest.mark.parametrize("damage", ["cut", "flipped", "another's"])
def test_damaged_resume_state_begins_training_anew(damage, here, tmp_path, capsys):
    """What is in it is never used: the run equals the one that was made without."""
    import torch

    state = Path("state/resume/edje/photos/seed0/resume.pt")
    save_resume(state, {"digest": "another", "step": 3, "model": torch.zeros(1000)})
    data = state.read_bytes()
    state.write_bytes({"cut": cut(data), "flipped": a_byte(data), "another's": data}[damage])
    assert main([*photos(), "--out", str(tmp_path)]) == 0
    assert "not used: training begins anew" in capsys.readouterr().err
    assert (tmp_path / "model.safetensors").read_bytes() == (PHOTOS / "model.safetensors").read_bytes()
    assert not state.exists()


@pytest.mark.slow
def test_a_settings_file_is_written_again_by_the_next_snakemake(here):
    path = Path("state/settings/edje/photos.json")
    before = path.read_bytes()
    with changed(path, b"\xff" + before[1:]):
        assert "Nothing to be done" in run(here, "snakemake", "-n", *SMOKE)
        assert path.read_bytes() == before


@pytest.mark.slow
def test_the_remedy_that_is_named_works(finished, tmp_path):
    """Just the damaged shard is made again, with the same bytes, and then there is nothing to be done."""
    copy = copy_of(finished, tmp_path / "copy")
    shard, manifest = copy / SHARD, copy / TOKENS / "manifest.json"
    before, same = sha256_file(shard), manifest.read_bytes()
    shard.write_bytes(a_byte(shard.read_bytes()))
    refused = python(copy, "compactvl.cli", *rerank())
    assert refused.returncode == 2
    remedy = refused.stderr.strip().split("; ")[-1]
    assert remedy == f"delete {TOKENS / 'manifest.json'} and run: snakemake {TOKENS / 'manifest.json'}"
    manifest.unlink()
    snakemake(copy, str(TOKENS / "manifest.json"), *SMOKE)
    assert "shard-00000.npy is missing or damaged" in (copy / "logs/encode/dinov2_s/photos.log").read_text()
    assert sha256_file(shard) == before
    assert manifest.read_bytes() == same
    assert "Nothing to be done" in run(copy, "snakemake", "-n", *SMOKE)
    assert "every file is as recorded" in run(copy, "compactvl.cli", "verify")
