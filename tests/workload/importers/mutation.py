"""Damage to files, as accidents and attackers do it: bytes, tokens and pieces are changed, lost or repeated."""

from __future__ import annotations

import random
import re

TOKENS = [
    b"0", b"-1", b"1", b"7", b"9223372036854775808", b"281474976710657", b"1e400", b"NaN", b"null", b"true", b"[]", b"{}",
    b'""', b'"x"', b"[[]]", b"*a", b"&a", b"!!python/object/apply:os.system", b"\x00", b"\xff\xfe", b",", b"\n", b": ",
]  # fmt: skip
_WORD = re.compile(rb"-?[0-9.]+|[A-Za-z_:]+")


def mutated(data: bytes, seed: int) -> bytes:
    """Return ``data`` with one to four random damages, the same for the same seed."""
    choose = random.Random(seed)
    for _ in range(choose.choice((1, 1, 1, 2, 4))):
        data = choose.choice((_byte, _token, _token, _token, _swap, _cut, _repeat))(data, choose)
    return data


def _byte(data: bytes, choose: random.Random) -> bytes:
    at = choose.randrange(len(data) + 1)
    return data[:at] + bytes([choose.randrange(256)]) + data[at + choose.choice((0, 1)) :]


def _token(data: bytes, choose: random.Random) -> bytes:
    words = list(_WORD.finditer(data))
    if not words:
        return data
    word = choose.choice(words)
    return data[: word.start()] + choose.choice(TOKENS) + data[word.end() :]


def _swap(data: bytes, choose: random.Random) -> bytes:
    words = list(_WORD.finditer(data))
    if len(words) < 2:
        return data
    first, second = sorted(choose.sample(words, 2), key=lambda word: word.start())
    return b"".join(
        (data[: first.start()], second[0], data[first.end() : second.start()], first[0], data[second.end() :])
    )


def _cut(data: bytes, choose: random.Random) -> bytes:
    at = choose.randrange(len(data) + 1)
    return data[:at] if choose.random() < 0.3 else data[:at] + data[at + choose.randrange(1, 60) :]


def _repeat(data: bytes, choose: random.Random) -> bytes:
    at = choose.randrange(len(data) + 1)
    piece = data[at : at + choose.randrange(1, 200)]
    return data[:at] + piece * choose.choice((2, 3, 50)) + data[at:]
