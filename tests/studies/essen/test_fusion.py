"""The cross-modal layer and the text tower against transformers' own, with the same weights."""

import pytest
import torch
from torch import nn
from transformers import BertConfig, BertModel, ElectraConfig, ElectraModel, LxmertConfig
from transformers.models.lxmert.modeling_lxmert import LxmertXLayer

from compactvl.errors import UserError
from compactvl.nn.bert import MASKED
from compactvl.studies.essen.fusion import CrossModalLayer, key_bias
from compactvl.studies.essen.settings import AnyText, Fusion, Text
from compactvl.studies.essen.towers import AnyTextTower, TextTower
from compactvl.text.batches import TokenBatch

SIZES = Fusion(layers=1, width=24, heads=4, hidden=40)


def theirs_and_ours() -> tuple[nn.Module, CrossModalLayer]:
    torch.manual_seed(0)
    config = LxmertConfig(hidden_size=24, num_attention_heads=4, intermediate_size=40)
    theirs, ours = LxmertXLayer(config).eval(), CrossModalLayer(SIZES, 0.1).eval()
    for part in theirs.parameters():
        nn.init.normal_(part, std=0.3)

    def attention(layer: nn.Module, norm: nn.Module, source: nn.Module, out: nn.Module, inner: str, outer: str) -> None:
        parts = [getattr(source, name) for name in ("query", "key", "value")]
        for kind in ("weight", "bias"):
            getattr(getattr(layer, inner), kind).data = torch.cat([getattr(part, kind).data for part in parts])
            getattr(getattr(layer, outer), kind).data = getattr(out.dense, kind).data
            getattr(norm, kind).data = getattr(out.LayerNorm, kind).data

    attention(
        ours.cross, ours.cross_norm, theirs.visual_attention.att, theirs.visual_attention.output, "inner", "outer"
    )
    for mine, name in ((ours.text, "lang"), (ours.image, "visn")):
        own, feed, out = (getattr(theirs, f"{name}_{part}") for part in ("self_att", "inter", "output"))
        attention(mine, mine.attention_norm, own.self, own.output, "qkv", "out")
        for kind in ("weight", "bias"):
            getattr(mine.up, kind).data = getattr(feed.dense, kind).data
            getattr(mine.down, kind).data = getattr(out.dense, kind).data
            getattr(mine.norm, kind).data = getattr(out.LayerNorm, kind).data
    return theirs, ours


def test_a_layer_is_lxmerts():
    theirs, ours = theirs_and_ours()
    text, image = torch.randn(3, 5, 24), torch.randn(3, 7, 24)
    mask = torch.arange(5) < torch.tensor([5, 3, 4])[:, None]
    bias = torch.zeros(3, 1, 1, 5).masked_fill(~mask[:, None, None], MASKED)
    expected = theirs(text, bias, image, None)
    found = ours(text, image, key_bias(mask))
    torch.testing.assert_close(found[0][mask], expected[0][mask], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found[1], expected[1], atol=1e-4, rtol=1e-4)
    assert key_bias(None) is None
    padded = text.masked_fill(~mask[..., None], 7.0)
    torch.testing.assert_close(ours(padded, image, key_bias(mask))[1], found[1])


@pytest.mark.parametrize(
    ("width", "hidden", "layers", "millions"),
    [(256, 512, 18, 23.72), (256, 1024, 4, 7.37), (256, 1024, 6, 11.06), (256, 1024, 8, 14.75), (256, 1024, 10, 18.43),
     (192, 768, 6, 6.23), (192, 768, 12, 12.46), (320, 1280, 6, 17.26), (320, 1280, 8, 23.02), (292, 1168, 6, 14.38)],
)  # fmt: skip
def test_parameters_of_the_published_shapes(width, hidden, layers, millions):
    with torch.device("meta"):
        layer = CrossModalLayer(Fusion(layers=layers, width=width, hidden=hidden), 0.1)
    found = layers * sum(p.numel() for p in layer.parameters())
    h, f = width, hidden
    assert found == layers * (3 * (4 * (h * h + h) + 2 * h) + 2 * (2 * h * f + f + h + 2 * h))
    assert found / 1e6 == pytest.approx(millions, abs=0.006)


SMALL = {"vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64}
TEXT = {"layers": 2, "width": 32, "heads": 2, "hidden": 64, "vocabulary": 50, "positions": 40}
TEXTS = TokenBatch.of([[2, 7, 9, 11, 3], [2, 8, 3]])


@pytest.mark.parametrize("embedding", [None, 16])
def test_a_text_tower_is_berts_or_electras(embedding):
    torch.manual_seed(0)
    if embedding is None:
        config, form = BertConfig(**SMALL, max_position_embeddings=40), BertModel
    else:
        config, form = ElectraConfig(**SMALL, max_position_embeddings=40, embedding_size=16), ElectraModel
    config.num_hidden_layers = 2
    theirs = form(config).eval()
    for part in theirs.parameters():
        nn.init.normal_(part, std=0.3)
    tower = TextTower(Text(embedding=embedding, **TEXT), 0.1).eval()
    tower.load(theirs.state_dict())
    expected = theirs(input_ids=TEXTS.ids, attention_mask=TEXTS.mask.long()).last_hidden_state
    torch.testing.assert_close(tower(TEXTS)[TEXTS.mask], expected[TEXTS.mask], atol=1e-4, rtol=1e-4)
    alone = TokenBatch.of([[2, 8, 3]])
    torch.testing.assert_close(tower(alone)[0], tower(TEXTS)[1, :3], atol=1e-5, rtol=1e-5)
    with pytest.raises(UserError, match=r"give the sizes of `model.text` that the weights have"):
        TextTower(Text(embedding=8, **TEXT), 0.1).load(theirs.state_dict())


def test_any_text_encoder_of_transformers():
    sizes = {"vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 1, "embedding_size": 16, "intra_bottleneck_size": 16,
             "num_attention_heads": 2, "intermediate_size": 32}  # fmt: skip
    tower = AnyTextTower(AnyText(form="transformers", architecture="mobilebert", config=sizes), trained=True).eval()
    assert tower.width == 32
    assert tower.words.shape == (50, 16)
    assert tower(TEXTS).shape == (2, 5, 32)
    with pytest.raises(UserError, match=r"model.text: nothing cannot be had"):
        AnyTextTower(AnyText(form="transformers", architecture="nothing"), trained=False)
