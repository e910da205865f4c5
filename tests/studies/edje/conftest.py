from types import SimpleNamespace

import pytest
import torch

from compactvl.nn.bert import BertShape
from compactvl.studies.edje.model import AdapterShape, JointModel
from compactvl.text.batches import TokenBatch

SEP = 1
BERT = BertShape(vocabulary=80, width=48, layers=3, heads=4, hidden=96, positions=64)


def build(kind="compressed", tokens=5, **options):
    torch.manual_seed(0)
    model = JointModel(AdapterShape(kind, 24, tokens, 3, 64), BERT, longest_caption=16, **options)
    for name, parameter in model.named_parameters():
        if "norm" not in name:
            torch.nn.init.normal_(parameter, std=0.3)
    model.set_word_statistics()
    return model.eval()


@pytest.fixture
def tiny():
    generator = torch.Generator().manual_seed(1)
    rows = [[0, *torch.randint(3, 80, (n,), generator=generator).tolist(), SEP] for n in (4, 9, 6, 4, 1, 11)]
    patches = torch.randn(6, 16, 24, generator=generator)
    return SimpleNamespace(build=build, rows=rows, captions=TokenBatch.of(rows), patches=patches, sep=SEP, bert=BERT)
