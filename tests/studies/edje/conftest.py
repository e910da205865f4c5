from types import SimpleNamespace

import pytest
import torch

from compactvl.nn.bert import BertShape
from compactvl.studies.edje.model import JointModel
from compactvl.studies.edje.settings import JointEncoder
from compactvl.text.batches import TokenBatch

SEP = 1
BERT = BertShape(vocabulary=80, width=48, layers=3, heads=4, hidden=96, positions=64)


def variant(kind="compressed", tokens=5, width=24, patches=16, heads=3, mlm=0, **joint):
    """Settings of a joint encoder whose other sizes and parts are given."""
    return JointEncoder(
        kind="joint",
        encoder="e",
        vision={"tokens": patches, "width": width, "pooled": 1},
        dataset="d",
        first_stage="f",
        adapter={"kind": kind, "tokens": None if kind == "local" else tokens, "heads": heads, "hidden": 64},
        joint={"longest_caption": 16, "dropout": 0.0, **joint},
        objectives={"mlm": mlm},
        optimiser={"steps": 1},
    )


def build(recovery_dim=None, **sizes):
    torch.manual_seed(0)
    model = JointModel(variant(**sizes), BERT, recovery_dim)
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
    return SimpleNamespace(
        build=build,
        variant=variant,
        rows=rows,
        captions=TokenBatch.of(rows),
        patches=patches,
        sep=SEP,
        bert=BERT,
    )
