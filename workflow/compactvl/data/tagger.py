"""Universal tags by a spaCy pipeline, for texts without gold tags. spaCy is optional: only a ``tagger`` setting needs it."""

from collections.abc import Callable

from compactvl.errors import UserError

# Universal Dependencies → Petrov et al. (2012); what is not here has the same name.
FROM_UD = {
    "AUX": "VERB", "CCONJ": "CONJ", "INTJ": "PRT", "PART": "PRT", "PROPN": "NOUN", "PUNCT": ".", "SCONJ": "ADP",
    "SPACE": "X", "SYM": "X", "": "X",
}  # fmt: skip


def load_tagger(pipeline: str | None, where: str) -> Callable[[str], str]:
    """Return a function from a text, words separated by single spaces, to its tags, one a word; ``""`` without pipeline.

    A word that the pipeline cuts up ("dog." is *dog* and *.*) has the tag of its first piece that is no punctuation.

    Raises:
        UserError: spaCy or the pipeline is not installed; ``where`` is the setting's place.
    """
    if pipeline is None:
        return lambda text: ""
    try:
        import spacy
    except ImportError:
        raise UserError(f"{where}: spaCy is not installed; 'pip install spacy' and the pipeline, or set null") from None
    try:
        nlp = spacy.load(pipeline, exclude=["parser", "ner"])
    except OSError:
        raise UserError(
            f"{where}: spaCy has no pipeline {pipeline!r}; 'python -m spacy download {pipeline}' or give its path"
        ) from None

    def tag(text: str) -> str:
        pieces = [(token.idx, FROM_UD.get(token.pos_, token.pos_)) for token in nlp(text)]
        tags, start = [], 0
        for word in text.split(" "):
            end = start + len(word)
            own = [tag for at, tag in pieces if start <= at < end] or ["X"]
            tags.append(next((tag for tag in own if tag != "."), own[0]))
            start = end + 1
        return " ".join(tags)

    return tag
