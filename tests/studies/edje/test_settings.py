import pytest

from compactvl.errors import UserError
from compactvl.studies.edje import STUDY

VISION = {"tokens": 64, "width": 384, "pooled": 384}
RETRIEVER = {
    "kind": "embedding",
    "encoder": "e",
    "vision": VISION,
    "text_encoder": "t",
    "dataset": "d",
    "optimiser": {"steps": 5},
}
JOINT = {
    "kind": "joint",
    "encoder": "e",
    "vision": VISION,
    "dataset": "d",
    "first_stage": "retriever",
    "optimiser": {"steps": 5},
}
LATE = {
    "kind": "late_interaction",
    "encoder": "e",
    "vision": VISION,
    "dataset": "d",
    "adapter": {},
    "optimiser": {"steps": 5},
}


def resolve(**variants):
    return STUDY.revive({"retriever": RETRIEVER, **variants}, "v")


def test_defaults_are_the_papers():
    edje = resolve(edje=JOINT)["edje"]
    assert (edje.adapter.kind, edje.adapter.tokens, edje.adapter.hidden, edje.adapter.rescale) == (
        "compressed",
        64,
        8192,
        False,
    )
    assert (edje.joint.layers, edje.joint.longest_caption) == (12, 64)
    assert (edje.objectives.itm, edje.objectives.mlm, edje.objectives.mlm_rate, edje.objectives.recovery) == (
        1,
        1,
        0.5,
        1,
    )
    negatives = edje.negatives
    assert (negatives.miner, negatives.random_images, negatives.hard_share) == ("first_stage", 0, 1)
    assert (negatives.group, negatives.mode) == (1, "paper")
    optimiser = edje.optimiser
    assert (optimiser.lr, optimiser.weight_decay, optimiser.betas, optimiser.batch) == (3e-4, 0.05, (0.9, 0.999), 256)
    assert (optimiser.warmup, optimiser.schedule, optimiser.clip) == (100, "epoch_decay", None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "jiont"}, r'v\.x\.kind: unknown kind \'jiont\'; did you mean "joint"\?'),
        ({"kind": None}, r"v\.x\.kind: missing; one of control, embedding"),
        ({"adaptor": {}}, r'v\.x\.adaptor: unknown setting; did you mean "adapter"\?'),
        ({"adapter": {"token": 3}}, r'v\.x\.adapter\.token: unknown setting; did you mean "tokens"\?'),
        ({"adapter": {"tokens": 0}}, r"v\.x\.adapter\.tokens: input should be greater than or equal to 1 \(given: 0\)"),
        ({"adapter": {"kind": "local"}}, r"v\.x\.adapter: .*`tokens` is null with kind `local`"),
        ({"adapter": {"tokens": None}}, r"v\.x\.adapter: .*`tokens` is null with kind `local`"),
        ({"optimiser": {"steps": 5, "lr": -1}}, r"v\.x\.optimiser\.lr: input should be greater than 0"),
        ({"optimiser": {}}, r"v\.x\.optimiser\.steps: field required"),
        ({"joint": {"dropout": 1.0}}, r"v\.x\.joint\.dropout: input should be less than 1"),
        ({"objectives": {"mlm_rate": 2}}, r"v\.x\.objectives\.mlm_rate: input should be less than or equal to 1"),
        ({"objectives": {"distillation": 1}}, r"v\.x: .*`teacher` and a weight `objectives\.distillation`"),
        ({"teacher": "retriever"}, r"v\.x: .*`teacher` and a weight"),
        (
            {"teacher": "retriever", "objectives": {"distillation": 1}},
            r'v\.x\.teacher: needs joint, which variant "retriever" \(embedding\) is not; name x',
        ),
        ({"first_stage": "retriver"}, r'v\.x\.first_stage: unknown variant "retriver"; did you mean "retriever"\?'),
        (
            {"first_stage": "x"},
            r'v\.x\.first_stage: needs embedding, late interaction, pretrained, which variant "x" \(joint\) is not',
        ),
        ({"negatives": {"miner": "mine"}}, r'v\.x\.negatives\.miner: unknown variant "mine"'),
        (
            {"negatives": {"hard_share": -0.1}},
            r"v\.x\.negatives\.hard_share: input should be greater than or equal to 0",
        ),
        (
            {"start": {"adapter": "retriever"}},
            r'v\.x\.start\.adapter: needs joint, late interaction, which variant "retriever"',
        ),
        (
            {"start": {"joint": "late"}},
            r'v\.x\.start\.joint: needs joint, which variant "late" \(late interaction\) is not; name x',
        ),
        (
            {"start": {"adapter": "late"}, "adapter": {"tokens": 16}},
            r"v\.x\.adapter\.tokens: differs from that of start\.adapter late; they must be the same",
        ),
        (
            {"start": {"joint": "deep"}, "joint": {"layers": 3, "longest_caption": 32}},
            r"v\.x\.joint\.layers: differs from that of start\.joint deep",
        ),
        ({"first_stage": "late"}, r"v\.x\.objectives\.recovery: first stage late compares tokens"),
        (
            {"first_stage": "late", "objectives": {"recovery": 0}, "negatives": {"group": 4}},
            r"v\.x\.negatives\.group: first stage late",
        ),
        ({"vision": {"tokens": 64}}, r"v\.x\.vision\.width: field required"),
        ({"precision": "fp16"}, r"v\.x\.precision: input should be 'fp32' or 'bf16'"),
    ],
)
def test_each_bad_value_has_its_message(change, message):
    with pytest.raises(UserError, match=message):
        resolve(x={**JOINT, **change}, late=LATE, deep=JOINT)


def test_every_problem_is_reported_at_once():
    with pytest.raises(UserError) as caught:
        resolve(
            a={**JOINT, "adaptor": 1}, b={**JOINT, "precision": "x"}, c={"kind": "control", "of": "a", "control": "y"}
        )
    assert len(str(caught.value).splitlines()) == 3
