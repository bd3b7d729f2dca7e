"""Workloads scored on GPUs: through the same door as on any architecture."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

import hwsim
from hwsim.architecture import Gpu, architectures, load_architecture
from hwsim.cli.main import main
from hwsim.cost.priced import technology_of
from hwsim.errors import HwsimError
from hwsim.gpu.behaviour import behaviour
from hwsim.gpu.host import joined_s
from hwsim.gpu.kernels import kernel_of
from hwsim.workload import Workload

GPUS = [name for name in architectures() if isinstance(load_architecture(name)[0], Gpu)]


def call(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    return stopped.value.code or 0


@pytest.fixture(scope="module")
def step() -> Workload:
    model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    return hwsim.trace(model, torch.zeros(32, 64), loss=lambda y: y.sum(), optimizer=optimizer)


def test_the_presets_that_people_ask_for_are_there() -> None:
    wanted = (
        "p100 v100 v100-sxm2 rtx6000 rtx8000 a40 rtx-a6000 a100 h100-sxm h100-sxm-8 h100-pcie h200 l4 rtx-3090 rtx-4090 "
        "jetson-orin"
    )
    assert set(GPUS) == set(wanted.split())


@pytest.mark.parametrize("name", GPUS)
def test_every_preset_scores_a_training_step(name: str, step: Workload) -> None:
    result = hwsim.score(step, on=name)
    gpu, folder = load_architecture(name)
    assert result.coverage == 1
    assert any("modelled from its data sheet" in note for note in result.notes)
    idle_w = technology_of(gpu, folder).coefficient("idle").value
    assert result.energy_j >= idle_w * result.latency_s
    host_w = gpu.node.host_w / gpu.node.gpus if gpu.node else 0
    assert result.energy_j <= (gpu.board_w * 1.05 + host_w) * result.latency_s


def test_a_step_takes_what_device_and_host_take_together(step: Workload) -> None:
    result = hwsim.score(step, on="v100")
    work = behaviour("volta").host
    launch = {"forward": work.forward_s, "optimizer": work.optimizer_s}
    host_s = work.step_s + sum(launch.get(o.phase, work.backward_s) * o.count for o in step.operators)
    alone = [hwsim.score(Workload(name="one", operators=(o,)), on="v100") for o in step.operators[:1]]
    assert alone[0].latency_s < result.latency_s
    assert result.latency_s == pytest.approx(joined_s(0.0, host_s), rel=0.01)  # kernels so small that the host decides
    assert {cost.bound for cost in result.operators} == {"host"}


def test_bills_sum_up(step: Workload) -> None:
    for cost in hwsim.score(step, on="a100").operators:
        assert cost.energy_pj == pytest.approx(sum(charge.energy_pj for charge in cost.charges))


def test_a_product_is_counted_as_a_matrix_product(step: Workload) -> None:
    first = kernel_of(step.operators[0])
    assert (first.m, first.k, first.n, first.operations) == (32, 64, 256, 2 * 32 * 64 * 256)
    assert first.bytes == 4 * (32 * 64 + 64 * 256 + 32 * 256 + 256)  # with the bias


def test_rounding_factors_to_tf32_saves_time_and_energy(tmp_path: Path) -> None:
    model = nn.Linear(4096, 4096, bias=False)
    work = hwsim.trace(model, torch.zeros(8192, 4096))
    plain = yaml.safe_load(yaml.safe_dump(load_architecture("a100")[0].model_dump(by_alias=True, mode="json")))
    rounded = tmp_path / "rounded.yaml"
    rounded.write_text(yaml.safe_dump({**plain, "tf32_products": True}))
    rounded_, exact_ = hwsim.score(work, on=[str(rounded), "a100"])
    assert rounded_.latency_s < exact_.latency_s / 2
    assert rounded_.energy_j < exact_.energy_j


def test_a_lower_limit_slows_down(tmp_path: Path) -> None:
    work = hwsim.trace(nn.Linear(4096, 4096, bias=False), torch.zeros(8192, 4096))
    plain = load_architecture("v100")[0].model_dump(by_alias=True, mode="json")
    limited = tmp_path / "limited.yaml"
    limited.write_text(yaml.safe_dump({**plain, "limit_w": 120}))
    free, slow = hwsim.score(work, on=["v100", str(limited)])
    assert slow.latency_s > 1.2 * free.latency_s
    assert slow.energy_j < free.energy_j
    assert "clock at" in slow.operators[0].note


def test_conventions_of_papers_are_refused(step: Workload) -> None:
    with pytest.raises(HwsimError, match="is about arrays; v100 needs operator"):
        hwsim.score(step, on="v100", accounting="shiftaddvit")


def test_side_by_side_and_explained(step: Workload, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    step.save(tmp_path / "step.json")
    output = tmp_path / "result.json"
    assert call("score", str(tmp_path / "step.json"), "--on", "h100-sxm,eyeriss-45nm", "-o", str(output)) == 0
    capsys.readouterr()
    assert [one["architecture"]["name"] for one in json.loads(output.read_text())["results"]] == [
        "h100-sxm",
        "eyeriss-45nm",
    ]
    assert call("explain", str(output), "0") == 0
    told = capsys.readouterr().out
    assert "operation.scalar" in told
    assert "fits/hopper.yaml" in told
