import math

import pytest
import torch
from transformers import BertConfig, BertModel

from compactvl.errors import UserError
from compactvl.nn.attention import attention_scores
from compactvl.nn.bert import BertEncoder, BertShape, from_transformers

SHAPE = BertShape(vocabulary=60, width=48, layers=3, heads=4, hidden=96, positions=40)


@pytest.fixture(scope="module")
def models():
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=60,
        hidden_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=96,
        max_position_embeddings=40,
        attn_implementation="eager",
    )
    theirs = BertModel(config).eval()
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    ours = BertEncoder(SHAPE).eval()
    ours.load_state_dict(from_transformers(theirs.state_dict(), 3), strict=True)
    return ours, theirs


def test_words_equal_transformers_bert(models):
    ours, theirs = models
    ids = torch.randint(0, 60, (5, 11))
    mask = torch.arange(11) < torch.tensor([11, 4, 7, 1, 9])[:, None]
    with torch.inference_mode():
        expected = theirs(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        got = ours.encode_words(ids, mask)
    torch.testing.assert_close(got[mask], expected[mask], atol=1e-5, rtol=1e-5)


def test_vectors_types_and_one_row_equal_transformers_bert(models):
    ours, theirs = models
    vectors, types = torch.randn(3, 8, 48), torch.tensor([0, 0, 0, 1, 1, 1, 1, 1])
    positions = torch.randperm(40)[:8].expand(3, -1)
    with torch.inference_mode():
        expected = theirs(
            inputs_embeds=vectors, token_type_ids=types.expand(3, -1), position_ids=positions
        ).last_hidden_state
        torch.testing.assert_close(ours(vectors, positions, types, None), expected, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(ours(vectors, positions, types, None, row=2), expected[:, 2], atol=1e-5, rtol=1e-5)


def test_queries_and_keys_give_transformers_attention(models):
    ours, theirs = models
    ids = torch.randint(0, 60, (5, 11))
    mask = torch.arange(11) < torch.tensor([11, 4, 7, 1, 9])[:, None]
    kept = {0: [], 2: []}
    vectors, positions = ours.embeddings.word(ids), torch.arange(11).expand_as(ids)
    with torch.inference_mode():
        plain = ours(vectors, positions, torch.zeros_like(ids), mask)
        assert torch.equal(ours(vectors, positions, torch.zeros_like(ids), mask, keep=kept), plain)
        expected = theirs(input_ids=ids, attention_mask=mask.long(), output_attentions=True).attentions
    for layer, ((query, key),) in kept.items():
        assert query.shape == key.shape == (5, 4, 11, 12)
        scores = torch.einsum("bhld,bhsd->bhls", query, key) / math.sqrt(12)
        weights = scores.masked_fill(~mask[:, None, None], -torch.inf).softmax(-1)
        torch.testing.assert_close(weights, expected[layer], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(attention_scores(query, key), scores, atol=1e-5, rtol=1e-5)


def test_one_row_keeps_the_queries_of_all_positions(models):
    ours, _ = models
    x = torch.randn(3, 8, 48)
    whole, one = [], []
    expected = ours.layers[2](x, None, keep=whole)
    got = ours.layers[2](x, None, row=5, keep=one)
    torch.testing.assert_close(got, expected[:, 5:6], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(got, ours.layers[2](x, None, row=5), atol=1e-5, rtol=1e-5)
    assert all(torch.equal(a, b) for a, b in zip(whole[0], one[0], strict=True))


def test_fewer_layers_are_the_first_ones(models):
    _, theirs = models
    ours = BertEncoder(BertShape(**{**vars(SHAPE), "layers": 1})).eval()
    ours.load_state_dict(from_transformers(theirs.state_dict(), 1), strict=True)
    ids = torch.randint(0, 60, (2, 6))
    with torch.inference_mode():
        expected = theirs(input_ids=ids, output_hidden_states=True).hidden_states[1]
        torch.testing.assert_close(ours.encode_words(ids, None), expected, atol=1e-5, rtol=1e-5)


def test_positions_beyond_the_table_copy_its_last_row():
    model = BertEncoder(SHAPE)
    last = model.embeddings.position.weight[39].clone()
    model.extend_positions(70)
    table = model.embeddings.position.weight
    assert table.shape == (70, 48)
    assert (table[39:] == last).all()
    assert table.requires_grad
    model.extend_positions(50)
    assert model.embeddings.position.weight.shape[0] == 70


def test_minilm_l12_has_the_papers_parameters():
    with torch.device("meta"):
        model = BertEncoder(BertShape())
    assert sum(p.numel() for p in model.parameters()) == 33_212_160


def test_loading_is_strict(models):
    _, theirs = models
    state = dict(theirs.state_dict())
    with pytest.raises(UserError, match="unexpected keys: surprise"):
        from_transformers({**state, "surprise": torch.zeros(1)}, 3)
    state.pop("encoder.layer.1.output.dense.bias")
    with pytest.raises(UserError, match=r"lack 'encoder\.layer\.1\.output\.dense\.bias'"):
        from_transformers(state, 3)
