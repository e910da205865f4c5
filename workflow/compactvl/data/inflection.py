"""English inflection: regular spellings, the irregular verbs and nouns that newspapers use, and the things captions name."""

from collections.abc import Iterator, Mapping

VOWELS = "aeiou"
# base: past, participle; only where the two differ and no other form is in common use ("has showed", "was proved").
IRREGULAR_VERBS = {
    "arise": ("arose", "arisen"), "become": ("became", "become"), "begin": ("began", "begun"),
    "bite": ("bit", "bitten"), "blow": ("blew", "blown"), "break": ("broke", "broken"), "choose": ("chose", "chosen"),
    "do": ("did", "done"), "come": ("came", "come"), "draw": ("drew", "drawn"), "drink": ("drank", "drunk"),
    "drive": ("drove", "driven"), "eat": ("ate", "eaten"), "fall": ("fell", "fallen"), "fly": ("flew", "flown"),
    "forbid": ("forbade", "forbidden"), "forgive": ("forgave", "forgiven"), "freeze": ("froze", "frozen"),
    "give": ("gave", "given"), "go": ("went", "gone"), "grow": ("grew", "grown"), "know": ("knew", "known"),
    "mistake": ("mistook", "mistaken"), "overcome": ("overcame", "overcome"), "ride": ("rode", "ridden"),
    "ring": ("rang", "rung"), "rise": ("rose", "risen"), "run": ("ran", "run"), "see": ("saw", "seen"),
    "shake": ("shook", "shaken"), "sing": ("sang", "sung"), "speak": ("spoke", "spoken"), "steal": ("stole", "stolen"),
    "swear": ("swore", "sworn"), "swim": ("swam", "swum"), "take": ("took", "taken"), "tear": ("tore", "torn"),
    "throw": ("threw", "thrown"), "undergo": ("underwent", "undergone"), "undertake": ("undertook", "undertaken"),
    "wear": ("wore", "worn"), "withdraw": ("withdrew", "withdrawn"), "write": ("wrote", "written"),
}  # fmt: skip
# base: past, where past and participle are the same word.
IRREGULAR_PASTS = {
    "bring": "brought", "build": "built", "buy": "bought", "catch": "caught", "feel": "felt", "fight": "fought",
    "find": "found", "get": "got", "hear": "heard", "hold": "held", "keep": "kept", "lead": "led", "leave": "left",
    "lose": "lost", "make": "made", "mean": "meant", "meet": "met", "pay": "paid", "say": "said", "seek": "sought",
    "sell": "sold", "send": "sent", "sit": "sat", "sleep": "slept", "spend": "spent", "stand": "stood",
    "teach": "taught", "tell": "told", "think": "thought", "understand": "understood", "win": "won",
}  # fmt: skip
IRREGULAR_NOUNS = {
    "man": "men", "woman": "women", "child": "children", "foot": "feet", "tooth": "teeth", "life": "lives",
    "wife": "wives", "half": "halves", "leaf": "leaves", "knife": "knives", "self": "selves", "analysis": "analyses",
    "basis": "bases", "crisis": "crises", "gentleman": "gentlemen", "photo": "photos", "piano": "pianos",
}  # fmt: skip
"""The nouns that minimal pairs are made with."""
ALL_IRREGULAR_NOUNS = IRREGULAR_NOUNS | {
    "mouse": "mice", "goose": "geese", "ox": "oxen", "wolf": "wolves", "loaf": "loaves", "scarf": "scarves",
    "cactus": "cacti", "fish": "fish", "sheep": "sheep", "deer": "deer", "moose": "moose", "bison": "bison",
    "shrimp": "shrimp", "squid": "squid", "snowman": "snowmen", "avocado": "avocados", "kimono": "kimonos",
    "banjo": "banjos", "burrito": "burritos", "taco": "tacos", "yo-yo": "yo-yos", "flamingo": "flamingos",
    "dingo": "dingos", "dodo": "dodos",
}  # fmt: skip
AN_BEFORE_CONSONANT_LETTER = ("hour",)
A_BEFORE_VOWEL_LETTER = ("uni", "eu", "one", "ut")


def third_person(base: str) -> str:
    """Return a verb's form for *he*; nouns' plurals are spelled the same way.

    >>> third_person("carry"), third_person("go"), third_person("have"), third_person("watch")
    ('carries', 'goes', 'has', 'watches')
    """
    if base == "have":
        return "has"
    if base.endswith(("s", "x", "z", "ch", "sh")) or (base.endswith("o") and base[-2:-1] not in VOWELS):
        return base + "es"
    if base.endswith("y") and base[-2:-1] not in VOWELS:
        return base[:-1] + "ies"
    return base + "s"


def plural(noun: str, irregular: Mapping[str, str] = ALL_IRREGULAR_NOUNS) -> str:
    """Return the plural of a noun of one or more words; the last word is inflected.

    >>> plural("fire engine"), plural("leaf"), plural("cherry"), plural("bus"), plural("day")
    ('fire engines', 'leaves', 'cherries', 'buses', 'days')
    """
    head, space, last = noun.rpartition(" ")
    return head + space + (irregular.get(last) or third_person(last))


def article(word: str) -> str:
    """Return ``a`` or ``an`` for the word that follows it.

    >>> article("umbrella"), article("unicorn"), article("hourglass")
    ('an', 'a', 'an')
    """
    if word.startswith(A_BEFORE_VOWEL_LETTER):
        return "a"
    return "an" if word[0] in VOWELS or word.startswith(AN_BEFORE_CONSONANT_LETTER) else "a"


def with_ending(base: str, ending: str) -> Iterator[str]:
    """Yield the possible spellings of a verb with ``ed`` or ``ing``; a word list tells which is right.

    >>> list(with_ending("stop", "ing")), list(with_ending("hope", "ed")), list(with_ending("try", "ed"))
    (['stoping', 'stopping'], ['hoped'], ['tried'])
    """
    if base.endswith("e") and not base.endswith(("ee", "ye", "oe")):
        yield base[:-1] + ending
    elif base.endswith("y") and base[-2:-1] not in VOWELS and ending == "ed":
        yield base[:-1] + "ied"
    elif base.endswith("e") and ending == "ed":
        yield base + "d"
    else:
        yield base + ending
        if len(base) > 2 and base[-1] not in VOWELS + "wxy" and base[-2] in VOWELS:
            yield base + base[-1] + ending


def pasts_of(base: str) -> tuple[str, ...]:
    """Return the possible past forms of a verb, its participle among them.

    >>> pasts_of("take"), pasts_of("leave"), pasts_of("plan")
    (('took', 'taken'), ('left',), ('planed', 'planned'))
    """
    if base in IRREGULAR_VERBS:
        return IRREGULAR_VERBS[base]
    if base in IRREGULAR_PASTS:
        return (IRREGULAR_PASTS[base],)
    return tuple(with_ending(base, "ed"))
