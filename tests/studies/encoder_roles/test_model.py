"""The model's parts, each against an independent computation; sizes counted; masks."""

import pytest
import torch
from sklearn.decomposition import PCA
from transformers import BertConfig, BertModel

from compactvl.errors import UserError
from compactvl.nn.bert import from_transformers
from compactvl.nn.grids import resample
from compactvl.studies.encoder_roles import STUDY
from compactvl.studies.encoder_roles.model import RolesModel, Whitener, count_parameters, mask_features
from compactvl.studies.encoder_roles.settings import Whitening
from compactvl.text.batches import TokenBatch

SETS = {"asked": {"images": "drawn", "batch": 4, "answers": 3}, "read": {"batch": 2, "answers": 5}}
BODY = {
    "kind": "subset", "encoders": {"a": 6, "b": 10}, "sets": SETS, "text_encoder": "mini", "text_width": 12, "grid": 2,
    "whitening": {"components": 4}, "text_whitening": {"components": 5}, "channels": 8, "hidden": 16, "width": 16,
    "reader": {"kind": "attention", "heads": 2, "hidden": 20}, "optimiser": {"steps": 3, "batch": 6},
}  # fmt: skip


def subset(**changed):
    return STUDY.revive({"v": BODY | changed}, "x")["v"]


def tokens(model: RolesModel, images: int = 3) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    places = model.settings.grid**2
    return {
        name: whitener(torch.randn(images, places, model.settings.encoders[name], generator=generator))
        for name, whitener in model.whiteners.items()
    }


@pytest.fixture
def model():
    torch.manual_seed(0)
    found = RolesModel(subset()).eval()
    for whitener in (*found.whiteners.values(), found.reader.whitener):
        whitener.fit(torch.randn(64, len(whitener.mean)))
    return found


def test_whitening_is_sklearns_pca_with_the_sizes_evened_out():
    vectors = torch.randn(500, 9, generator=torch.Generator().manual_seed(0)) * torch.arange(1.0, 10)
    for strength in (0.0, 0.5, 1.0):
        whitener = Whitener(9, Whitening(components=4, strength=strength))
        whitener.fit(vectors)
        found, pca = whitener(vectors), PCA(4).fit(vectors)
        expected = torch.from_numpy(pca.transform(vectors) / pca.explained_variance_ ** (strength / 2)).float()
        expected = expected / expected.square().mean().sqrt()
        signs = (found * expected).sum(0).sign()
        torch.testing.assert_close(found, expected * signs, atol=2e-3, rtol=2e-3)
    assert torch.allclose(found.std(0), torch.ones(4), atol=0.01), "strength 1 makes every direction as large"


def test_without_components_numbers_keep_their_places():
    vectors = 3 + torch.randn(400, 5, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 2, 3, 4, 5])
    whitener = Whitener(5, Whitening(components=None, strength=1.0))
    whitener.fit(vectors)
    expected = (vectors - vectors.mean(0)) / vectors.std(0, correction=0)
    torch.testing.assert_close(whitener(vectors), expected, atol=1e-4, rtol=1e-4)


def test_grids_are_averaged():
    maps = torch.arange(16.0).reshape(1, 16, 1)
    assert resample(maps, 2).flatten().tolist() == [2.5, 4.5, 10.5, 12.5]
    assert resample(maps, 4).equal(maps)
    assert resample(torch.tensor([[[5.0]]]), 2).flatten().tolist() == [5, 5, 5, 5]
    with pytest.raises(UserError, match="no square map"):
        resample(torch.zeros(1, 5, 2), 2)


def test_places_and_channels_are_joined_as_said(model):
    given = tokens(model)
    features = model.features(given)
    assert features.shape == (3, 2, 4, 8)
    expected = torch.cat([model.adapters[name](given[name]) for name in ("a", "b")], -1)
    projected = model.norm(model.projector(expected) + model.position)
    torch.testing.assert_close(model.project(features), projected)


def test_a_question_reads_its_own_image(model):
    shown, asked = model.project(model.features(tokens(model))), torch.randn(4, 12)
    place = torch.tensor([2, 0, 0, 1])
    together = model.reader(asked, shown, place)
    assert together.shape == (4, 16)
    alone = torch.cat([model.reader(asked[[i]], shown[place[i]][None], torch.tensor([0])) for i in range(4)])
    torch.testing.assert_close(together, alone)
    assert model.heads["read"](together).shape == (4, 5)


def test_a_blind_model_reads_questions_alone():
    blind = RolesModel(subset(encoders={})).eval()
    assert blind.features({}) is None
    assert blind.project(None) is None
    assert blind.reader(torch.randn(2, 12), None, torch.tensor([0, 0])).shape == (2, 16)
    assert dict(count_parameters(blind.settings, {})).keys() == {"reader", "heads"}


def test_the_language_reader_is_transformers_bert_with_image_tokens_behind_the_words():
    settings = subset(
        encoders={"a": 6}, width=64, text_encoder=None, reader={"kind": "language_model", "weights": "w", "layers": 2}
    )
    model = RolesModel(settings).eval()
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 256}
    bert = BertModel(BertConfig(**sizes)).eval()
    state = from_transformers(bert.state_dict(), 2)
    model.reader.load_state_dict({key: state[key] for key in model.reader.state_dict()})
    rows = [[101, 2054, 2003, 102], [101, 2129, 102]]
    batch, tokens, place = TokenBatch.of(rows), torch.randn(2, 4, 64), torch.tensor([1, 0])
    with torch.no_grad():
        alone = bert(batch.ids, batch.mask.long()).last_hidden_state[:, 0]
        torch.testing.assert_close(model.reader(batch, None, place), alone, atol=1e-5, rtol=1e-4)
        together = model.reader(batch, tokens, place)
        for number, row in enumerate(rows):
            one = model.reader(TokenBatch.of([row]), tokens[place[number]][None], torch.tensor([0]))
            torch.testing.assert_close(together[number], one[0], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(together, alone, atol=1e-3), "it looks at the image"


def test_masks_replace_whole_encoders(model):
    features = model.features(tokens(model))
    model.mean_features.copy_(torch.full_like(model.mean_features, 7))
    zeroed, averaged = (mask_features(model, features, ["b"], fill) for fill in ("zero", "mean"))
    assert (zeroed[:, 0] == 0).all()
    assert (averaged[:, 0] == 7).all()
    for found in (zeroed, averaged):
        assert found[:, 1].equal(features[:, 1])
    assert mask_features(model, features, ["a", "b"], "zero").equal(features)


def test_an_aggregator_gives_as_much_for_any_number_of_encoders():
    for encoders in ({"a": 6}, {"a": 6, "b": 10}):
        settings = subset(encoders=encoders, fusion="aggregator")
        model = RolesModel(settings).eval()
        features = model.features(tokens(model))
        mixed = model.aggregator(features)
        assert mixed.shape == (3, 4, 8)
        one = torch.stack([model.aggregator(features[i : i + 1])[0] for i in range(3)])
        torch.testing.assert_close(mixed, one)


@pytest.mark.parametrize("fusion", ["concatenation", "aggregator"])
def test_subsets_of_every_size_can_have_as_many_parameters(fusion):
    wanted = 6000
    for encoders in ({"a": 6}, {"b": 10}, {"a": 6, "b": 10}):
        settings = subset(encoders=encoders, parameters=wanted, fusion=fusion)
        total = sum(number for _, number in count_parameters(settings, {}))
        assert total == sum(p.numel() for p in RolesModel(settings).parameters())
        assert abs(total - wanted) <= 8 * len(encoders) + 1 + 16


def test_parameters_are_counted_by_hand():
    parts = dict(count_parameters(subset(), {}))
    assert parts["adapters"] == 2 * (4 * 8 + 8)
    assert parts["projector"] == (16 * 16 + 16) + (16 * 16 + 16) + 2 * 16 + 4 * 16
    assert parts["heads"] == 16 * 3 + 3 + 16 * 5 + 5
    attention, mlp = 4 * 16 * 16 + 4 * 16, 16 * 20 + 20 + 20 * 16 + 16
    assert parts["reader"] == 5 * 16 + 16 + 3 * 2 * 16 + attention + mlp


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"optimiser": {"steps": 3, "batch": 7}}, "the sets' batches sum to 6, optimiser.batch is 7"),
        ({"reader": {"kind": "attention", "heads": 3}}, "reader.heads 3 does not divide width 16"),
        ({"sets": {}}, "sets"),
    ],
)
def test_what_does_not_fit_is_refused(changed, said):
    with pytest.raises(UserError, match=said):
        subset(**changed)
