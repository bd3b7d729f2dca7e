"""Write the golden table of SCALE-Sim that `tests/cost/test_systolic.py` compares with, line by line.

Run it with the Python of an environment of its own (SCALE-Sim 3.0.0 fails with NumPy 2):

    python -m venv scalesim && scalesim/bin/pip install scalesim==3.0.0 numpy==1.26.4 'pandas<3'
    scalesim/bin/python benchmarks/peers/scalesim_golden.py tests/data/scalesim/golden.csv

Layers are convolutions without padding in SCALE-Sim's own terms; a matrix product M x K by K x N is the one that
SCALE-Sim itself makes of it: an M x K image, a 1 x K kernel, one channel, N filters.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import platform
import random
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

DATAFLOWS = ("os", "ws", "is")
ARRAYS = ((1, 1), (4, 4), (3, 7), (8, 8), (16, 16), (32, 8))
REAL_ARRAY = (32, 32)
LAYERS_PER_ARRAY = 12
REPORTED = (
    "total_cycles", "stall_cycles", "overall_util", "mapping_efficiency", "compute_util",
    "ifmap_sram_reads", "filter_sram_reads", "ofmap_sram_writes",
)  # fmt: skip


class Layer(NamedTuple):
    """A convolution in the terms of a SCALE-Sim topology; the image includes its padding."""

    layer: str
    image_rows: int
    image_columns: int
    kernel_rows: int
    kernel_columns: int
    channels: int
    filters: int
    stride: int = 1


def gemm(name: str, m: int, n: int, k: int) -> Layer:
    """Return the convolution that SCALE-Sim makes of a product of M x K and K x N matrices."""
    return Layer(name, m, k, 1, k, 1, n)


REAL = (
    Layer("resnet18.conv1", 230, 230, 7, 7, 3, 64, 2),
    Layer("resnet18.layer1.3x3", 58, 58, 3, 3, 64, 64),
    Layer("resnet18.layer2.0.3x3", 58, 58, 3, 3, 64, 128, 2),
    Layer("resnet18.layer2.3x3", 30, 30, 3, 3, 128, 128),
    Layer("resnet18.layer2.1x1", 56, 56, 1, 1, 64, 128, 2),
    Layer("resnet18.layer3.0.3x3", 30, 30, 3, 3, 128, 256, 2),
    Layer("resnet18.layer3.3x3", 16, 16, 3, 3, 256, 256),
    Layer("resnet18.layer3.1x1", 28, 28, 1, 1, 128, 256, 2),
    Layer("resnet18.layer4.0.3x3", 16, 16, 3, 3, 256, 512, 2),
    Layer("resnet18.layer4.3x3", 9, 9, 3, 3, 512, 512),
    Layer("resnet18.layer4.1x1", 14, 14, 1, 1, 256, 512, 2),
    gemm("resnet18.fc", 1, 1000, 512),
    Layer("alexnet.conv1", 227, 227, 11, 11, 3, 96, 4),
    Layer("alexnet.conv2.group", 31, 31, 5, 5, 48, 128),
    Layer("alexnet.conv3", 15, 15, 3, 3, 256, 384),
    Layer("alexnet.conv4.group", 15, 15, 3, 3, 192, 192),
    Layer("alexnet.conv5.group", 15, 15, 3, 3, 192, 128),
    gemm("gemm.attention", 196, 196, 64),
    gemm("gemm.deit_tiny.fc1", 197, 768, 192),
    gemm("gemm.tall", 1000, 7, 129),
    gemm("gemm.wide", 5, 900, 65),
    gemm("gemm.prime", 127, 131, 113),
)


def layers() -> Iterator[tuple[tuple[int, int], Layer]]:
    """Yield every array with a layer to run on it; always the same ones."""
    yield (4, 4), gemm("paper.4x4", 4, 4, 4)
    draw = random.Random(125)
    for array in ARRAYS:
        size = 4 if array == (1, 1) else 10
        for index in range(LAYERS_PER_ARRAY):
            name = f"random.{index}"
            if index % 3 == 0:
                yield array, gemm(name, *(draw.randint(2, 6 * size) for _ in range(3)))
                continue
            kernel = draw.randint(1, 3), draw.randint(1, 3)
            image = tuple(extent + draw.randint(1, size) for extent in kernel)
            yield array, Layer(name, *image, *kernel, draw.randint(1, 9), draw.randint(1, 40), draw.randint(1, 3))
    for layer in REAL:
        yield REAL_ARRAY, layer


def simulate(array: tuple[int, int], dataflow: str, layer: Layer, folder: Path) -> tuple[float, ...]:
    """Run SCALE-Sim on one layer and return what it reports, in the order of `REPORTED`."""
    from scalesim.scale_sim import scalesim

    (folder / "run.cfg").write_text(configuration(array, dataflow))
    (folder / "topology.csv").write_text("header\n" + ", ".join(map(str, layer)) + ",\n")
    zeros = ", ".join(["0"] * 24)
    (folder / "layout.csv").write_text(f"header\n{layer.layer}, {zeros},\n")
    run = scalesim(
        save_disk_space=True, verbose=False, config=str(folder / "run.cfg"),
        topology=str(folder / "topology.csv"), layout=str(folder / "layout.csv"),
    )  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        run.run_scale(top_path=str(folder / "out"))
    simulated = run.runner.single_layer_sim_object_list[0]
    details = simulated.get_detail_report_items()
    return (*simulated.get_compute_report_items()[1:], details[2], details[5], details[8])


def configuration(array: tuple[int, int], dataflow: str) -> str:
    """Return the text of a configuration file whose memories keep up with the array (mode CALC)."""
    return f"""[general]
run_name = golden
[architecture_presets]
ArrayHeight = {array[0]}
ArrayWidth = {array[1]}
IfmapSramSzkB = 1024
FilterSramSzkB = 1024
OfmapSramSzkB = 1024
IfmapOffset = 0
FilterOffset = 10000000
OfmapOffset = 20000000
Bandwidth = 10
Dataflow = {dataflow}
ReadRequestBuffer = 64
WriteRequestBuffer = 64
[layout]
IfmapCustomLayout = False
FilterCustomLayout = False
IfmapSRAMBankBandwidth = 10
IfmapSRAMBankNum = 10
IfmapSRAMBankPort = 2
FilterSRAMBankBandwidth = 10
FilterSRAMBankNum = 10
FilterSRAMBankPort = 2
[sparsity]
SparsitySupport = false
[run_presets]
InterfaceBandwidth = CALC
UseRamulatorTrace = False
"""


def main() -> None:
    """Simulate every case and write the table with the versions that made it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--only", default="", help="Layers whose name starts so.")
    options = parser.parse_args()
    table = io.StringIO()
    packages = ", ".join(f"{name} {version(name)}" for name in ("scalesim", "numpy", "pandas"))
    table.write(f"# {packages}, Python {platform.python_version()}\n")
    table.write("# command: python benchmarks/peers/scalesim_golden.py tests/data/scalesim/golden.csv\n")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(("rows", "columns", "dataflow", *Layer._fields, *REPORTED))
    for array, layer in layers():
        for dataflow in DATAFLOWS:
            if layer.layer.startswith(options.only):
                with tempfile.TemporaryDirectory() as folder:
                    reported = simulate(array, dataflow, layer, Path(folder))
                writer.writerow((*array, dataflow, *layer, *reported))
                print(*array, dataflow, *layer, *reported, file=sys.stderr, flush=True)
    options.output.write_text(table.getvalue())


if __name__ == "__main__":
    main()
