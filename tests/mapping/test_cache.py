"""The cache of optima: what is found again, what is not trusted, where it lies."""

import json
import warnings
from dataclasses import replace
from unittest import mock

import pytest

from hwsim.mapping import cache
from hwsim.mapping.hierarchy import Array
from hwsim.mapping.objective import EDP, ENERGY
from hwsim.mapping.problem import problem_of
from hwsim.mapping.search import best_of
from hwsim.workload.contraction import matmul
from tests.mapping.test_search import eyeriss_like


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HWSIM_CACHE", str(tmp_path))
    return tmp_path / "mappings"


def case(hierarchy=None, rows=8):
    return ((problem_of(matmul("p", rows=rows, inner=6, columns=4)), hierarchy or eyeriss_like()),)


def remembered(alternatives, objective, padding=False):
    return cache.remembered(alternatives, objective, padding=padding)


def unsearched():
    return mock.patch("hwsim.mapping.cache.best_of", side_effect=AssertionError("searched"))


def test_what_was_found_is_not_searched_again(folder):
    first = remembered(case(), ENERGY)
    with unsearched():
        assert remembered(case(), ENERGY) == first == best_of(case(), ENERGY)


def test_whatever_the_optimum_depends_on_is_another_entry(folder):
    hierarchy = eyeriss_like()
    dearer = replace(hierarchy, nodes=(replace(hierarchy.nodes[0], read_pj=(201.0,) * 3), *hierarchy.nodes[1:]))
    for alternatives, objective in ((case(), ENERGY), (case(), EDP), (case(dearer), ENERGY), (case(rows=9), ENERGY)):
        remembered(alternatives, objective)
    with mock.patch("hwsim.mapping.cache._version", return_value="other code"):
        remembered(case(), ENERGY)
    remembered(case(), ENERGY, padding=True)
    assert len(list(folder.glob("*.json"))) == 6


def test_a_padded_mapping_is_found_again(folder):
    wide = (case(rows=13)[0][0], replace(eyeriss_like(), nodes=(*eyeriss_like().nodes[:2], Array("row", 7), eyeriss_like().nodes[4])))
    first = remembered((wide,), EDP, padding=True)
    assert first.problem.bounds == (14, 4, 6)
    with unsearched():
        assert remembered((wide,), EDP, padding=True) == first


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda text: text[:20], "Invalid JSON"),
        (lambda text: "{}", "Field required"),
        (lambda text: json.dumps(json.loads(text) | {"value": 1.0}), "its mapping costs"),
        (lambda text: json.dumps(json.loads(text) | {"alternative": 1}), "there is no alternative 1"),
        (lambda text: json.dumps(json.loads(text) | {"loops": [[]] * 5}), "loops over n must multiply to"),
        (lambda text: json.dumps(json.loads(text) | {"bounds": [1, 4, 6]}), "dimension n must be padded to 8 or more, not 1"),
    ],
)
def test_a_damaged_entry_is_searched_again_with_a_warning(folder, damage, reason):
    right = remembered(case(), ENERGY)
    (path,) = folder.glob("*.json")
    path.write_text(damage(path.read_text()))
    with pytest.warns(UserWarning, match=rf"^cached mapping .* is not used and searched again: .*{reason}"):
        assert remembered(case(), ENERGY) == right
    with warnings.catch_warnings(), unsearched():
        warnings.simplefilter("error")
        assert remembered(case(), ENERGY) == right


def test_a_folder_that_cannot_be_written_is_only_a_warning(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HWSIM_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="^mapping is not kept: cannot write"):
        assert remembered(case(), ENERGY) == best_of(case(), ENERGY)


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
