"""Loaders of timm, transformers and open_clip models, on tiny models with random weights saved to disk."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import transformers
from pydantic import TypeAdapter
from safetensors.torch import load_file, save_file

from compactvl.config.encoders import EncoderSettings, OpenClipEncoder, TimmEncoder, TransformersEncoder
from compactvl.errors import UserError
from compactvl.files import sha256_file
from compactvl.vision.registry import load_encoder
from compactvl.vision.transformers_models import preprocessing_choices
from compactvl.vision.weights import state_digest

VISION = {"hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
VISION |= {"image_size": 32, "patch_size": 8}
TEXT = {"hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 50}


def processor(**changes) -> dict:
    base = {"image_mean": [0.5] * 3, "image_std": [0.25] * 3, "resample": 3, "size": {"height": 32, "width": 32}}
    return base | changes


@pytest.fixture(params=["siglip", "clip", "dinov2"])
def saved(request, tmp_path) -> tuple[str, Path, transformers.PreTrainedModel]:
    torch.manual_seed(0)
    size = {"size": {"shortest_edge": 36}, "do_center_crop": True, "crop_size": {"height": 32, "width": 32}}
    if request.param == "siglip":
        config = transformers.SiglipConfig(text_config=TEXT, vision_config=VISION)
        model, settings = transformers.SiglipModel(config), processor()
    elif request.param == "clip":
        config = transformers.CLIPConfig(text_config=TEXT, vision_config=VISION, projection_dim=10)
        model, settings = transformers.CLIPModel(config), processor(**size)
    else:
        config = {key: value for key, value in VISION.items() if key != "intermediate_size"}
        model, settings = transformers.Dinov2Model(transformers.Dinov2Config(**config)), processor(**size)
    model.eval().save_pretrained(tmp_path / "model")
    (tmp_path / "model/preprocessor_config.json").write_text(json.dumps(settings))
    return request.param, tmp_path / "model", model


def test_transformers_towers(saved) -> None:
    kind, folder, model = saved
    encoder = load_encoder(TransformersEncoder(loader="transformers", model=str(folder)), device="cpu")
    assert encoder.tokens_shape == (16, 24)
    pixels = np.random.default_rng(0).integers(0, 255, (3, 3, 32, 32)).astype(np.uint8)
    tokens, pooled = encoder(pixels)
    inputs = (torch.from_numpy(pixels).float() / 255 - 0.5) / 0.25
    with torch.inference_mode():
        if kind == "dinov2":
            output = model(pixel_values=inputs)
            expected, whole = output.last_hidden_state[:, 1:], output.pooler_output
        elif kind == "clip":
            output = model.vision_model(pixel_values=inputs)
            expected, whole = output.last_hidden_state[:, 1:], model.visual_projection(output.pooler_output)
        else:
            output = model.vision_model(pixel_values=inputs)
            expected, whole = output.last_hidden_state, output.pooler_output
    torch.testing.assert_close(tokens, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(pooled, whole, rtol=1e-4, atol=1e-5)
    choices = encoder.facts["preprocessing"]
    assert (choices["resize"], choices["image_size"]) == ("squash" if kind == "siglip" else "crop", 32)
    assert choices["crop_fraction"] == pytest.approx(1 if kind == "siglip" else 32 / 36)


def test_transformers_bf16_and_pin(saved) -> None:
    _, folder, _ = saved
    settings = TransformersEncoder(loader="transformers", model=str(folder), precision="bf16")
    encoder = load_encoder(settings, device="cpu")
    digest = encoder.facts["weights_sha256"]
    assert digest == state_digest(encoder.model.state_dict())
    assert load_encoder(settings.model_copy(update={"sha256": digest}), device="cpu").facts == encoder.facts
    with pytest.raises(UserError, match="the settings pin"):
        load_encoder(settings.model_copy(update={"sha256": "0" * 64}), device="cpu")
    with pytest.raises(UserError, match="takes images of 32 pixels, not 64"):
        load_encoder(settings.model_copy(update={"image_size": 64}), device="cpu")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"do_normalize": False}, "do_normalize False"),
        ({"do_rescale": False}, "do_rescale False"),
        ({"do_resize": False}, "do_resize False"),
        ({"rescale_factor": 1 / 127.5}, "rescale_factor 0.00784"),
        ({"resample": 4}, "resample 4"),
        ({"size": {"height": 32, "width": 48}}, "'width': 48"),
        ({"size": None}, "size None"),
        ({"size": {"longest_edge": 32}}, "longest_edge"),
        (
            {"size": {"shortest_edge": 36}, "do_center_crop": True, "crop_size": {"height": 32, "width": 24}},
            "'width': 24",
        ),
        ({"size": {"shortest_edge": 30}, "do_center_crop": True, "crop_size": 32}, "'shortest_edge': 30"),
        ({"image_std": None, "image_mean": None}, "no image_mean"),
    ],
)
def test_a_processor_that_cannot_be_followed_is_refused(changes: dict, said: str) -> None:
    given = {key: value for key, value in processor(**changes).items() if key != "image_mean" or value}
    with pytest.raises(UserError, match=rf"the/model: its preprocessor_config\.json .*{said}"):
        preprocessing_choices(given, "the/model")


@pytest.mark.parametrize("change", ["missing", "unexpected", "shape"])
def test_transformers_is_strict(change: str, saved) -> None:
    kind, folder, _ = saved
    state = load_file(folder / "model.safetensors")
    ending = "layernorm.weight" if kind == "dinov2" else "post_layernorm.weight"
    name = next(key for key in state if key.endswith(ending))
    if change == "missing":
        del state[name]
    elif change == "unexpected":
        state["vision_model.stranger" if kind != "dinov2" else "stranger"] = torch.zeros(2)
    else:
        state[name] = torch.zeros(3)
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError) as caught:
        load_encoder(TransformersEncoder(loader="transformers", model=str(folder)), device="cpu")
    assert "\n" not in str(caught.value)


def test_transformers_without_the_model(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    settings = TransformersEncoder(loader="transformers", model=str(tmp_path / "absent/model"))
    with pytest.raises(UserError, match="hf download") as caught:
        load_encoder(settings, device="cpu")
    assert "\n" not in str(caught.value)
    transformers.BertConfig().save_pretrained(tmp_path / "bert")
    with pytest.raises(UserError, match="'bert' model; supported: clip"):
        load_encoder(settings.model_copy(update={"model": str(tmp_path / "bert")}), device="cpu")


def test_timm_tokens_and_strictness(small_encoder, tmp_path) -> None:
    encoder = load_encoder(small_encoder, device="cpu")
    assert encoder.facts["weights_sha256"] == sha256_file(small_encoder.checkpoint)
    assert encoder.facts["preprocessing"]["image_size"] == 64
    model = encoder.model.model
    assert encoder.tokens_shape == (model.patch_embed.num_patches, model.num_features)
    for message, update in {
        "the settings pin": {"sha256": "0" * 64},
        "is missing; copy": {"checkpoint": str(tmp_path / "absent.safetensors")},
        "timm has no model": {"model": "no_such_model"},
        "weights do not fit": {"model": "resnet18"},
        "cannot take images": {"image_size": 65},
    }.items():
        with pytest.raises(UserError, match=message) as caught:
            load_encoder(small_encoder.model_copy(update=update), device="cpu")
        assert "\n" not in str(caught.value)
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(Path(small_encoder.checkpoint).read_bytes()[:500])
    with pytest.raises(UserError, match="no readable checkpoint"):
        load_encoder(small_encoder.model_copy(update={"checkpoint": str(damaged)}), device="cpu")


def test_timm_convolutional_and_torch_checkpoint(tmp_path) -> None:
    model = timm.create_model("test_efficientnet").eval()
    torch.save({"state_dict": model.state_dict()}, tmp_path / "model.pth")
    checkpoint = str(tmp_path / "model.pth")
    settings = TimmEncoder(loader="timm", model="test_efficientnet", checkpoint=checkpoint, image_size=64)
    encoder = load_encoder(settings, device="cpu")
    pixels = np.random.default_rng(0).integers(0, 255, (2, 3, 64, 64)).astype(np.uint8)
    tokens, pooled = encoder(pixels)
    mean, std = (torch.tensor(encoder.facts["preprocessing"][key]).view(3, 1, 1) for key in ("mean", "std"))
    with torch.inference_mode():
        features = model.forward_features((torch.from_numpy(pixels) / 255 - mean) / std)
    torch.testing.assert_close(tokens, features.flatten(2).transpose(1, 2), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(pooled, features.mean((2, 3)), rtol=1e-4, atol=1e-5)


def test_timm_resamples_positions(small_encoder) -> None:
    from timm.layers import resample_abs_pos_embed

    own = load_file(small_encoder.checkpoint)["pos_embed"]
    model = load_encoder(small_encoder, device="cpu").model.model
    prefix = 0 if model.no_embed_class else model.num_prefix_tokens
    expected = resample_abs_pos_embed(own, model.patch_embed.grid_size, num_prefix_tokens=prefix)
    assert own.shape != expected.shape
    torch.testing.assert_close(model.pos_embed.detach(), expected)


@pytest.mark.skipif(importlib.util.find_spec("open_clip") is not None, reason="open_clip is installed")
def test_open_clip_not_installed() -> None:
    with pytest.raises(UserError, match=r"pip install compactvl\[open_clip\]"):
        load_encoder(OpenClipEncoder(loader="open_clip", model="ViT-B-16", checkpoint="x"), device="cpu")


@pytest.mark.skipif(importlib.util.find_spec("open_clip") is None, reason="open_clip is an optional extra")
def test_open_clip(tmp_path) -> None:
    import open_clip

    model = open_clip.create_model("ViT-S-16").eval()
    torch.save(model.state_dict(), tmp_path / "model.pt")
    settings = OpenClipEncoder(loader="open_clip", model="ViT-S-16", checkpoint=str(tmp_path / "model.pt"))
    with pytest.raises(UserError, match="does not say which activation ViT-S-16 was trained with"):
        load_encoder(settings, device="cpu")
    quick = load_encoder(settings.model_copy(update={"quick_gelu": True}), device="cpu")
    assert type(quick.model.visual.transformer.resblocks[0].mlp.gelu).__name__ == "QuickGELU"
    encoder = load_encoder(settings.model_copy(update={"quick_gelu": False}), device="cpu")
    pixels = np.random.default_rng(0).integers(0, 255, (1, 3, 224, 224)).astype(np.uint8)
    tokens, pooled = encoder(pixels)
    assert tokens.shape[1] == 196
    choices = encoder.facts["preprocessing"]
    mean, std = (torch.tensor(choices[key]).view(3, 1, 1) for key in ("mean", "std"))
    with torch.inference_mode():
        expected = model.encode_image((torch.from_numpy(pixels) / 255 - mean) / std)
    torch.testing.assert_close(pooled, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"loader": "dinov3", "weights": "x"}, "dinov3"),
        ({"loader": "dinov2_s"}, "weights"),
        ({"loader": "timm", "model": "x", "batch_size": 0}, "batch_size"),
        ({"loader": "timm", "model": "x", "precision": "fp8"}, "precision"),
        ({"loader": "timm", "model": "x", "storage": "fp32"}, "storage"),
        ({"loader": "timm", "model": "x", "sha256": "abc"}, "sha256"),
        ({"loader": "transformers", "model": "x", "weights": "y"}, "weights"),
    ],
)
def test_bad_settings(value: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TypeAdapter(EncoderSettings).validate_python(value)
