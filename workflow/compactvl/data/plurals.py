"""English plurals and the indefinite article, for the nouns that captions use."""

IRREGULAR = {
    "mouse": "mice",
    "goose": "geese",
    "ox": "oxen",
    "foot": "feet",
    "tooth": "teeth",
    "leaf": "leaves",
    "knife": "knives",
    "wolf": "wolves",
    "loaf": "loaves",
    "scarf": "scarves",
    "cactus": "cacti",
    "fish": "fish",
    "sheep": "sheep",
    "deer": "deer",
    "moose": "moose",
    "bison": "bison",
    "shrimp": "shrimp",
    "squid": "squid",
    "snowman": "snowmen",
    "piano": "pianos",
    "photo": "photos",
    "avocado": "avocados",
    "kimono": "kimonos",
    "banjo": "banjos",
    "burrito": "burritos",
    "taco": "tacos",
    "radio": "radios",
    "yo-yo": "yo-yos",
    "flamingo": "flamingos",
    "dingo": "dingos",
    "dodo": "dodos",
    "kangaroo": "kangaroos",
    "igloo": "igloos",
}
AN_BEFORE_CONSONANT_LETTER = ("hour",)
A_BEFORE_VOWEL_LETTER = ("uni", "eu", "one", "ut")


def plural(noun: str) -> str:
    """Return the plural of a noun of one or more words; the last word is inflected.

    >>> plural("fire engine"), plural("leaf"), plural("cherry"), plural("bus")
    ('fire engines', 'leaves', 'cherries', 'buses')
    """
    head, _, last = noun.rpartition(" ")
    if last in IRREGULAR:
        inflected = IRREGULAR[last]
    elif last.endswith(("s", "x", "z", "ch", "sh")) or (last.endswith("o") and last[-2:-1] not in "aeiou"):
        inflected = last + "es"
    elif last.endswith("y") and last[-2:-1] not in "aeiou":
        inflected = last[:-1] + "ies"
    else:
        inflected = last + "s"
    return f"{head} {inflected}" if head else inflected


def article(word: str) -> str:
    """Return ``a`` or ``an`` for the word that follows it.

    >>> article("umbrella"), article("unicorn"), article("hourglass")
    ('an', 'a', 'an')
    """
    if word.startswith(A_BEFORE_VOWEL_LETTER):
        return "a"
    return "an" if word[0] in "aeiou" or word.startswith(AN_BEFORE_CONSONANT_LETTER) else "a"
