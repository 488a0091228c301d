"""Threefry-2x32, the counter-based random number generator, in Python integers.

Threefry turns a counter and a key, two 32-bit words each, into two random 32-bit words. It
keeps no state: the same counter and key always give the same words. One round is

    x0 <- x0 + x1,      x1 <- rotate(x1, R),      x1 <- x1 xor x0        (modulo 2^32)

and the key is added before the first round and after every fourth one.

References
----------
Salmon, Moraes, Dror & Shaw (2011). Parallel random numbers: as easy as 1, 2, 3. SC'11.
"""

from __future__ import annotations

ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
PARITY = 0x1BD11BDA

# The published known answers of the authors' Random123 library (its file kat_vectors):
# rounds, counter, key, result. The last input of each is the first digits of pi.
ONES = 0xFFFFFFFF
PI = ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344))
KNOWN_ANSWERS = (
    (13, (0, 0), (0, 0), (0x9D1C5EC6, 0x8BD50731)),
    (13, (ONES, ONES), (ONES, ONES), (0xFD36D048, 0x2D17272C)),
    (13, *PI, (0xBA3E4725, 0xF27D669E)),
    (20, (0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    (20, (ONES, ONES), (ONES, ONES), (0x1CB996FC, 0xBB002BE7)),
    (20, *PI, (0xC4923A9C, 0x483DF7A0)),
    (32, (0, 0), (0, 0), (0xCEE3D47E, 0xA23DFD5C)),
    (32, (ONES, ONES), (ONES, ONES), (0x6E2FE0D0, 0xB1B76F82)),
    (32, *PI, (0xE2827716, 0xC3C05CDF)),
)


def add(a, b):
    """a + b modulo 2^32."""
    return (a + b) % 2**32


def rotate_left(word, n_bits):
    """The 32 bits of a word moved left, those that fall off coming back on the right."""
    return (word * 2**n_bits) % 2**32 + word // 2 ** (32 - n_bits)


def threefry2x32(counter, key, rounds=20):
    """Two random 32-bit words from a counter and a key of two 32-bit words each."""
    keys = (key[0], key[1], PARITY ^ key[0] ^ key[1])
    x0, x1 = add(counter[0], keys[0]), add(counter[1], keys[1])
    for done in range(1, rounds + 1):
        x0 = add(x0, x1)
        x1 = rotate_left(x1, ROTATIONS[(done - 1) % 8]) ^ x0
        if done % 4 == 0:
            injection = done // 4
            x0 = add(x0, keys[injection % 3])
            x1 = add(x1, keys[(injection + 1) % 3] + injection)
    return x0, x1
