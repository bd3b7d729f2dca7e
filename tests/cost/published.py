"""Operator lists of the published translation models, from their printed shapes (ShiftAddNAS, ICML 2022)."""

from hwsim.workload.forms import Conv2d, Linear
from hwsim.workload.workload import Workload

TOKENS = 30
WIDTH = 512  # of queries, keys and values
KERNELS = (3, 7, 15, 31, 31, 31)  # of the lightweight convolution of each layer


def fully_connected(rows, inner, columns, **fields):
    return Linear(kind="linear", name="fc", batch=rows, in_features=inner, out_features=columns, **fields)


def attention(embedding, heads, keys=TOKENS, key_embedding=None):
    key_embedding = key_embedding or embedding
    return [
        fully_connected(TOKENS, embedding, WIDTH),
        fully_connected(keys, key_embedding, WIDTH),
        fully_connected(keys, key_embedding, WIDTH),
        fully_connected(TOKENS * heads, WIDTH // heads, keys),
        fully_connected(TOKENS * heads, keys, WIDTH // heads),
        fully_connected(TOKENS, WIDTH, embedding),
    ]


def feed_forward(embedding, hidden, **fields):
    return [
        fully_connected(TOKENS, embedding, hidden, **fields),
        fully_connected(TOKENS, hidden, embedding, **fields),
    ]


def lightweight(block, embedding, heads, layer, bits):
    """Two projections (shifts in shiftadd blocks, at full width in the published rows) around a convolution."""
    shifts = {"primitive": "shift", "memory_bits": bits} if block == "shiftadd" else {}
    kernel = int(KERNELS[layer] ** 0.5)
    convolution = Conv2d(
        kind="conv2d", name="lightweight", batch=embedding // heads, in_channels=heads, out_channels=heads,
        input_size=(TOKENS, 1), output_size=(TOKENS, 1), kernel=(kernel, kernel), padding=(kernel, kernel),
        primitive="mac" if block == "conv" else "add",
    )  # fmt: skip
    projection = fully_connected(TOKENS, embedding, embedding, **shifts)
    return [projection, convolution, projection]


def encoder(hidden, heads, blocks=None, bits=32, **feed_forward_fields):
    operators = []
    for layer, (ffn, head) in enumerate(zip(hidden, heads, strict=True)):
        block = blocks[layer] if blocks else ""
        operators += attention(WIDTH // 2 if block else WIDTH, head)
        operators += lightweight(block, WIDTH // 2, head, layer, bits) if block else []
        operators += feed_forward(WIDTH, ffn, **feed_forward_fields)
    return operators


def decoder(hidden, heads, cross_heads, embedding=WIDTH, blocks=None, keys=None, bits=32, **feed_forward_fields):
    operators = []
    for layer, (ffn, head, cross) in enumerate(zip(hidden, heads, cross_heads, strict=True)):
        block = blocks[layer] if blocks else ""
        operators += attention(embedding // 2 if block else embedding, head)
        operators += lightweight(block, embedding // 2, head, layer, bits) if block else []
        operators += attention(embedding, cross, keys[layer] if keys else TOKENS, WIDTH)
        operators += feed_forward(embedding, ffn, **feed_forward_fields)
    return operators


def workload(forms, format_="fp32"):
    return Workload(
        name="published", operators=tuple(form.model_copy(update={"format": format_}).operator() for form in forms)
    )
