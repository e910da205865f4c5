"""BERT weights from a folder of save_pretrained, as the Hub gives them, on a tiny model with random weights."""

import json
import re

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, normalizers

from compactvl.cli import main as program
from compactvl.config.base import validate
from compactvl.config.weights import TransformersBert
from compactvl.dag.root import RootSettings
from compactvl.errors import UserError
from compactvl.files import read_json, sha256_file, write_json
from compactvl.records.record import Made
from compactvl.text.sentences import SentenceEncoder, load_bert
from compactvl.text.wordpiece import WordPiece
from compactvl.vision.convert import convert_weights
from compactvl.vision.weights import read_weights

MADE = Made("weights", "")
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "two", "dog", "##s", "left", "of", "a", "cake"]
SIZES = {
    "vocab_size": len(WORDS),
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 96,
    "max_position_embeddings": 24,
}
CAPTIONS = ["Two dogs, left of a cake!", "a cake", "zebra"]


def save(folder, **changes):
    """Write a model with a pooler, and the vocabulary alone: the form of MiniLM-L12-H384-uncased on the Hub."""
    torch.manual_seed(0)
    model = transformers.BertModel(transformers.BertConfig(**{**SIZES, **changes})).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    return model


def bert(folder, **changes):
    return TransformersBert(format="transformers_bert", model=str(folder), **changes)


@pytest.fixture
def saved(tmp_path):
    return tmp_path / "model", save(tmp_path / "model")


def refused(settings, target):
    """The one line by which the weights are refused; nothing is left behind."""
    with pytest.raises(UserError) as caught:
        convert_weights("tiny", settings, None, target, MADE)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("weights.tiny: ")
    assert list(target.parent.glob("tiny*")) == []
    return str(caught.value)


def test_the_joint_encoder_computes_what_transformers_does(saved, tmp_path):
    folder, model = saved
    target = tmp_path / "tiny.safetensors"
    convert_weights("tiny", bert(folder), None, target, MADE)
    tokenizer = WordPiece(tmp_path / "tiny.tokenizer.json")
    rows = tokenizer.encode(CAPTIONS, 12, canonical=True)
    assert [list(map(tokenizer.backend.id_to_token, row)) for row in rows] == [
        ["[CLS]", "two", "dog", "##s", "left", "of", "a", "cake", "[SEP]"],
        ["[CLS]", "a", "cake", "[SEP]"],
        ["[CLS]", "[UNK]", "[SEP]"],
    ]
    encoder = load_bert(target).eval()
    with torch.inference_mode():
        for row in rows:
            expected = model(input_ids=torch.tensor([row])).last_hidden_state
            got = encoder.encode_words(torch.tensor([row]), None)
            torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)


def test_record_and_files(saved, tmp_path):
    folder, model = saved
    target = tmp_path / "tiny.safetensors"
    convert_weights("tiny", bert(folder), None, target, MADE)
    state, record = read_weights(target)
    assert not any(key.startswith("pooler.") for key in state)
    assert record["parameters"] == sum(p.numel() for name, p in model.named_parameters() if "pooler" not in name)
    assert record["config"]["num_hidden_layers"] == 3
    assert set(record["files"]) == {"tiny.safetensors", "tiny.tokenizer.json"}
    assert record["files"]["tiny.tokenizer.json"] == sha256_file(tmp_path / "tiny.tokenizer.json")
    assert str(tmp_path) not in json.dumps(record)

    before = {name: (tmp_path / name).read_bytes() for name in (*record["files"], "tiny.json")}
    convert_weights("tiny", bert(folder), None, target, MADE)
    assert {name: (tmp_path / name).read_bytes() for name in before} == before


def test_an_old_checkpoint_with_heads_gives_the_same_weights(saved, tmp_path):
    folder, model = saved
    convert_weights("tiny", bert(folder), None, tmp_path / "tiny.safetensors", MADE)
    state = {f"bert.{key}": value for key, value in model.state_dict().items()}
    state |= {"bert.embeddings.position_ids": torch.arange(24)[None], "cls.predictions.bias": torch.zeros(len(WORDS))}
    torch.save(state, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    convert_weights("tiny", bert(folder), None, tmp_path / "old/tiny.safetensors", MADE)
    assert sha256_file(tmp_path / "old/tiny.safetensors") == sha256_file(tmp_path / "tiny.safetensors")


def test_the_digest_pins_the_weights(saved, tmp_path):
    folder, _ = saved
    convert_weights("tiny", bert(folder), None, tmp_path / "tiny.safetensors", MADE)
    digest = read_json(tmp_path / "tiny.json")["sha256"]
    (tmp_path / "again").mkdir()
    assert digest in refused(bert(folder, sha256="0" * 64), tmp_path / "again/tiny.safetensors")
    convert_weights("tiny", bert(folder, sha256=digest), None, tmp_path / "again/tiny.safetensors", MADE)


@pytest.mark.parametrize("name", ["absent/model", "somebody/MiniLM-that-is-not-here"])
def test_without_the_model_or_a_network(name, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    line = refused(bert(name), tmp_path / "tiny.safetensors")
    assert f"`hf download {name} --local-dir data/external/tiny`" in line
    assert line.endswith("copy the folder data/external/tiny here and set weights.tiny.model to it")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_attention_heads": 4}, "num_attention_heads is 4, the joint encoder computes with 2"),
        ({"hidden_act": "relu"}, 'hidden_act is "relu"'),
        ({"layer_norm_eps": 1e-5}, "layer_norm_eps is 1e-05"),
        ({"is_decoder": True}, "is_decoder is true, the joint encoder computes with false"),
        ({"vocab_size": 8}, "the tokenizer knows 12 words, the model 8"),
    ],
)
def test_models_the_joint_encoder_would_compute_otherwise(changes, message, tmp_path):
    save(tmp_path / "model", **changes)
    assert message in refused(bert(tmp_path / "model"), tmp_path / "tiny.safetensors")


def test_a_tokenizer_whose_ids_leave_gaps(saved, tmp_path):
    folder, _ = saved
    words = Tokenizer(models.WordPiece({word: 3 * i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    words.normalizer = normalizers.BertNormalizer()
    transformers.BertTokenizerFast(tokenizer_object=words).save_pretrained(folder)
    assert "the tokenizer knows 34 words, the model 12" in refused(bert(folder), tmp_path / "tiny.safetensors")


def test_a_tokenizer_that_keeps_capitals(saved, tmp_path):
    folder, _ = saved
    write_json(folder / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "do_lower_case": False})
    assert "keeps capitals; choose an uncased BERT" in refused(bert(folder), tmp_path / "tiny.safetensors")


SWITCHES = {"word_embedding_dimension": 64, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": False}


@pytest.mark.parametrize(
    ("pooling", "more", "found"),
    [
        (SWITCHES | {"pooling_mode_mean_tokens": True}, "Normalize", "mean"),
        (SWITCHES | {"pooling_mode_cls_token": True}, "Normalize", "cls_token"),
        ({"pooling_mode": "mean", "include_prompt": True}, "Normalize", "mean"),
        ({"pooling_mode": "cls"}, "Normalize", "cls"),
        ({"pooling_mode": ["mean", "max"]}, "Normalize", "mean + max"),
        ({"pooling_mode": "mean"}, "Dense", "mean + Dense"),
    ],
)
def test_only_the_mean_of_the_tokens_is_taken_for_a_sentence(pooling, more, found, saved, tmp_path):
    folder, model = saved
    kinds = {"": "Transformer", "1_Pooling": "Pooling", "2": more}
    modules = [{"path": path, "type": f"sentence_transformers.models.{kind}"} for path, kind in kinds.items()]
    write_json(folder / "modules.json", modules)
    write_json(folder / "1_Pooling/config.json", pooling)
    target = tmp_path / "tiny.safetensors"
    convert_weights("tiny", bert(folder), None, target, MADE)
    load_bert(target)  # a joint encoder pools by itself
    if found != "mean":
        with pytest.raises(UserError, match=re.escape(f"its sentence vectors are {found}, expected mean")):
            SentenceEncoder(target)
        return
    (vector,) = SentenceEncoder(target, "fp32").encode(["two dogs"])
    with torch.inference_mode():
        expected = model(input_ids=torch.tensor([[2, 5, 6, 7, 3]])).last_hidden_state[0].mean(0)
    torch.testing.assert_close(torch.from_numpy(vector), expected / expected.norm(), atol=1e-5, rtol=1e-5)


def test_long_sentences_are_counted_and_need_positions(saved, tmp_path, caplog):
    save(tmp_path / "long", max_position_embeddings=128)
    for name in ("long", "model"):
        convert_weights("tiny", bert(tmp_path / name), None, tmp_path / f"{name}.safetensors", MADE)
    long, short = (SentenceEncoder(tmp_path / f"{name}.safetensors", "fp32") for name in ("long", "model"))
    caplog.set_level("WARNING")
    caplog.clear()
    found = long.encode(["cake " * 126, "cake " * 127, "cake " * 500])
    assert caplog.messages == ["embed texts: 2 texts are longer than the 128 tokens it reads; their ends are cut off"]
    np.testing.assert_allclose(found, found[[0, 0, 0]], atol=1e-6)
    short.encode(["cake " * 22])
    with pytest.raises(UserError, match="a text has 25 word pieces, the model 24 positions; choose a BERT with 128"):
        short.encode(["cake " * 23])


def test_another_kind_of_model(tmp_path):
    transformers.DistilBertConfig().save_pretrained(tmp_path / "model")
    assert "'distilbert' model" in refused(bert(tmp_path / "model"), tmp_path / "tiny.safetensors")


@pytest.mark.parametrize(
    ("change", "message"),
    [("missing", "missing (encoder.layer.2.output.dense.weight)"), ("unexpected", "unexpected (stranger)")],
)
def test_tensors_are_complete_and_known(change, message, saved, tmp_path):
    folder, _ = saved
    state = load_file(folder / "model.safetensors")
    if change == "missing":
        del state["encoder.layer.2.output.dense.weight"]
    else:
        state["stranger"] = torch.zeros(2)
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    assert message in refused(bert(folder), tmp_path / "tiny.safetensors")


def test_damaged_weights(saved, tmp_path):
    folder, _ = saved
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[: len(data) // 2])
    assert "cannot be loaded" in refused(bert(folder), tmp_path / "tiny.safetensors")


def test_the_console_program_needs_a_source_for_packaged_weights_only(saved, tmp_path, capsys):
    folder, _ = saved
    write_json(tmp_path / "tiny.json", bert(folder).model_dump(mode="json"))
    write_json(tmp_path / "minilm.json", {"source": "minilm", "format": "minilm"})
    target = tmp_path / "out" / "tiny.safetensors"

    def weights(name, *more):
        return program.main(["weights", "--settings", str(tmp_path / name), "--out", str(target), *more])

    assert weights("tiny.json") == 0
    assert target.is_file()
    assert weights("tiny.json", "--sources", "x.json") != 0
    assert "leave --sources out" in capsys.readouterr().err
    for sources in ((), ("--sources", "x.json")):
        assert weights("minilm.json", *sources) != 0
        assert "give the settings of source 'minilm' as --sources" in capsys.readouterr().err


def test_both_kinds_are_settings_of_the_section_weights():
    weights = {"hub": {"format": "transformers_bert", "model": "m"}, "package": {"format": "minilm", "source": "s"}}
    root = validate(RootSettings, {"size": "x", "weights": weights}, "")
    assert root.weights["hub"].revision is None
    assert root.weights["package"].source == "s"
    for body in ({"format": "transformers_bert", "source": "s"}, {"format": "minilm", "model": "m"}):
        with pytest.raises(UserError, match="weights"):
            validate(RootSettings, {"size": "x", "weights": {"w": body}}, "")
