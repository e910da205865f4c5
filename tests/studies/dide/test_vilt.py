"""The fusion stack against transformers' ViLT, padding included."""

import pytest
import torch
from transformers import ViltConfig, ViltModel

from compactvl.nn.vilt import from_transformers
from compactvl.studies.dide.images import ImageBatch
from compactvl.studies.dide.settings import PixelImages, Trunk
from compactvl.studies.dide.stack import Stack
from compactvl.text.batches import TokenBatch

TRUNK = Trunk(weights="any", layers=3, width=48, heads=4, hidden=96, vocabulary=60, positions=12, longest=12, dropout=0)
IMAGES = PixelImages(input="pixels", patch=16, grid=3)


@pytest.fixture(scope="module")
def theirs() -> ViltModel:
    torch.manual_seed(0)
    config = ViltConfig(
        vocab_size=60, hidden_size=48, num_hidden_layers=3, num_attention_heads=4, intermediate_size=96,
        max_position_embeddings=12, image_size=48, patch_size=16, modality_type_vocab_size=2, layer_norm_eps=1e-6,
        max_image_length=-1,
    )  # fmt: skip
    model = ViltModel(config).eval()
    # Everything that begins at zero or one gets values that would show if it were lost.
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 1 or "position" in name or "cls_token" in name:
                parameter.add_(0.3 * torch.randn_like(parameter))
    # BERT's norm of the embeddings has an eps of its own in the released code.
    model.embeddings.text_embeddings.LayerNorm.eps = 1e-12
    return model


def batch() -> tuple[TokenBatch, torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    texts = TokenBatch.of([[2, 7, 9, 3], [2, 8, 3], [2, 5, 6, 11, 13, 3]])
    pixels, mask = torch.zeros(3, 3, 64, 80), torch.zeros(3, 64, 80, dtype=torch.bool)
    for row, (h, w) in enumerate([(64, 80), (48, 80), (64, 16)]):
        pixels[row, :, :h, :w] = torch.randn(3, h, w)
        mask[row, :h, :w] = True
    return texts, pixels, mask


def test_the_stack_computes_what_vilt_does(theirs: ViltModel) -> None:
    stack = Stack(TRUNK, IMAGES).eval()
    stack.load_state_dict(from_transformers(theirs.state_dict(), 3))
    texts, pixels, mask = batch()
    with torch.no_grad():
        torch.manual_seed(3)  # theirs draws the order of patches
        wanted = theirs(texts.ids, texts.mask.long(), pixel_values=pixels, pixel_mask=mask.long())
        image, there = stack.embed_image(ImageBatch(pixels, mask))
        x, seen = torch.cat([stack.embed_text(texts), image], 1), torch.cat([texts.mask, there], 1)
        whole = stack.encode(x, seen)
        first = stack.encode(x, seen, row=0)
        pooled = stack.pool(x, seen)
    assert seen.sum(1).tolist() == [4 + 1 + 20, 3 + 1 + 15, 6 + 1 + 4]
    torch.testing.assert_close(whole[:, 0], first, atol=1e-5, rtol=0)
    torch.testing.assert_close(pooled, wanted.pooler_output, atol=1e-5, rtol=0)
    length = texts.ids.shape[1]
    words = texts.mask
    theirs_text = wanted.last_hidden_state[:, :length][words]
    torch.testing.assert_close(whole[:, :length][words], theirs_text, atol=1e-5, rtol=0)
    # Patches stay in the order of rows; theirs are shuffled, so the sums are compared.
    torch.testing.assert_close(whole[0, length:].sum(0), wanted.last_hidden_state[0, length:].sum(0), atol=1e-3, rtol=0)


def test_what_is_padded_changes_nothing(theirs: ViltModel) -> None:
    stack = Stack(TRUNK, IMAGES).eval()
    stack.load_state_dict(from_transformers(theirs.state_dict(), 3))
    texts, pixels, mask = batch()
    with torch.no_grad():
        image, there = stack.embed_image(ImageBatch(pixels, mask))
        together = stack.encode(
            torch.cat([stack.embed_text(texts), image], 1), torch.cat([texts.mask, there], 1), row=0
        )
        for row, (h, w) in enumerate([(64, 80), (48, 80), (64, 16)]):
            alone = texts.pick(torch.tensor([row]))
            image, _ = stack.embed_image(ImageBatch(pixels[row : row + 1, :, :h, :w]))
            found = stack.encode(torch.cat([stack.embed_text(alone), image], 1), None, row=0)
            torch.testing.assert_close(found[0], together[row], atol=1e-5, rtol=0)


def test_a_second_image_begins_as_the_first() -> None:
    config = ViltConfig(hidden_size=24, num_hidden_layers=1, num_attention_heads=2, intermediate_size=48, vocab_size=9)
    state = from_transformers(ViltModel(config).state_dict(), 1)
    assert state["modality.weight"].shape == (3, 24)
    assert torch.equal(state["modality.weight"][1], state["modality.weight"][2])
