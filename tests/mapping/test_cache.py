"""The cache of optima: what is found again, what is not trusted, where it lies."""

import json
import warnings
from dataclasses import replace
from unittest import mock

import pytest

from hwsim.mapping import cache
from hwsim.mapping.canonical import canonical
from hwsim.mapping.objective import EDP, ENERGY
from hwsim.mapping.problem import problem_of
from hwsim.mapping.search import optimum
from hwsim.workload.contraction import matmul
from tests.mapping.test_search import eyeriss_like


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HWSIM_CACHE", str(tmp_path))
    return tmp_path / "mappings"


def case(hierarchy=None, rows=8):
    form = canonical(problem_of(matmul("p", rows=rows, inner=6, columns=4)), hierarchy or eyeriss_like())
    return ((form.problem, form.hierarchy),)


def unsearched():
    return mock.patch("hwsim.mapping.cache.optimum", side_effect=AssertionError("searched"))


def test_what_was_found_is_not_searched_again(folder):
    first = cache.remembered(case(), ENERGY)
    with unsearched():
        assert cache.remembered(case(), ENERGY) == first == optimum(case(), ENERGY)


def test_whatever_the_optimum_depends_on_is_another_entry(folder):
    hierarchy = eyeriss_like()
    dearer = replace(hierarchy, nodes=(replace(hierarchy.nodes[0], read_pj=(201.0,) * 3), *hierarchy.nodes[1:]))
    for alternatives, objective in ((case(), ENERGY), (case(), EDP), (case(dearer), ENERGY), (case(rows=9), ENERGY)):
        cache.remembered(alternatives, objective)
    with mock.patch("hwsim.mapping.cache._version", return_value="other code"):
        cache.remembered(case(), ENERGY)
    assert len(list(folder.glob("*.json"))) == 5


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda text: text[:20], "Invalid JSON"),
        (lambda text: "{}", "Field required"),
        (lambda text: json.dumps(json.loads(text) | {"value": 1.0}), "its mapping costs"),
        (lambda text: json.dumps(json.loads(text) | {"alternative": 1}), "there is no alternative 1"),
        (lambda text: json.dumps(json.loads(text) | {"loops": [[]] * 5}), "loops over d0 must multiply to"),
    ],
)
def test_a_damaged_entry_is_searched_again_with_a_warning(folder, damage, reason):
    right = cache.remembered(case(), ENERGY)
    (path,) = folder.glob("*.json")
    path.write_text(damage(path.read_text()))
    with pytest.warns(UserWarning, match=rf"^cached mapping .* is not used and searched again: .*{reason}"):
        assert cache.remembered(case(), ENERGY) == right
    with warnings.catch_warnings(), unsearched():
        warnings.simplefilter("error")
        assert cache.remembered(case(), ENERGY) == right


def test_a_folder_that_cannot_be_written_is_only_a_warning(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HWSIM_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="^mapping is not kept: cannot write"):
        assert cache.remembered(case(), ENERGY) == optimum(case(), ENERGY)


def test_the_location_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("HWSIM_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.location() == tmp_path / "hwsim" / "mappings"
    monkeypatch.setenv("HWSIM_CACHE", "")
    assert cache.location() is None
    monkeypatch.setenv("HWSIM_CACHE", "elsewhere")
    assert str(cache.location()) == "elsewhere/mappings"
    with cache.disabled():
        assert cache.location() is None
