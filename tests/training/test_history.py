"""The columns of a log against a reader that does one line after the other, and logs that were edited."""

import json
import os
import random
import re
import signal
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.errors import InputError
from hwsim.training import lines, log
from hwsim.training.facts import AS_TRACED, Facts, Mixed
from hwsim.training.history import History
from hwsim.training.tally import spans_of

HEADER = log.Header(
    schema="hwsim/run/2", name="n", model="Net", hwsim="0.1.0", torch="2.13.0", created="2026-01-01T00:00:00+00:00"
)
FACTS = [Facts(weights=f"int{bits}", executed=share) for bits in range(1, 9) for share in (0, 0.25, 0.5, 0.75, 1)] * 3


def step_of(data, count, facts):
    state = st.lists(st.integers(0, facts), min_size=count, max_size=count).map(lines.digits)
    return data.draw(st.none() | state | st.tuples(state, state))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_sequence_of_lines_is_read_back(tmp_path_factory, data):
    directory = tmp_path_factory.mktemp("log")
    writer = log.LogWriter(directory, HEADER)
    modules, facts, expected, metrics, marks = [], [AS_TRACED], [], {}, []
    current = ""
    for _ in range(data.draw(st.integers(0, 12))):
        match data.draw(st.sampled_from(["step", "step", "step", "modules", "facts", "metrics", "mark"])):
            case "step":
                structure, samples = data.draw(st.tuples(st.integers(0, 3), st.integers(1, 10**6)))
                state = step_of(data, len(modules), len(facts) - 1)
                writer.step(structure, samples, state)
                if state is not None:
                    current = (len(modules), state)
                expected.append((structure, samples, current))
            case "modules":
                new = (f"m{len(modules)}", f"m{len(modules) + 1}")
                modules += new
                writer.line(lines.ModulesLine(modules=new))
            case "facts":
                facts.append((FACTS[len(facts)],))
                writer.line(lines.FactsLine(facts=Mixed(parts=facts[-1])))
            case "metrics":
                values = data.draw(st.dictionaries(st.text(max_size=5), st.floats(allow_nan=False), min_size=1, max_size=2))
                writer.metrics(values)
                for key, value in values.items():
                    metrics.setdefault(key, []).append((len(expected), value))
            case "mark":
                mark = lines.MarkLine(epoch=data.draw(st.integers(0, 5)))
                writer.line(mark)
                marks.append((len(expected), mark))
    writer.close()
    history = log.read_history(directory)
    assert (history.modules, history.mixtures, history.metrics, history.marks) == (modules, facts, metrics, marks)
    found = history.states()
    for place, (structure, samples, state) in enumerate(expected):
        assert (history.structures[place], history.samples[place]) == (structure, samples)
        rows = history.passes.get(place, (history.rows[place],))
        known, texts = state or (0, "")
        texts = texts if isinstance(texts, tuple) else (texts,)
        naive = [[number(text, known, module) for module in range(len(modules))] for text in texts]
        assert [found[row].tolist() for row in rows] == (naive if len(rows) > 1 else naive[:1])


def number(text, known, module):
    if module >= known or not text:
        return 0
    width = len(text) // known
    value = 0
    for digit in text[module * width : (module + 1) * width]:
        value = value * 64 + lines.DIGITS.index(digit)
    return value


@given(st.lists(st.integers(0, 64**3 - 1), min_size=1, max_size=9))
def test_digits_have_one_width_that_suits_the_largest(numbers):
    text = lines.digits(numbers)
    width, rest = divmod(len(text), len(numbers))
    assert rest == 0
    assert 64 ** (width - 1) <= max(1, *numbers) < 64**width
    assert [number(text, len(numbers), place) for place in range(len(numbers))] == numbers


def test_a_line_of_a_large_network_stays_below_200_bytes(tmp_path):
    writer = log.LogWriter(tmp_path, HEADER)
    writer.line(lines.ModulesLine(modules=tuple(f"layer{place}" for place in range(74))))
    before = os.path.getsize(tmp_path / "steps.jsonl")
    writer.step(0, 128, lines.digits([65] * 74))
    writer.close()
    assert os.path.getsize(tmp_path / "steps.jsonl") - before <= 200


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ('{"structure":0,"samples":1,"state":"ABC"}', "state must have as many digits for each of 2 modules, not 'ABC'"),
        ('{"structure":0,"samples":1,"state":"AC"}', "state must refer to facts of earlier lines, of which there are 1, not 'AC'"),
        ('{"structure":0,"samples":1,"state":"A?"}', "state.constrained-str: string must match pattern '^[A-Za-z0-9+/]*$', not 'A?'"),
        ('{"facts":{"parts":[]}}', "facts.parts: tuple must have at least 1 item after validation, not 0, not []"),
        ('{"facts":{"parts":[{"share":0.5}]}}', "facts: shares must add up to 1, not 0.5, not {'parts': [{'share': 0.5}]}"),
        ('{"facts":{"parts":[{"bits":4}]}}', "facts.parts[0].bits: field is not known here, not 4"),
        ('{"epoch":1,"stage":"s"}', "a mark must have an epoch or a stage, not {'epoch': 1, 'stage': 's'}"),
    ],
)  # fmt: skip
def test_edited_lines_are_named(tmp_path, wrong, rule):
    path = tmp_path / "steps.jsonl"
    path.write_text('{"modules":["a","b"]}\n{"facts":{"parts":[{"weights":"int4"}]}}\n' + wrong + "\n")
    with pytest.raises(InputError) as error:
        History.read(path).states()
    assert re.sub(r"^.*line \d: ", "", str(error.value)) == rule
    assert f"{path}, line 3: " in str(error.value)


def test_a_module_that_is_annotated_late_had_the_facts_of_what_is_around_it(tmp_path):
    path = tmp_path / "steps.jsonl"
    four = '{"facts":{"parts":[{"weights":"int4"}]}}'
    eight = '{"facts":{"parts":[{"weights":"int8"}]}}'
    path.write_text(
        f'{{"modules":["block"]}}\n{four}\n{{"structure":0,"samples":1,"state":"B"}}\n'
        f'{{"modules":["block.inner.deep","block.inner","other"]}}\n{eight}\n{{"structure":0,"samples":1,"state":"BCBA"}}\n'
    )
    assert History.read(path).states()[1:].tolist() == [[1, 1, 1, 0], [1, 2, 1, 0]]


def test_marks_and_passes_divide_the_counts(tmp_path):
    path = tmp_path / "steps.jsonl"
    text = ['{"epoch":0}', '{"modules":["a"]}', '{"facts":{"parts":[{"weights":"int4"}]}}', '{"stage":"first"}']
    text += ['{"structure":0,"samples":2,"state":"B"}', '{"structure":0,"samples":2,"state":["A","B"]}', '{"epoch":1}']
    text += ['{"structure":0,"samples":2}', '{"structure":1,"samples":1,"state":"A"}']
    path.write_text("\n".join(text) + "\n")
    (first, of_first), (second, of_second) = spans_of(History.read(path))
    assert tuple(first) == (0, "first", 0, 2, 4)
    assert tuple(second) == (1, "first", 2, 2, 3)
    four, half = (Facts(weights="int4"),), (Facts(share=0.5), Facts(share=0.5, weights="int4"))
    assert of_first == {(0, None): {AS_TRACED: 2}, (0, "a"): {half: 1, four: 1}}
    assert of_second == {
        (0, None): {AS_TRACED: 1}, (0, "a"): {half: 1}, (1, None): {AS_TRACED: 1}, (1, "a"): {AS_TRACED: 1},
    }  # fmt: skip


def test_killed_at_50_random_moments_every_log_loads_and_resumes(tmp_path):
    """Each writer tells through a pipe which steps it has written; none of them may be lost."""
    random.seed(9)
    written = 0
    for attempt in range(50):
        reading, writing = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # other threads are not needed by the child
            child = os.fork()
        if child == 0:  # no clean-up of the test runner may run here
            try:
                write_until_killed(tmp_path, writing)
            finally:
                os._exit(1)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            told = len(pipe.read(random.randrange(1, 400)))
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            told += len(pipe.read())
        assert os.WTERMSIG(status) == signal.SIGKILL
        history = log.read_history(tmp_path)
        history.states()
        assert written + told <= history.steps <= written + told + 1, attempt
        written = history.steps
    assert written > 50
    assert list(history.samples) == list(range(1, written + 1))


def write_until_killed(directory, pipe):
    writer = log.LogWriter(directory, HEADER, resume=True)
    if not writer.before.modules:
        writer.line(lines.ModulesLine(modules=("a", "b")))
        writer.line(lines.FactsLine(facts=Mixed(parts=(FACTS[0],))))
    while True:
        writer.step(0, writer.steps + 1, lines.digits([writer.steps % 2, 1 - writer.steps % 2]))
        os.write(pipe, b".")


def test_the_text_of_a_line_is_what_is_parsed():
    line = lines.DistinctLine(distinct=3, fingerprint="ab", missing=("m",))
    assert lines.parse(lines.text(line).encode(), "here") == line
    assert json.loads(lines.text(lines.MarkLine(stage="s"))) == {"stage": "s"}


def test_equal_digits_mean_something_else_when_modules_are_added(tmp_path):
    path = tmp_path / "steps.jsonl"
    facts = [f'{{"facts":{{"parts":[{{"weights":"int{1 + number % 64}","density":{1 / (1 + number // 64)}}}]}}}}' for number in range(65)]
    step = '{"structure":0,"samples":1,"state":"BA"}'
    path.write_text("\n".join(['{"modules":["a"]}', *facts, step, '{"modules":["b"]}', step]) + "\n")
    history = History.read(path)
    assert [history.states()[row].tolist() for row in history.rows] == [[64, 0], [1, 0]]
