"""The direction of imports: flows -> models, rtl, hwsim; models -> hwsim; rtl -> hwsim.formats; hwsim -> none of them."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OWN = ("hwsim", "models", "rtl", "flows")
ALLOWED = {
    "hwsim": ("hwsim",),
    "models": ("models", "hwsim"),
    "rtl": ("rtl", "hwsim.formats", "hwsim.files", "hwsim.errors"),
    "flows": OWN,
}
TORCH_AT_TOP = ("hwsim/trace/", "hwsim/training/", "hwsim/examples/", "models/", "flows/")


def imports(path, top_level_only=False):
    """Dotted names that a file imports (everywhere, or outside functions and TYPE_CHECKING blocks only)."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def sources(package):
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", [name for name in OWN if (ROOT / name).is_dir()])
def test_direction_of_imports(package):
    assert sources(package)
    for path in sources(package):
        for name in imports(path):
            if name.split(".")[0] in OWN:
                assert any(f"{name}.".startswith(f"{allowed}.") for allowed in ALLOWED[package]), f"{path}: {name}"


def test_torch_is_imported_at_top_level_only_where_tensors_live():
    for path in sources("hwsim"):
        if not str(path.relative_to(ROOT)).startswith(TORCH_AT_TOP):
            assert not [name for name in imports(path, top_level_only=True) if name.split(".")[0] == "torch"], path


def test_importing_hwsim_loads_neither_torch_nor_tvm_nor_a_plot_library():
    code = "import hwsim, sys; print([m for m in ('torch', 'tvm', 'plotly', 'numpy', 'rich') if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert shown.stdout.strip() == "[]"


def test_nothing_imports_tvm_in_process():
    for package in OWN:
        for path in sources(package) if (ROOT / package).is_dir() else ():
            assert not [name for name in imports(path, top_level_only=True) if name.split(".")[0] == "tvm"], path
