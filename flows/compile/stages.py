"""Operators that one command does together: a sum or a pooling, then scale, offset, residual and limits."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from flows.compile.operators import Add, Affine, Array, Clip, Convolution, Geometry, Graph, Operator, Pool


@dataclass(frozen=True)
class Stage:
    """``clip(main * scale + offset + residual, low, high)``.

    Attributes
    ----------
    main
        What is summed.
    scale, offset
        Per output channel.
    residual
        Value that is added; empty: none.
    output
        Value that comes out.
    names
        Layers that it does.
    """

    main: Convolution | Pool
    scale: Array
    offset: Array
    output: str
    names: tuple[str, ...]
    residual: str = ""
    low: float = -np.inf
    high: float = np.inf

    @property
    def name(self) -> str:
        """The layer that gives it its name."""
        return self.main.name


def fuse(graph: Graph) -> tuple[Stage, ...]:
    """Return the stages of a graph, in an order in which each finds what it reads."""
    readers, done, stages = graph.readers, set[str](), list[Stage]()
    made = {graph.input}
    for operator in graph.operators:
        if operator.output in done:
            continue
        stage = _begin(operator, graph.shapes[operator.output][0], graph.shapes[operator.source][0])
        done.add(operator.output)
        while stage.output != graph.output and len(readers[stage.output]) == 1:
            follower = readers[stage.output][0]
            grown = _grow(stage, follower, made)
            if grown is None:
                break
            done.add(follower.output)
            stage = grown
        made.add(stage.output)
        stages.append(stage)
    return tuple(stages)


def _begin(operator: Operator, channels: int, inputs: int) -> Stage:
    """Return a stage of one operator; one without a sum of its own gets a sum of one term."""
    if isinstance(operator, Convolution):
        return _plain(operator, channels)
    if isinstance(operator, Pool):
        return replace(_plain(operator, channels), scale=np.full(channels, operator.factor))
    name, source = operator.name, operator.source
    if isinstance(operator, Affine) and not _uniform(operator):
        ones = Convolution(name, source, operator.output, "binary", np.ones((channels, 1, 1, 1)), groups=inputs)
        return replace(_plain(ones, channels), scale=operator.scale, offset=operator.offset)
    stage = _plain(Pool(name, source, operator.output, True, (1, 1), Geometry()), channels)
    if isinstance(operator, Affine):
        return replace(stage, scale=operator.scale, offset=operator.offset)
    if isinstance(operator, Clip):
        return replace(stage, low=operator.low, high=operator.high)
    return replace(stage, residual=operator.other)


def _plain(main: Convolution | Pool, channels: int) -> Stage:
    return Stage(main, np.ones(channels), np.zeros(channels), main.output, (main.name,))


def _uniform(affine: Affine) -> bool:
    return bool((affine.scale == affine.scale[0]).all() and (affine.offset == affine.offset[0]).all())


def _grow(stage: Stage, follower: Operator, made: set[str]) -> Stage | None:
    """Return the stage with one more operator, if it can do that too."""
    own = replace(stage, output=follower.output, names=(*stage.names, follower.name))
    limited = np.isfinite([stage.low, stage.high]).any()
    if isinstance(follower, Clip):
        return replace(own, low=max(stage.low, follower.low), high=min(max(stage.high, follower.low), follower.high))
    if limited or stage.residual:
        return None
    if isinstance(follower, Affine) and (isinstance(stage.main, Convolution) or _uniform(follower)):
        return replace(own, scale=stage.scale * follower.scale, offset=stage.offset * follower.scale + follower.offset)
    if isinstance(follower, Add):
        other = follower.other if follower.source == stage.output else follower.source
        if other in made:
            return replace(own, residual=other)
    return None
