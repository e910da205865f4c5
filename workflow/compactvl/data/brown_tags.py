"""Brown tags → the twelve universal tags of Petrov, Das and McDonald (2012), as their map ``en-brown`` has them.

A Brown tag is a base (``vbz``), perhaps negated (``bez*``) or possessive (``nn$``), perhaps of two words written
together (``pps+bez`` for "it's"), perhaps marked as in a title, headline or cited (``-tl``, ``-hl``, ``-nc``), perhaps
foreign (``fw-``). The map's choices, odd ones kept: subordinators are ADP, pre-quantifiers and existential *there* PRT,
indefinite pronouns (``pn``) NOUN, a subject with its verb ("it's", "who'd") PRT, everything foreign X.
"""

import re

from compactvl.errors import UserError

UNIVERSAL = ("NOUN", "VERB", "ADJ", "ADV", "PRON", "DET", "ADP", "NUM", "CONJ", "PRT", "X", ".")
_BASES = {
    ".": "' '' ( ) , -- . : ``",
    "ADJ": "ap jj jjr jjs jjt od",
    "ADP": "cs in",
    "ADV": "* ql qlp rb rbr rbt rn wql wrb",
    "CONJ": "cc",
    "DET": "abx at dt dt$ dti dts dtx pp$ wdt wp$",
    "NOUN": "cd$ nn nn$ nns nns$ np np$ nps nps$ nr nr$ nrs pn pn$",
    "NUM": "cd",
    "PRON": "pp$$ ppl ppls ppo pps ppss wpo wps",
    "PRT": "abl abn ap$ ex jj$ rb$ rp to uh",
    "VERB": "be bed bedz beg bem ben ber bez do dod doz hv hvd hvg hvn hvz md vb vbd vbg vbn vbz",
    "X": "nil",
}
BASES = {base: tag for tag, bases in _BASES.items() for base in bases.split()}
# Two words written together: a word that is no verb before a verb, or a particle before anything, is PRT.
_VERBAL = re.compile(r"(be|do|hv|md|vb)")
_FUSED_PRT = ("rp+in", "wrb+in")
_FUSED_X = ("do+ppss", "wdt+ber+pp", "wdt+do+pps")
_MARK = re.compile(r"(?<=.)(-(tl|hl|nc|n|t))+$")


def bare(tag: str) -> str:
    """Return a tag without the marks of titles, headlines and citations.

    >>> bare("nn-tl-hl"), bare("---hl"), bare("--")
    ('nn', '--', '--')
    """
    return _MARK.sub("", tag)


def universal(tag: str) -> str:
    """Return the universal tag of a Brown tag, in either case of letters.

    >>> universal("NN-TL"), universal("pps+bez"), universal("md*"), universal("fw-in+at-tl")
    ('NOUN', 'PRT', 'VERB', 'X')

    Raises:
        UserError: no tag of the Brown corpus.
    """
    base = bare(tag.lower())
    if base.startswith("fw-") or base in _FUSED_X:
        return "X"
    if base in BASES:
        return BASES[base]
    first, fused, rest = base.partition("+")
    first = first.removesuffix("*")
    if first not in BASES or (fused and not all(part.removesuffix("*") in BASES for part in rest.split("+"))):
        raise UserError(f"{tag!r} is not a tag of the Brown corpus; check the corpus file")
    if fused and (base in _FUSED_PRT or (not _VERBAL.match(first) and _VERBAL.match(rest))):
        return "PRT"
    return BASES[first]
