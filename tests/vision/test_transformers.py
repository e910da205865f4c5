"""Loader of transformers models on tiny ones with random weights; preprocessing against their own image processors."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file

from compactvl.config.encoders import TransformersEncoder
from compactvl.errors import UserError
from compactvl.vision.preprocessing import Preprocessing
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


CROP = {"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}}


def prepared(folder: Path, kind: str, **changes) -> tuple[transformers.BaseImageProcessor, dict]:
    """transformers' processor of a file written to ``folder``, and what this package makes of it."""
    settings = processor(**{"image_processor_type": f"{kind}ImageProcessor", **changes})
    settings = {key: value for key, value in settings.items() if value != "left out"}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    theirs = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
    return theirs, preprocessing_choices(theirs.to_dict(), "the/model")


@pytest.mark.parametrize(
    ("kind", "changes", "said"),
    [
        ("Siglip", {"do_normalize": False}, "do_normalize False"),
        ("Siglip", {"do_rescale": False}, "do_rescale False"),
        ("Siglip", {"do_resize": False}, "do_resize False"),
        ("Siglip", {"rescale_factor": 1 / 127.5}, "rescale_factor 0.00784"),
        ("Siglip", {"resample": 4}, "resample 4"),
        ("Siglip", {"size": {"height": 32, "width": 48}}, "'width': 48"),
        ("Siglip", {"size": {"shortest_edge": 32}}, "'shortest_edge': 32"),
        ("CLIP", CROP | {"do_center_crop": False}, "do_center_crop False"),
        ("CLIP", CROP | {"crop_size": {"height": 32, "width": 24}}, "'width': 24"),
        ("CLIP", CROP | {"size": {"shortest_edge": 30}}, "'shortest_edge': 30"),
        ("CLIP", CROP | {"size": {"height": 36, "width": 36}}, "'height': 36"),
        ("CLIP", CROP | {"size": {"shortest_edge": 36, "longest_edge": 200}}, "'longest_edge': 200"),
        ("CLIP", {"size": {"shortest_edge": 36}}, "crop_size {'height': 224"),
        ("MobileViT", CROP | {"do_flip_channel_order": True}, "do_flip_channel_order True"),
        ("EfficientNet", {"rescale_offset": True}, "rescale_offset True"),
        ("ConvNext", {"size": {"shortest_edge": 32}, "crop_pct": 0.875}, "crop_pct 0.875"),
    ],
)
def test_a_processor_that_cannot_be_followed_is_refused(kind: str, changes: dict, said: str, tmp_path) -> None:
    with pytest.raises(UserError, match=rf"the/model: its preprocessor_config\.json .*{said}"):
        prepared(tmp_path, kind, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"size": {"longest_edge": 32}},
        {"size": {"height": "32", "width": "32"}},
        {"image_std": None},
        {"image_mean": [0.5]},
    ],
)
def test_a_processor_that_fails_is_refused(changes: dict, tmp_path) -> None:
    with pytest.raises(UserError) as caught:
        prepared(tmp_path, "Siglip", **changes)
    assert str(caught.value).startswith("the/model: its image processor fails (")


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("Siglip", {}),
        ("Siglip", {"size": [32, 32], "resample": "left out"}),
        ("Siglip", {"image_mean": 0.5, "image_std": 0.25}),
        ("Siglip", {"size": {"height": 384, "width": 384}}),
        ("Siglip", {"image_processor_type": "SiglipImageProcessorFast"}),
        ("CLIP", {"image_processor_type": "left out", "feature_extractor_type": "CLIPFeatureExtractor", "size": 224}),
        ("ViT", {"size": 32, "resample": "left out"}),
        ("CLIP", CROP),
        ("CLIP", CROP | {"size": 32, "crop_size": 32, "resample": 2}),
        ("CLIP", {"size": "left out", "image_mean": "left out", "image_std": "left out"}),
        ("Bit", {"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}}),
        ("Bit", {"size": {"shortest_edge": 29}, "crop_size": {"height": 15, "width": 15}}),
    ],
)
def test_pixels_are_those_of_transformers(kind: str, changes: dict, tmp_path) -> None:
    theirs, choices = prepared(tmp_path, kind, **changes)
    ours = Preprocessing(**choices)
    for size in ((90, 61), (61, 91), (300, 211), (305, 470), (64, 64)):
        image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8))
        expected = theirs(image, return_tensors="np")["pixel_values"][0]
        pixels = (np.asarray(ours.fit(image)) / 255 - ours.mean) / ours.std
        np.testing.assert_allclose(pixels.transpose(2, 0, 1), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("change", ["missing", "unexpected", "shape", "quantised"])
def test_transformers_is_strict(change: str, saved) -> None:
    kind, folder, _ = saved
    state = load_file(folder / "model.safetensors")
    ending = "layernorm.weight" if kind == "dinov2" else "post_layernorm.weight"
    name = next(key for key in state if key.endswith(ending))
    if change == "missing":
        del state[name]
    elif change == "unexpected":
        state["vision_model.stranger" if kind != "dinov2" else "stranger"] = torch.zeros(2)
    elif change == "quantised":
        state[name] = state[name].to(torch.int8)
    else:
        state[name] = torch.zeros(3)
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError) as caught:
        load_encoder(TransformersEncoder(loader="transformers", model=str(folder)), device="cpu")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["half", "position_ids"])
def test_transformers_takes_half_precision_and_old_tables_of_positions(kind: str, saved) -> None:
    _, folder, _ = saved
    state = load_file(folder / "model.safetensors")
    if kind == "half":
        state = {key: value.half() for key, value in state.items()}
    elif any(key.startswith("text_model.") for key in state):
        state["text_model.embeddings.position_ids"] = torch.arange(5)[None]
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    load_encoder(TransformersEncoder(loader="transformers", model=str(folder)), device="cpu")


def test_transformers_without_a_head_or_for_another_size(tmp_path) -> None:
    settings = TransformersEncoder(loader="transformers", model=str(tmp_path))
    for head, said in ((False, "has no head that pools its patches"), (True, "cannot take images of 48 pixels")):
        transformers.SiglipVisionModel(transformers.SiglipVisionConfig(**VISION, vision_use_head=head)).save_pretrained(
            tmp_path
        )
        changes = {"image_processor_type": "SiglipImageProcessor", "size": {"height": 48, "width": 48}}
        (tmp_path / "preprocessor_config.json").write_text(json.dumps(processor(**changes)))
        with pytest.raises(UserError, match=said) as caught:
            load_encoder(settings, device="cpu")
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
