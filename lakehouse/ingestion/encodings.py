"""In which encoding a file is written, told from its bytes: text of one encoding reads as nonsense in another.

A multi-byte encoding accepts nearly every pair of bytes, so a decoder notices nothing. What tells is which characters
come out: each standard has its usual characters (level 1) in a block of their own, where nearly all real text lies and
where text of another encoding falls by chance only. So a reading costs bits: few for a usual character, many for a rare
one; the encoding that needs the fewest is the file's. (charset-normalizer, which compares text with the letters of
languages, takes a third of the short files of Chinese names for Korean ones.)
"""

import codecs
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

_LONGEST = 1 << 20  # bytes of a line
_MOST_RUNS = 1000  # different ones; more say the same
_CLEAR = 50.0  # bits: odds of 10^15
_USUAL = 0.95  # share of the characters beyond ASCII that are usual ones
_RARE_BITS = math.log2(24_000 / (1 - _USUAL))  # of any other character: as many as GB 18030 has in two bytes
_SECOND = 0.05  # share of the accented letters that follow another one
_ASCII_BITS, _UNREADABLE_BITS = math.log2(95), 20.0  # of a character, of a byte
# Bytes beyond ASCII, each with the byte that may belong to it.
_RUN = re.compile(rb"(?:[\x80-\xff][\x30-\xff]?)+")


@dataclass(frozen=True)
class _Encoding:
    codec: str
    leads: frozenset[int]  # first bytes of the usual characters
    usual: int  # number of the usual characters
    width: int = 2  # bytes of a usual character
    trail: int = 0xA1  # lowest last byte of a usual character


def _leads(*blocks: tuple[int, int]) -> frozenset[int]:
    return frozenset(lead for first, last in blocks for lead in range(first, last + 1))


_ENCODINGS = {
    item.codec: item
    for item in (
        _Encoding("gb18030", _leads((0xA4, 0xA5), (0xB0, 0xD7)), 3924),  # kana, GB 2312 level 1
        _Encoding("big5", _leads((0xA4, 0xC6)), 5401, trail=0x40),  # level 1
        _Encoding("euc_kr", _leads((0xB0, 0xC8)), 2350),  # Hangul
        _Encoding("euc_jp", _leads((0xA4, 0xA5), (0xB0, 0xCF)), 3134),  # kana, JIS X 0208 level 1
        _Encoding("shift_jis", _leads((0x82, 0x83), (0x88, 0x97)), 3134, trail=0x40),  # the same
        _Encoding("cp1252", _leads((0xC0, 0xFF)), 64, width=1),  # accented letters
    )
}
_FAMILIES = {"gbk": "gb18030", "gb2312": "gb18030", "cp949": "euc_kr", "cp932": "shift_jis", "iso8859-1": "cp1252"}


def another_encoding(lines: Iterable[bytes], encoding: str) -> str | None:
    """The encoding in which the lines are far more probably written than in ``encoding``, by name; None: in no other.

    It takes some dozens of different words: fewer are not clear. None also if ``encoding`` is not among those compared
    (GB18030, Big5, EUC-KR, EUC-JP, Shift JIS, Windows-1252).
    """
    name = codecs.lookup(encoding).name
    own = _FAMILIES.get(name, name)
    if own not in _ENCODINGS:
        return None
    runs = _runs(lines)
    bits = {codec: sum(_bits(run, item) for run in runs) for codec, item in _ENCODINGS.items()}
    best = min(bits, key=lambda codec: (bits[codec], codec))
    return best.upper().replace("_", "-") if bits[own] - bits[best] >= _CLEAR else None


def _runs(lines: Iterable[bytes]) -> set[bytes]:
    """Different runs of bytes beyond ASCII, from the beginning."""
    runs: set[bytes] = set()
    for line in lines:
        if not line.isascii():
            runs.update(_RUN.findall(line[:_LONGEST]))
        if len(runs) >= _MOST_RUNS:
            break
    return runs


def _bits(run: bytes, encoding: _Encoding) -> float:
    """What the run costs, read in the encoding."""
    try:
        text = run.decode(encoding.codec)
    except UnicodeDecodeError:
        return _UNREADABLE_BITS * len(run)
    bits, follows = 0.0, False
    for character in text:
        if character.isascii():
            bits, follows = bits + _ASCII_BITS, False
            continue
        written = character.encode(encoding.codec)
        is_usual = len(written) == encoding.width and written[0] in encoding.leads and written[-1] >= encoding.trail
        bits += math.log2(encoding.usual / _USUAL) if is_usual else _RARE_BITS
        if follows and encoding.width == 1:
            bits -= math.log2(_SECOND)
        follows = True
    return bits
