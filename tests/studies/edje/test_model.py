from types import SimpleNamespace

import pytest
import torch
from transformers import BertConfig, BertForMaskedLM, BertModel

from compactvl.nn.bert import BertShape
from compactvl.studies.edje.model import JointModel, MaskedWordHead, match_pairs, to_word_scale, word_statistics
from compactvl.text.batches import TokenBatch


def as_transformers(model, shape):
    """transformers' BertModel with the joint encoder's weights and the pooler."""
    config = BertConfig(
        vocab_size=shape.vocabulary + 1,
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.hidden,
        max_position_embeddings=model.bert.embeddings.position.num_embeddings,
        attn_implementation="eager",
    )
    theirs = BertModel(config).eval()
    ours = model.bert.state_dict()
    state = theirs.state_dict()
    for key in state:
        name = key.removeprefix("embeddings.").replace("token_type_embeddings", "segment")
        name = (
            name.replace("word_embeddings", "word")
            .replace("position_embeddings", "position")
            .replace("LayerNorm", "norm")
        )
        if key.startswith("embeddings.word"):
            state[key][:-1] = ours["embeddings.word.weight"]
        elif key.startswith("embeddings."):
            state[key] = ours[f"embeddings.{name}"]
        elif key.startswith("pooler."):
            state[key] = model.pooler.state_dict()[key.removeprefix("pooler.dense.")]
        else:
            layer, rest = key.removeprefix("encoder.layer.").split(".", 1)
            kind = rest.rsplit(".", 1)[1]
            place = {"query": 0, "key": 1, "value": 2}.get(rest.split(".")[-2])
            if place is not None:
                state[key] = ours[f"layers.{layer}.qkv.{kind}"].chunk(3)[place]
            else:
                ours_name = {
                    "attention.output.dense": "out",
                    "attention.output.LayerNorm": "attention_norm",
                    "intermediate.dense": "up",
                    "output.dense": "down",
                    "output.LayerNorm": "norm",
                }[rest.rsplit(".", 1)[0]]
                state[key] = ours[f"layers.{layer}.{ours_name}.{kind}"]
    theirs.load_state_dict(state)
    return theirs


def test_match_equals_bert_on_the_papers_sequence_with_image_rows_overwritten(tiny):
    model = tiny.build()
    theirs = as_transformers(model, tiny.bert)
    image_id = tiny.bert.vocabulary  # the added `<image>` token
    with torch.inference_mode():
        vision = model.compress(tiny.patches)
        got = model.match(vision, tiny.captions, *model.word_vectors(tiny.captions, tiny.sep))
        for row, caption in enumerate(tiny.rows):
            ids = torch.tensor([[*caption, *[image_id] * 5, tiny.sep]])
            types = torch.tensor([[0] * len(caption) + [1] * 6])
            vectors = theirs.embeddings.word_embeddings(ids)
            vectors[ids == image_id] = vision[row]
            expected = model.itm(theirs(inputs_embeds=vectors, token_type_ids=types).pooler_output)
            assert got[row].item() == pytest.approx(expected.item(), abs=1e-5)


def single(model, vision, row, sep):
    captions = TokenBatch.of([row])
    return model.match(vision, captions, *model.word_vectors(captions, sep))


def test_score_does_not_depend_on_the_batch(tiny):
    model = tiny.build()
    with torch.inference_mode():
        vision = model.compress(tiny.patches)
        images, texts = torch.tensor([0, 3, 5, 1, 1, 2]), torch.tensor([5, 4, 0, 1, 3, 2])
        together = match_pairs(model, vision, tiny.captions, images, texts, tiny.sep)
        for place, (image, text) in enumerate(zip(images, texts, strict=True)):
            alone = single(model, vision[image][None], tiny.rows[text], tiny.sep)
            assert together[place].item() == pytest.approx(alone.item(), abs=1e-5)
        again = single(model, model.compress(tiny.patches[2:3]), tiny.rows[2], tiny.sep)
        assert together[5].item() == pytest.approx(again.item(), abs=1e-5)


def test_masked_words_and_recovery_see_what_they_should(tiny):
    model = tiny.build(mlm=1, recovery_dim=7)
    with torch.inference_mode():
        vision = model.compress(tiny.patches)
        masked = torch.zeros_like(tiny.captions.ids, dtype=torch.bool)
        masked[1, 2] = masked[4, 1] = True
        logits = model.predict_words(vision, tiny.captions, masked, tiny.sep)
        assert logits.shape == (2, 81)  # the words and `<image>`
        other = model.predict_words(vision.roll(1, 0), tiny.captions, masked, tiny.sep)
        assert not torch.allclose(logits, other)
        recovered = model.recover(tiny.captions)
        assert recovered.shape == (6, 7)
        alone = model.recover(TokenBatch.of([tiny.rows[3]]))
        torch.testing.assert_close(recovered[3:4], alone, atol=1e-5, rtol=1e-5)


def test_positions_are_extended_for_long_inputs(tiny):
    wide = {"width": 1024, "patches": 576, "heads": 16, "longest_caption": 64}
    with torch.device("meta"):
        local = JointModel(tiny.variant(kind="local", **wide), BertShape())
        small = JointModel(tiny.variant(tokens=256, **wide), BertShape())
    assert local.bert.embeddings.position.num_embeddings == 64 + 576
    assert local.masked_words is None
    assert small.bert.embeddings.position.num_embeddings == 512
    assert sum(p.numel() for p in small.bert.parameters()) == 33_212_160


@pytest.mark.parametrize(("tokens", "longest"), [(576, 64), (5, 64), (5, 4)])
def test_the_longest_pair_takes_the_last_position_and_no_more(tiny, tokens, longest):
    model = tiny.build(kind="local", patches=tokens, longest_caption=longest)
    reader = SimpleNamespace(encode=lambda captions, longest, canonical: [[0, *[7] * (longest - 2), tiny.sep]])
    (row,) = model.encode(reader, ["whatever"])
    assert len(row) == longest - 1  # [CLS], 61 pieces of 64 places, [SEP]; the pair's last [SEP] takes the other
    captions, words = TokenBatch.of([row]), model.word_vectors(TokenBatch.of([row]), tiny.sep)
    with torch.inference_mode():
        positions = model._assemble(torch.zeros(1, tokens, tiny.bert.width), captions, *words)[1]
        assert positions.max() == longest + tokens - 1
        assert torch.isfinite(model.match(model.compress(torch.randn(1, tokens, 24)), captions, *words)).all()
        if longest == 64 and tokens == 576:
            assert len(model.bert.embeddings.position.weight) == longest + tokens


def test_the_masked_word_head_begins_as_transformers_begins_one():
    torch.manual_seed(0)
    head = MaskedWordHead(BertShape(vocabulary=900, width=384))
    theirs = BertForMaskedLM(BertConfig(vocab_size=901, hidden_size=384, num_hidden_layers=1, num_attention_heads=12))
    theirs = theirs.cls.predictions
    for own, their in ((head.dense.weight, theirs.transform.dense.weight), (head.image, theirs.decoder.weight)):
        assert own.std().item() == pytest.approx(their.std().item(), rel=0.15)
    for own, their in ((head.dense.bias, theirs.transform.dense.bias), (head.bias, theirs.bias)):
        assert torch.equal(own, their)
    x, words = torch.randn(4, 384), torch.randn(900, 384)
    theirs.transform.dense.load_state_dict(head.dense.state_dict())
    theirs.decoder.weight.data = torch.cat([words, head.image])
    torch.testing.assert_close(head(x, words), theirs(x), atol=1e-4, rtol=1e-4)


def test_rescaled_tokens_have_the_words_statistics():
    words = torch.randn(500, 64) * 0.1 + 0.5
    mean, spread = word_statistics(words)
    torch.testing.assert_close(mean, words.mean(0))
    expected = ((words - words.mean(0)) ** 2).sum(1).mean().sqrt()
    torch.testing.assert_close(spread, expected)
    y = to_word_scale(torch.randn(3, 7, 64) * 40, mean, spread)
    torch.testing.assert_close((y - mean).norm(dim=-1), spread.expand(3, 7), rtol=1e-3, atol=1e-3)
