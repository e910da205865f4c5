"""Text towers of published models, on tiny models with random weights saved to disk."""

import numpy as np
import pytest
import torch
import transformers
from accelerator import accelerator
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from compactvl.cli.arguments import read_settings
from compactvl.config.texts import TextEncoderSettings
from compactvl.errors import UserError
from compactvl.files import write_json
from compactvl.text.registry import load_text_encoder
from compactvl.text.towers import TextTower

WORDS = ["<pad>", "<unk>", "<end>", "two", "dogs", "left", "of", "a", "cake"]
SIZES = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
TEXT = {
    **SIZES,
    "vocab_size": len(WORDS),
    "max_position_embeddings": 8,
    "pad_token_id": 0,
    "eos_token_id": 2,
    "bos_token_id": 1,
}
VISION = {**SIZES, "image_size": 16, "patch_size": 8}
TEXTS = ["two dogs", "a cake", "two dogs left of a cake two dogs left of a cake"]


@pytest.fixture(params=["siglip", "clip"])
def saved(request, tmp_path):
    """A model's folder and the model itself."""
    torch.manual_seed(0)
    if request.param == "siglip":
        model = transformers.SiglipModel(transformers.SiglipConfig(text_config=TEXT, vision_config=VISION))
    else:
        model = transformers.CLIPModel(
            transformers.CLIPConfig(text_config=TEXT, vision_config=VISION, projection_dim=10)
        )
    words = Tokenizer(WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", unk_token="<unk>", eos_token="<end>"
    )
    model.eval().save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    return request.param, tmp_path, model, tokenizer


def test_texts_are_embedded_on_the_device(saved):
    expected = TextTower(str(saved[1]), precision="fp32").encode(TEXTS)
    with accelerator() as device:
        tower = TextTower(str(saved[1]), precision="fp32")
        assert {parameter.device for parameter in tower.model.parameters()} == {device}
        np.testing.assert_allclose(tower.encode(TEXTS), expected, atol=1e-5)


def test_vectors_are_the_models_own(saved):
    kind, folder, model, tokenizer = saved
    found = TextTower(str(folder), precision="fp32").encode(TEXTS, batch=2)
    for text, vector in zip(TEXTS, found, strict=True):
        padding = "max_length" if kind == "siglip" else False
        words = tokenizer([text], padding=padding, truncation=True, max_length=8, return_tensors="pt")
        with torch.no_grad():
            if kind == "siglip":
                expected = model.text_model(**words).pooler_output
            else:
                expected = model.text_projection(model.text_model(**words).pooler_output)
        expected = torch.nn.functional.normalize(expected, dim=-1)[0].numpy()
        np.testing.assert_allclose(vector, expected, atol=1e-5)


@pytest.mark.parametrize(("says", "lowers"), [(None, True), (True, True), (False, False)])
def test_siglip_reads_lower_case_unless_its_tokenizer_says_otherwise(says, lowers, saved):
    kind, folder, _, tokenizer = saved
    if says is not None:
        tokenizer.init_kwargs["do_lower_case"] = says
        tokenizer.save_pretrained(folder)
    capital, small = TextTower(str(folder), precision="fp32", canonical=False).encode(["A cake", "a cake"])
    assert np.array_equal(capital, small) == (lowers and (kind == "siglip" or says is not None))
    capital, small = TextTower(str(folder), precision="fp32").encode(["A _cake_!", "a cake"])
    assert np.array_equal(capital, small)


def test_settings_load_it_and_say_what_it_is(saved, tmp_path):
    _, folder, _, _ = saved
    write_json(tmp_path / "text.json", {"loader": "transformers", "model": str(folder), "precision": "fp32"})
    settings = read_settings(tmp_path / "text.json", TextEncoderSettings)
    encoder, facts = load_text_encoder("tiny", settings, None)
    assert encoder.encode(TEXTS[:1]).shape == (1, encoder.encode(TEXTS).shape[1])
    assert facts["model"] == folder.name
    assert len(facts["weights"]) == 64


def test_a_model_that_is_not_there_is_told(tmp_path):
    with pytest.raises(UserError, match="cannot load the text side of"):
        TextTower(str(tmp_path / "none"))


def test_packaged_encoders_need_their_weights(tmp_path):
    write_json(tmp_path / "text.json", {"loader": "sentence_bert", "weights": "minilm"})
    with pytest.raises(UserError, match=r"--weights cache/weights/minilm\.safetensors"):
        load_text_encoder("minilm", read_settings(tmp_path / "text.json", TextEncoderSettings), None)
