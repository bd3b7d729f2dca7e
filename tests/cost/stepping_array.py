"""The referee of the systolic closed forms: an array stepped cycle by cycle, register by register.

Operands enter at the left and the top edge, one element later per row and column, and move on by one element per
cycle. Nothing here knows a formula: a run counts the cycles until its last result has left.
"""

import numpy as np


def output_stationary(a, b, rows, columns, *, shift_out=False):
    """Return (product, cycles) of a (rows x T) times b (T x columns), one block that fills the array.

    An element hands its result to a bus of its column in the cycle in which it is complete. With ``shift_out`` there
    is no bus: once the lowest element of a column is complete, the column shifts down, one result per cycle.
    """
    depth = a.shape[1]
    left, top = np.zeros((rows, columns)), np.zeros((rows, columns))
    sums, done = np.zeros((rows, columns)), np.zeros((rows, columns), int)
    result, written = np.full((rows, columns), np.nan), np.zeros((rows, columns), bool)
    arrived = np.zeros((rows, columns), bool)
    cycle = 0
    while not written.all():
        shifting = done[-1] == depth  # columns whose lowest element was complete before this cycle
        left[:, 1:], top[1:, :], arrived[:, 1:] = left[:, :-1].copy(), top[:-1, :].copy(), arrived[:, :-1].copy()
        for row in range(rows):
            index = cycle - row
            arrived[row, 0] = 0 <= index < depth
            left[row, 0] = a[row, index] if arrived[row, 0] else 0
        for column in range(columns):
            index = cycle - column
            top[0, column] = b[index, column] if 0 <= index < depth else 0
        sums += np.where(arrived, left * top, 0)
        done += arrived
        for column in range(columns):
            if shift_out:
                ready = [written[:, column].argmin()] if shifting[column] and not written[:, column].all() else []
            else:
                ready = np.flatnonzero((done[:, column] == depth) & ~written[:, column])
            assert len(ready) <= 1, "two results on one column's bus in one cycle"
            for row in ready:
                result[row, column], written[row, column] = sums[row, column], True
        cycle += 1
    return result, cycle


def stationary(held, streamed, rows, columns):
    """Return (streamed @ held, cycles) with ``held`` (rows x columns) kept in the array, T rows streaming through."""
    depth = streamed.shape[0]
    weight, value, total = (np.zeros((rows, columns)) for _ in range(3))
    result, written = np.full((depth, columns), np.nan), np.zeros((depth, columns), bool)
    cycle = 0
    while not written.all():
        if cycle < rows:  # the block enters at the top, lowest row first
            weight[1:] = weight[:-1].copy()
            weight[0] = held[rows - 1 - cycle]
            cycle += 1
            continue
        value[:, 1:] = value[:, :-1].copy()
        for row in range(rows):
            index = cycle - rows - row
            value[row, 0] = streamed[index, row] if 0 <= index < depth else 0
        above = np.vstack([np.zeros((1, columns)), total[:-1]])
        total = above + weight * value
        for column in range(columns):
            index = cycle - rows - (rows - 1) - column
            if 0 <= index < depth:  # the row of inputs that has now passed every element of this column
                result[index, column], written[index, column] = total[-1, column], True
        cycle += 1
    return result, cycle


def padded(block, rows, columns):
    """``block`` with zeros up to rows x columns: idle elements still cost their cycles."""
    return np.pad(block, ((0, rows - block.shape[0]), (0, columns - block.shape[1])))


def multiply(a, b, rows, columns, dataflow):
    """Return (a @ b, cycles) with one block after another."""
    (m, k), n = a.shape, b.shape[1]
    product, cycles = np.zeros((m, n)), 0
    if dataflow == "os":
        for i in range(0, m, rows):
            for j in range(0, n, columns):
                left, top = a[i : i + rows], b[:, j : j + columns]
                block, taken = output_stationary(padded(left, rows, k), padded(top, k, columns), rows, columns)
                product[i : i + rows, j : j + columns] = block[: left.shape[0], : top.shape[1]]
                cycles += taken
        return product, cycles
    held, streamed = (b, a) if dataflow == "ws" else (a.T, b.T)
    result = np.zeros((streamed.shape[0], held.shape[1]))
    for j in range(0, held.shape[1], columns):
        for i in range(0, k, rows):
            block = held[i : i + rows, j : j + columns]
            part = padded(streamed[:, i : i + rows], streamed.shape[0], rows)
            sums, taken = stationary(padded(block, rows, columns), part, rows, columns)
            result[:, j : j + columns] += sums[:, : block.shape[1]]
            cycles += taken
    return (result if dataflow == "ws" else result.T), cycles
