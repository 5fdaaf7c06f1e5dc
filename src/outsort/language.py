"""Words of grammar, not content; and whether a text is in another language than the rows of a model."""

from collections.abc import Container, Sequence

#: The commonest words of the languages that business is done in, without those that are English words as well.
FUNCTION_WORDS = frozenset(
    " ".join(
        (
            # Spanish, Portuguese, Catalan
            "el los las del para con por una que como más está sus entre hasta sobre según y o os das dos da ao",
            "não uma pelo pela são também amb els dels",
            # French, Italian, Romanian
            "le la les des du une pour avec dans sur et est aux ou vos nos votre notre il lo gli della delle dei",
            "nel nella di che sono și în pentru cu din este sau",
            # German, Dutch, Afrikaans
            "der das und für mit von dem ein eine einer eines wir sie ist sind bei zur zum auf oder als nach het",
            "een voor met en zijn wij onze bij naar niet vir nie",
            # Danish, Norwegian, Swedish, Finnish
            "og av til som på ikke er vi att och för är inte ett vår ja sekä että",
            # Polish, Czech, Hungarian, Turkish
            "w z na oraz dla jest się od przez je se ve és egy az hogy nem bir için ile olarak",
            # Indonesian, Malay, Filipino, Swahili
            "yang dan untuk dengan dari pada adalah atau ng mga sa ang ay kung ako ya wa za kwa katika",
            # Hindi in Latin letters, Vietnamese
            "hai ka ki ke aur và của các là được",
        )
    ).split()
)
#: English words of grammar and style, not content.
ENGLISH_FUNCTION_WORDS = """
    a an the this that these those some any each every all both no not only also too very just so as such
    and or but if then than because while when where which who whose what how
    of in on at by for from to into onto with without within over under between through per via about
    i we you he she it they me us him her them my our your his its their
    is are was were be been being am do does did has have had
    can could may might must shall should will would
    please need needs needed want wanted looking hi hello thanks someone there here out up
""".split()  # noqa: SIM905 - a list of a hundred quoted words is harder to read
#: With a smaller share of known words a text is looked at; so many different words of another language, and so large a
#: share of its words, show one.
LOOKED_AT_BELOW, LEAST_WORDS, LEAST_SHARE = 0.6, 2, 0.15
#: The last code point of Latin letters.
_LAST_LATIN = 0x24F


def is_foreign(words: Sequence[str], vocabulary: Container[str], own: Container[str]) -> bool:
    """Return whether words are of another language than those a model knows.

    They are if enough of them are function words of other languages, or in a script unknown to the model; or if one
    is, or is unknown and has letters that English lacks, and the model knows none of the other words.

    Args:
        words: the words of a text that contain a letter.
        vocabulary: the terms that the model knows.
        own: the function words that are common in its rows: to a model of German rows, German is not foreign.

    >>> is_foreign("servicios de limpieza para los edificios".split(), {"de", "edificios"}, set())
    True
    >>> is_foreign("rédaction de contrats".split(), {"de"}, {"de"})
    True
    >>> is_foreign("deed of sale by juan de la cruz".split(), {"of", "sale", "by", "de"}, set())
    False
    """
    marks = [
        word
        for word in words
        if (word in FUNCTION_WORDS and word not in own)
        or (min(map(ord, word)) > _LAST_LATIN and word not in vocabulary)
    ]
    if len(set(marks)) >= LEAST_WORDS and len(marks) >= LEAST_SHARE * len(words):
        return True
    # Words of two letters, such as "de", are at home in many languages.
    others = [word for word in words if len(word) > 2 and word not in FUNCTION_WORDS and word not in marks]
    if any(word in vocabulary for word in others):
        return False
    # One word alone may be a name.
    return len(others) > 1 and (bool(marks) or not all(map(str.isascii, others)))
