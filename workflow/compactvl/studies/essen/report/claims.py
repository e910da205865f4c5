"""ESsEN's claims, each as a test on the variants of this benchmark."""

from functools import partial

from compactvl.evaluation.statistics import Interval
from compactvl.reporting.claims import OPEN, Claim, Outcome, greater, judge, missing, points
from compactvl.reporting.paired import Measure, about, above_chance, absent, better, contrast, difference, versus
from compactvl.studies.essen.report.published import MARGIN
from compactvl.studies.essen.report.results import EASY, REFER, EssenResults

METRIC = "macro"
LITTLE = 0.25
"""Share of the images below which data counts as scarce."""


def essen_claims(*, one: str, vit: str, cnn: str) -> list[Claim]:
    """Return the paper's claims, those of the authors' platform, the question they leave open, and our controls.

    Args:
        one: one tower. vit, cnn: two towers with a ViT, and with a CNN, of as many parameters.
    """

    def wins(a: str, b: str) -> partial:
        return partial(better, pairs=versus(a, b, EASY, METRIC))

    # fmt: off
    return [
        Claim("two_vit", "At equal parameters two towers with a ViT are better than one tower.", wins(vit, one)),
        Claim("two_cnn", "At equal parameters two towers with a CNN are better than one tower.", wins(cnn, one)),
        Claim("scarce", "With a quarter of the data or less two towers with a CNN are better than one tower.",
              partial(_scarce, one=one, two=cnn)),
        Claim("cnn", "At equal parameters a CNN is a better vision tower than a ViT.", wins(cnn, vit)),
        Claim("fusion", f"The cross-modal layers' shape can vary: no shape is more than {100 * MARGIN:g} points worse.",
              partial(_shapes, variant=cnn)),
        Claim("frozen", f"Freezing the pretrained vision tower costs at most {100 * MARGIN:g} points.",
              partial(about, a=Measure("start_frozen", EASY, METRIC), b=Measure("start_pretrained", EASY, METRIC), margin=MARGIN)),
        Claim("mixed_text", "Pretraining the text tower alone is worse than none.", wins("start_random", "start_text")),
        Claim("mixed_vision", "Pretraining the vision tower alone is worse than none.", wins("start_random", "start_vision")),
        Claim("pretrained", "Pretraining both towers is better than none.", wins("start_pretrained", "start_random")),
        Claim("captions", "Training on captions before the task improves it (referring).",
              partial(better, pairs=versus("refer", "refer_towers", REFER, METRIC)), "question"),
        Claim("shrinks", "The advantage of two towers shrinks as data grows: it is larger on an eighth than on all.",
              partial(_shrinks, one=one, two=cnn), "question"),
        Claim("sees", "Two towers read the image: they answer better than with images exchanged.",
              wins(cnn, "shuffled_images"), "control"),
        Claim("not_blind", "They answer better than the same model that was trained on grey images.", wins(cnn, "blind"), "control"),
        Claim("one_sees", "One tower answers better than a model that was trained on grey images.", wins(one, "blind"), "control"),
        Claim("above_chance", "One tower is above chance.",
              partial(above_chance, measure=Measure(one, EASY, METRIC)), "control"),
    ]
    # fmt: on


def _pairs_by_share(study: EssenResults, one: str, two: str) -> dict[float, tuple[Measure, Measure]]:
    """Share of the data → two towers and one tower trained on it."""
    found = [{study.share(name): Measure(name, EASY, METRIC) for name in study.shares(arm)} for arm in (two, one)]
    return {share: (found[0][share], found[1][share]) for share in sorted(found[0].keys() & found[1].keys())}


def _scarce(study: EssenResults, *, one: str, two: str) -> Outcome:
    pairs = {share: pair for share, pair in _pairs_by_share(study, one, two).items() if share <= LITTLE}
    if not pairs:
        return missing("both arms on a quarter of the data or less")
    return greater({f"on {share:g} of the images": difference(study, pair) for share, pair in pairs.items()})


def _shapes(study: EssenResults, *, variant: str) -> Outcome:
    others = [name for name in study.shapes(variant) if name != variant]
    if len(others) < 2:
        return missing("three shapes of the cross-modal layers")
    base = Measure(variant, EASY, METRIC)
    found = {study.label(name): difference(study, (Measure(name, EASY, METRIC), base)) for name in others}
    return greater(found, MARGIN)


def _shrinks(study: EssenResults, *, one: str, two: str) -> Outcome:
    """Judge whether the difference on the smallest share is larger than that on all of the data, item by item."""
    pairs = _pairs_by_share(study, one, two)
    if len(pairs) < 2 or 1.0 not in pairs:
        return missing("both arms on a share of the data, and on all of it")
    least = min(pairs)
    if lacking := absent(study, *pairs[least], *pairs[1.0]):
        return lacking
    found = change(study, pairs[least], pairs[1.0])
    each = "; ".join(f"on {share:g} of the images {points(difference(study, pair))}" for share, pair in pairs.items())
    evidence = f"{points(found)} more on {least:g}; {each}"
    rises = [
        rise[1] - rise[0] for pair in (pairs[least], pairs[1.0]) for one in pair if (rise := study.rise(one.variant))
    ]
    if max(rises, default=0.0) > MARGIN:
        late = f"validation still rose by {100 * max(rises):.1f} points at the end: these runs had not converged"
        return Outcome(OPEN, f"{evidence}; {late}")
    return Outcome(judge([found]), evidence)


def change(study: EssenResults, a: tuple[Measure, Measure], b: tuple[Measure, Measure]) -> Interval:
    """Return (mean, low, high) of a difference minus another, over the same items."""
    return contrast(study, [(a[0], 1.0), (a[1], -1.0), (b[0], -1.0), (b[1], 1.0)])
