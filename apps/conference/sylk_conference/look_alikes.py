"""Names that look alike: folded to one form, so that nobody passes for somebody else.

This is the idea of the skeleton of Unicode Technical Standard 39, section 4, with a small table of
our own: the letters of Cyrillic, Greek, Armenian and Cherokee and the small capitals that pass for
Latin ones, the digits and strokes that pass for letters, the pairs that pass for one letter. No
library for Python that is kept up has the whole table. Width and the mathematical alphabets are
folded by NFKD; accents are left alone, as they tell names apart.

A form is only good for comparing: it is no name. It is taken of a name as it is shown, because
capitals look like other letters than small ones do: the Cyrillic "Н" like "H", "I" like "l". As "I"
is the capital of another letter as well, a name has two looks.
"""

import unicodedata

_PASS_FOR = {
    "A": "ΑАᎪ",
    "B": "ΒВᏴ",
    "C": "СϹᏟ",
    "D": "Ꭰ",
    "E": "ΕЕᎬ",
    "F": "Ϝ",
    "G": "ԌᏀ",
    "H": "ΗНᎻ",
    "I": "ΙІӀ",
    "J": "ЈͿᎫ",
    "K": "ΚКᏦ",
    "L": "Ꮮ",
    "M": "ΜМϺᎷ",
    "N": "Ν",
    "O": "ΟОՕ0०০๐໐ഠဝ",
    "P": "ΡРᏢ",
    "Q": "Ԛ",
    "R": "ᎡᏒ",
    "S": "ЅᏚՏ",
    "T": "ΤТᎢ",
    "U": "Ս",
    "V": "ѴᏙ",
    "W": "ԜᎳ",
    "X": "ΧХ",
    "Y": "ΥУҮ",
    "Z": "ΖᏃ",
    "a": "αаɑᴀ",
    "b": "Ьʙ",
    "c": "сϲᴄ",
    "d": "ԁᴅ",
    "e": "еᴇ",
    "f": "ƒꜰ",
    "g": "ɡɢ",
    "h": "һհʜ",
    "i": "іιıɪ",
    "j": "јϳȷᴊ",
    "k": "κкᴋ",
    "l": "ӏ1|ǀ∣ʟ",
    "m": "мᴍ",
    "n": "ոռɴ",
    "o": "οоօσᴏ",
    "p": "ρрᴘ",
    "q": "ԛզ",
    "r": "гʀ",
    "s": "ѕꜱ",
    "t": "τтᴛ",
    "u": "υսʋᴜ",
    "v": "νѵᴠ",
    "w": "ԝѡաᴡ",
    "x": "χх",
    "y": "уγүʏ",
    "z": "ᴢ",
    "'": "’‘ʼ`´′",
    "-": "‐‑‒–—−_",
}

_TABLE = {ord(one): target for target, others in _PASS_FOR.items() for one in others}
_PAIRS = (("rn", "m"), ("vv", "w"))


def looks_of(name: str) -> set[str]:
    """Return what `name` looks like: names that share a look are hard to tell apart."""
    letters = unicodedata.normalize("NFKD", name).translate(_TABLE)
    return {_fold(letters), _fold(letters.replace("I", "l"))}


def _fold(letters: str) -> str:
    look = letters.casefold()
    for pair, letter in _PAIRS:
        look = look.replace(pair, letter)
    return unicodedata.normalize("NFKD", look)
