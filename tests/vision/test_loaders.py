"""Loaders of timm and open_clip models, on tiny models with random weights saved to disk."""

import importlib.util
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from pydantic import TypeAdapter
from safetensors.torch import load_file

from compactvl.config.encoders import EncoderSettings, OpenClipEncoder, RandomEncoder, TimmEncoder, TimmWeights
from compactvl.errors import UserError
from compactvl.files import sha256_file
from compactvl.vision.registry import load_encoder
from compactvl.vision.timm_models import TimmTokens, create
from compactvl.vision.timm_weights import read_pretrained


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


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("vit_base_patch32_clip_224.openai", "set `model` to vit_base_patch32_clip_quickgelu_224.openai"),
        ("vit_large_patch14_clip_224.dfn2b", "set `model` to vit_large_patch14_clip_quickgelu_224.dfn2b"),
        ("vit_tiny_patch16_224.foo", r"no weights 'foo' of vit_tiny_patch16_224; near: vit_tiny_patch16_224\.aug"),
        ("vit_base_patch32_clip_quickgelu_224.openai", "is missing; copy"),
        ("vit_base_patch32_clip_224.laion2b", "is missing; copy"),
    ],
)
def test_timm_weights_are_of_the_model_named(model: str, said: str, tmp_path) -> None:
    settings = TimmEncoder(loader="timm", model=model, checkpoint=str(tmp_path / "absent.pth"))
    with pytest.raises(UserError, match=said):
        load_encoder(settings, device="cpu")


def test_timms_weights_of_quick_gelu_have_a_model_with_it() -> None:
    for name in timm.list_pretrained("*quickgelu*"):
        with pytest.raises(UserError, match=rf"set `model` to {name}$"):
            read_pretrained(TimmWeights(model=name.replace("_quickgelu", "")))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: {"state_dict": None}, "no readable checkpoint"),
        (lambda state: {"state_dict": [1]}, "no readable checkpoint"),
        (lambda state: [state], "no readable checkpoint"),
        (lambda state: state | {3: torch.zeros(1)}, r"more than tensors \(e\.g\. 3\)"),
        (lambda state: {key: value.to(torch.int8) for key, value in state.items()}, "tensors quantised"),
        (lambda state: {key: value.half() for key, value in state.items()}, None),
    ],
)
def test_timm_checkpoints_of_other_forms(change, said: str | None, small_encoder, tmp_path) -> None:
    torch.save(change(load_file(small_encoder.checkpoint)), tmp_path / "model.pth")
    settings = small_encoder.model_copy(update={"checkpoint": str(tmp_path / "model.pth")})
    with pytest.raises(UserError, match=said) if said else nullcontext():
        load_encoder(settings, device="cpu")


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


@pytest.mark.parametrize(
    ("model", "size", "said"),
    [
        ("volo_d1_224", None, "gives 197 tokens for 784 patches"),
        ("coat_lite_tiny", None, "gives 50 tokens for a square of patches"),
        ("coat_tiny", None, "gives list"),
        ("pit_ti_distilled_224", None, "gives 2 tokens for 729 patches"),
        ("crossvit_tiny_240", None, "gives list"),
        ("vit_tiny_patch16_224.foo", None, "no weights 'foo'"),
        ("convnext_atto", 14, "cannot take images of 14 pixels"),
        ("gcvit_xxtiny", 100, "cannot take images of 100 pixels"),
        ("tf_efficientnetv2_b3.in21k_ft_in1k", 64, r"squash, crop_pct 0\.9\) is not supported; set `resize`"),
        ("mvitv2_small_cls", 112, "cannot take images of 112 pixels"),
    ],
)
def test_a_model_without_a_token_a_patch_or_for_other_sizes_is_refused(model: str, size: int | None, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        load_encoder(RandomEncoder(loader="random", model=model, image_size=size), device="cpu")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "size", "tokens"),
    [
        ("xcit_nano_12_p16_224", 112, 49),
        ("cait_xxs24_224", 64, 16),
        ("convit_tiny", 64, 16),
        ("tnt_s_legacy_patch16_224", 64, 16),
        ("mvitv2_small_cls", 224, 49),
        ("deit_tiny_distilled_patch16_224", 64, 16),
        ("vit_small_patch14_reg4_dinov2", 70, 25),
        ("vit_small_patch16_dinov3", 64, 16),
        ("beit_base_patch16_224", 64, 16),
        ("eva02_tiny_patch14_224", 70, 25),
        ("swin_tiny_patch4_window7_224", 224, 49),
        ("resnet18", 64, 4),
        ("efficientnet_b0", 64, 4),
    ],
)
def test_models_with_a_token_a_patch(model: str, size: int, tokens: int) -> None:
    with torch.inference_mode():
        assert TimmTokens(create(model, size)).eval()(torch.zeros(1, 3, size, size))[0].shape[1] == tokens


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
    with pytest.raises(UserError, match=r"how ViT-S-16's images were prepared; set mean, std, resize, interpolation"):
        load_encoder(settings, device="cpu")
    own = {"mean": (0.5, 0.5, 0.5), "std": (0.25, 0.5, 0.5), "resize": "squash", "interpolation": "bilinear"}
    settings = settings.model_copy(update=own)
    with pytest.raises(UserError, match="does not say which activation ViT-S-16 was trained with"):
        load_encoder(settings, device="cpu")
    quick = load_encoder(settings.model_copy(update={"quick_gelu": True}), device="cpu")
    assert type(quick.model.visual.transformer.resblocks[0].mlp.gelu).__name__ == "QuickGELU"
    encoder = load_encoder(settings.model_copy(update={"quick_gelu": False}), device="cpu")
    pixels = np.random.default_rng(0).integers(0, 255, (1, 3, 224, 224)).astype(np.uint8)
    tokens, pooled = encoder(pixels)
    assert tokens.shape[1] == 196
    choices = encoder.facts["preprocessing"]
    assert all(np.array_equal(choices[key], value) for key, value in own.items())
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
        ({"loader": "timm", "model": "x", "checkpoint": ""}, "checkpoint"),
        ({"loader": "transformers", "model": ""}, "model"),
        ({"loader": "open_clip", "model": "x", "checkpoint": ""}, "checkpoint"),
        ({"loader": "open_clip", "model": "x", "checkpoint": "y", "std": [0.5, 0, 0.5]}, "std"),
    ],
)
def test_bad_settings(value: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TypeAdapter(EncoderSettings).validate_python(value)
