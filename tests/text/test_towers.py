"""Text towers of published models, on tiny models with random weights saved to disk."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import transformers
from accelerator import accelerator
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from compactvl.cli.arguments import read_settings
from compactvl.config.texts import TextEncoderSettings
from compactvl.errors import UserError
from compactvl.files import read_json, write_json
from compactvl.records.record import Made
from compactvl.text.registry import load_text_encoder
from compactvl.text.towers import TextTower
from compactvl.text.vectors import embed

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
                expected = model.text_model(words["input_ids"]).pooler_output  # as it was trained: no mask
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


def test_what_a_tokenizer_gives_beside_words_changes_nothing(saved):
    _, folder, _, tokenizer = saved
    found = []
    for names in (["input_ids"], ["input_ids", "attention_mask", "token_type_ids"]):
        tokenizer.model_input_names = tokenizer.init_kwargs["model_input_names"] = names
        tokenizer.save_pretrained(folder)
        found.append(TextTower(str(folder), precision="fp32").encode(TEXTS))
    np.testing.assert_array_equal(*found)


def test_texts_that_are_cut_are_counted(saved, caplog):
    tower = TextTower(str(saved[1]), precision="fp32")
    caplog.set_level("WARNING")
    caplog.clear()
    tower.encode([TEXTS[0], " ".join(["cake"] * 8)])
    assert caplog.messages == []
    tower.encode([*TEXTS, TEXTS[2]], batch=2, label="embed drawn")
    assert caplog.messages == ["embed drawn: 2 texts are longer than the 8 tokens it reads; their ends are cut off"]


def refused(folder):
    with pytest.raises(UserError) as caught:
        TextTower(str(folder), precision="fp32").encode(TEXTS)
    assert str(caught.value).startswith(f"{folder}: ")
    return str(caught.value)


@pytest.mark.parametrize("name", ["text_model.encoder.layers.0.self_attn.q_proj.lora_A.weight", "stranger"])
def test_tensors_that_the_tower_has_no_place_for(name, saved):
    folder = saved[1]
    state = load_file(folder / "model.safetensors")
    for side in ("text", "vision"):  # old checkpoints hold these numbers
        state[f"{side}_model.embeddings.position_ids"] = torch.arange(8)[None]
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    TextTower(str(folder))
    save_file(state | {name: torch.zeros(2, 2)}, folder / "model.safetensors", {"format": "pt"})
    line = refused(folder)
    assert "1 tensors unexpected (" in line
    assert name.removeprefix("text_model.") in line


def test_weights_of_more_layers_than_the_settings_say(saved):
    folder = saved[1]
    config = read_json(folder / "config.json")
    config["text_config"]["num_hidden_layers"] = 1
    write_json(folder / "config.json", config)
    assert "weights do not fit" in refused(folder)


def test_a_tokenizer_of_another_model(saved):
    folder, words = saved[1], [*(f"w{i}" for i in range(20)), *WORDS]
    backend = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    backend.pre_tokenizer = Whitespace()
    names = {"unk_token": "<unk>", "eos_token": "<end>"}
    transformers.PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", **names).save_pretrained(folder)
    assert "the tokenizer gives word 28, the model has 9 words" in refused(folder)
    transformers.PreTrainedTokenizerFast(tokenizer_object=backend, **names).save_pretrained(folder)
    assert "no padding token" in refused(folder)


def test_vectors_that_are_not_finite_are_not_written(saved, tmp_path):
    folder = saved[1]
    state = load_file(folder / "model.safetensors")
    save_file(
        {key: value * float("nan") for key, value in state.items()}, folder / "model.safetensors", {"format": "pt"}
    )
    dataset = SimpleNamespace(name="drawn", items=pd.DataFrame({"caption": TEXTS}))
    with pytest.raises(UserError, match="text encoder 'tiny' gives vectors that are not finite"):
        embed(TextTower(str(folder)), dataset, tmp_path / "texts", {"name": "tiny"}, Made("embed", ""))
    assert not (tmp_path / "texts").exists()


def test_a_model_that_is_not_there_is_told(tmp_path):
    with pytest.raises(UserError, match="cannot load the text side of"):
        TextTower(str(tmp_path / "none"))


def test_packaged_encoders_need_their_weights(tmp_path):
    write_json(tmp_path / "text.json", {"loader": "sentence_bert", "weights": "minilm"})
    with pytest.raises(UserError, match=r"--weights cache/weights/minilm\.safetensors"):
        load_text_encoder("minilm", read_settings(tmp_path / "text.json", TextEncoderSettings), None)
