"""Towers to be trained: timm's models, from random or trained weights."""

import subprocess
import sys

import pytest
import timm
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from compactvl.config.encoders import Tower
from compactvl.errors import UserError
from compactvl.vision.timm_models import build_tower

MODELS = [("test_vit", 64), ("test_efficientnet", 64), ("deit_tiny_patch16_224", 112), ("mobilenetv3_small_100", 64)]


@pytest.mark.parametrize(("name", "size"), MODELS)
def test_a_tower_is_timms_model_and_every_weight_learns(name: str, size: int) -> None:
    torch.manual_seed(0)
    tower = build_tower(Tower(model=name, image_size=size))
    options = {"img_size": size} if hasattr(tower.model, "patch_embed") else {}
    torch.manual_seed(0)
    theirs = timm.create_model(name, num_classes=0, **options).train()
    assert sum(p.numel() for p in tower.parameters()) == sum(p.numel() for p in theirs.parameters())
    pixels = torch.randn(4, 3, size, size)
    tokens, pooled = tower(pixels)
    features = theirs.forward_features(pixels)
    expected = (
        features.flatten(2).transpose(1, 2)
        if features.ndim == 4
        else features[:, getattr(theirs, "num_prefix_tokens", 0) :]
    )
    torch.testing.assert_close(tokens, expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(pooled, theirs.forward_head(features, pre_logits=True), atol=1e-4, rtol=1e-4)
    assert (tuple(tokens.shape[1:]), pooled.shape[1]) == (tower.tokens_shape, tower.pooled_dim)
    (tokens.square().sum() + pooled.square().sum()).backward()
    assert all(p.grad is not None and bool(p.grad.abs().sum()) for p in tower.parameters() if p.requires_grad)


def test_random_weights_follow_torchs_seed() -> None:
    def weights(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return torch.cat([p.detach().ravel() for p in build_tower(Tower(model="test_vit", image_size=64)).parameters()])

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_trained_weights_come_from_a_file_or_converted_ones(tmp_path, converted) -> None:
    save_file(timm.create_model("test_vit").state_dict(), tmp_path / "vit.safetensors")
    tower = build_tower(Tower(model="test_vit", pretrained=True, checkpoint=str(tmp_path / "vit.safetensors")))
    saved = load_file(tmp_path / "vit.safetensors")
    assert all(torch.equal(value, saved[name]) for name, value in tower.model.state_dict().items())
    lite = converted("efficientnet_lite0")
    settings = Tower(model="tf_efficientnet_lite0", image_size=64, pretrained=True, weights="efficientnet_lite0")
    tower, saved = build_tower(settings, lite), load_file(lite)
    assert tower.tokens_shape == (4, 1280)
    assert all(torch.equal(value, saved[name]) for name, value in tower.model.state_dict().items())
    with pytest.raises(UserError, match=r"holds tf_efficientnet_lite0, not resnet18"):
        build_tower(settings.model_copy(update={"model": "resnet18"}), lite)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"model": "test_vit.r160_in1k", "pretrained": True},
            r"cannot download timm/test_vit\.r160_in1k .* as `checkpoint`",
        ),
        ({"model": "no_such_model"}, "timm has no model 'no_such_model'"),
        ({"model": "test_vit", "image_size": 65}, "cannot take images of 65 pixels"),
        ({"model": "efficientformer_l1", "image_size": 112}, "cannot take images of 112 pixels"),
    ],
)
def test_what_cannot_be_built_is_one_clear_line(settings: dict, said: str, monkeypatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=said) as caught:
        build_tower(Tower(**settings))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"checkpoint": "a.safetensors"}, "checkpoint is given, but pretrained is false"),
        ({"weights": "lite", "pretrained": True, "sha256": "0" * 64}, "weights and sha256 are both given"),
    ],
)
def test_settings_that_contradict_each_other(settings: dict, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Tower(model="test_vit", **settings)


def test_a_tower_ends_at_a_feature_map_and_leaves_out_what_follows(converted) -> None:
    lite = converted("efficientnet_lite0")
    settings = Tower(
        model="tf_efficientnet_lite0", image_size=64, pretrained=True, weights="efficientnet_lite0", stage=3
    )
    tower = build_tower(settings, lite)
    assert tower.tokens_shape == (16, 112)
    assert tower.pooled_dim == 112
    saved, own = load_file(lite), tower.model.state_dict()
    assert all(torch.equal(value, saved[name]) for name, value in own.items())
    assert len(own) < len(saved)
    whole = timm.create_model("tf_efficientnet_lite0", features_only=True, out_indices=[3]).eval()
    whole.load_state_dict(saved, strict=False)
    pixels = torch.randn(2, 3, 64, 64)
    tokens, pooled = tower.eval()(pixels)
    expected = whole(pixels)[0]
    torch.testing.assert_close(tokens, expected.flatten(2).transpose(1, 2), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(pooled, expected.mean((2, 3)), atol=1e-4, rtol=1e-4)
    (tokens.square().sum()).backward()
    assert all(p.grad is not None for p in tower.parameters() if p.requires_grad)


def test_arguments_of_the_timm_model_and_what_it_does_not_take() -> None:
    sizes = {"embed_dim": 32, "depth": 1, "num_heads": 2}
    assert build_tower(Tower(model="vit_tiny_patch16_224", image_size=64, options=sizes)).tokens_shape == (16, 32)
    with pytest.raises(UserError, match=r"timm's resnet18 does not take embed_dim .*; correct `options`"):
        build_tower(Tower(model="resnet18", image_size=64, options={"embed_dim": 32}))
    with pytest.raises(UserError, match="resnet18 has no feature map 9 to end with; choose another `stage`"):
        build_tower(Tower(model="resnet18", image_size=64, stage=9))


def test_timm_comes_without_torchs_compiler_and_leaves_it_usable() -> None:
    code = (
        "import sys, torch, compactvl.vision.timm_models\n"
        "if 'torch._dynamo' in sys.modules: sys.exit('imported')\n"
        "from torchvision.ops import roi_align\n"
        "found = roi_align(torch.ones(1, 3, 16, 16), torch.tensor([[0.0, 0, 0, 8, 8]]), 4)\n"
        "double = torch.compile(lambda x: 2 * x, backend='eager')(found)\n"
        "sys.exit(double.shape != (1, 3, 4, 4) or bool((double != 2).any()))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
