"""What settings of DiDE's variants are refused, and how that is said."""

import pytest

from compactvl.errors import UserError
from compactvl.evaluation.benchmarks.classification import Settings as Classification
from compactvl.evaluation.benchmarks.retrieval import Settings as Retrieval


@pytest.mark.parametrize(
    ("name", "changed", "said"),
    [
        (
            "dual",
            {"teacher": None},
            "`teacher` and a weight of `losses.soft` or `losses.attention` above 0 go together",
        ),
        ("hard", {"losses": {"hard": 0, "soft": 0, "attention": {"weight": 0}}}, "attention alone trains neither"),
        ("dual_pairs", {"teacher": None}, "`teacher` and an `attention.weight` above 0 go together"),
        ("dual", {"teacher": "pair_teacher"}, "v.dual.teacher: pair_teacher was taught pairs, not asked"),
        ("dual", {"teacher": "dual_pairs"}, "needs fusion, which variant"),
        ("teacher", {"start": "dual"}, "needs fusion, fusion pairs"),
        (
            "teacher",
            {"images": {"input": "tokens", "encoder": "cam", "side": 4, "width": 12, "merge": 3}},
            "merge 3 does",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(small, name, changed, said):
    with pytest.raises(UserError) as caught:
        small(**{name: changed})
    assert said in str(caught.value)


def test_a_variant_must_look_like_the_one_it_begins_with(small):
    wider = {"input": "tokens", "encoder": "cam", "side": 4, "width": 12, "merge": 1}
    with pytest.raises(UserError, match=r"v.blind.images.merge: differs from that of start fused"):
        small(blind={"images": wider})


def test_a_variant_answers_its_own_task_alone(small):
    peers = small()
    asked = Classification(kind="classification", dataset="asked", images="drawn")
    other = Classification(kind="classification", dataset="annotated", images="drawn")
    assert peers["dual"].supports(asked, peers)[0]
    able, reason = peers["dual"].supports(other, peers)
    assert not able
    assert reason == "it answers asked, the benchmark asks annotated"


def test_retrieval_needs_vectors_that_were_trained_for_it(small):
    benchmark = Retrieval(kind="retrieval", dataset="drawn")
    peers = small()
    assert peers["dual_pairs"].supports(benchmark, peers)[0]
    peers = small(dual_pairs={"objectives": {}})
    assert "no similarity of vectors" in peers["dual_pairs"].supports(benchmark, peers)[1]


def test_what_is_read_is_named(small):
    needs = small()["dual"].training_needs(small())
    assert needs.datasets == {"asked", "drawn"}
    assert needs.tokens == {("cam", "drawn")}
    assert needs.weights == {"tiny"}
    assert small()["pixel_dual"].training_needs(small()).tokens == frozenset()
