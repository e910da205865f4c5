"""Lists of words that the rules of minimal pairs treat specially."""


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Singular nouns that take a plural verb as well ("the family are").
COLLECTIVE = _set(
    """administration army audience band board bulk cast cent church class club committee community company congress
    council couple court crew crowd department enemy faculty family gang generation government group half house jury
    kind lot majority minority number orchestra pair party percent police population press public remainder rest senate
    series sort staff team type union variety"""
)
# Nouns with one form for both numbers, or whose number is loose ("these kind of").
ONE_FORM = _set(
    """aircraft counsel crossroads data deer dozen fish folk foot gallows headquarters hundred kind kinds means media
    million news offspring people pound series sheep sort sorts species statistics thousand type types works"""
)
# Before these, "were" may follow a singular subject.
UNREAL = _set("if unless lest wish wishes wished though although suppose supposing were whether would")
# After these, the base form may follow a singular subject.
SUBJUNCTIVE = _set(
    """advise advised ask asked asks command demand demanded demands desire desirable essential imperative important
    insist insisted insists lest may move moved necessary order ordered propose proposed proposes recommend recommended
    request requested require required requires suggest suggested suggests suggestion till until urge urged vital
    whether"""
)
ONE_DETERMINERS = _set("this that each every another a an one")
MANY_DETERMINERS = _set("these those many few several both two three four five six seven eight nine ten")
# After these, both cases of a pronoun are in use.
LIKE = _set("like than but as except save near nor so")
# After these a subject may stand ("... , said he").
SPEECH = _set(
    """added admitted agreed announced answer answered answering argue argued ask asked asking asks assured believe
    believed cried declared explain explained explaining informed inquired insisted observed promised reminded repeated
    replied reply said say saying says shouted snapped suggested tell telling tells think thinking thought told urged
    warned whispered wondered"""
)
LEFT_OUT_MODALS = _set("need needs needn't dare dared ought")
# Tags that may follow a verb whose form is wrong: nothing that a participle or a plural noun could belong to.
AFTER_VERB = _set("at dt dti dts ppo pp$ ppl ppls in rp to abn . , cs ex")
