"""Number formats: the one source of their names, widths and encodings.

A name is the kind and its bits (``fp32``, ``int8``, ``pow2_5``); see `parse`. `encode` and `decode` convert
between values and codes (unsigned integers that hold the bits), one code per value; `encode_mx` and
`decode_mx` do so for blocks that share a scale.
"""

from hwsim.formats.blocks import decode_mx, encode_mx
from hwsim.formats.codec import decode, encode
from hwsim.formats.names import Format, parse

__all__ = ["Format", "decode", "decode_mx", "encode", "encode_mx", "parse"]
