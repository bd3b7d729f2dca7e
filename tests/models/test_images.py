"""Archives of JPEG files: made here, read back; damaged ones are refused by field."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from hwsim.errors import InputError
from models.images import load_archive


def jpeg(colour, size=(8, 6)):
    stream = io.BytesIO()
    Image.new("RGB", size, colour).save(stream, "JPEG")
    return stream.getvalue()


def archive(folder, files, header=b"", left_out="", **changed):
    ends = np.cumsum([0, *(len(file) - len(header) for file in files)])
    arrays = {
        "header": np.frombuffer(header, np.uint8), "offsets": ends, "labels": np.arange(len(files), dtype=np.uint8),
        "payload": np.frombuffer(b"".join(file[len(header) :] for file in files), np.uint8),
        "is_train": np.arange(len(files)) % 2 == 0, "classes": np.array(["a", "b"]), **changed,
    }  # fmt: skip
    np.savez(folder / "set.npz", **{name: array for name, array in arrays.items() if name != left_out})


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("HWSIM_DATA", str(tmp_path))
    return tmp_path


def test_images_come_back(data):
    files = [jpeg((255, 0, 0)), jpeg((0, 0, 255)), jpeg((255, 255, 255))]
    archive(data, files, header=files[0][:2])
    found = load_archive("set.npz")
    images = found.decode(torch.tensor([2, 1]))
    assert images.shape == (2, 3, 6, 8)
    torch.testing.assert_close(images[:, :, 3, 4], torch.tensor([[1.0, 1, 1], [0, 0, 1]]), atol=0.01, rtol=0)
    assert found.labels.tolist() == [0, 1, 2]
    assert found.is_train.tolist() == [True, False, True]
    assert found.classes == ("a", "b")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"left_out": "header"}, "header: field is required"),
        ({"offsets": np.array([0, 5])}, "offsets: must hold 2 starts and an end, one for every label, not 2"),
        ({"payload": np.zeros(2000, np.uint8)}, "payload[0]: is no image"),
    ],
)
def test_damaged_archives(data, changed, message):
    archive(data, [jpeg((255, 0, 0)), jpeg((0, 0, 255))], **changed)
    with pytest.raises(InputError) as error:
        load_archive("set.npz").decode(torch.tensor([0]))
    assert str(error.value) == f"{data / 'set.npz'}: {message}"


def test_images_of_different_sizes(data):
    archive(data, [jpeg((255, 0, 0)), jpeg((0, 0, 255), (4, 4))])
    with pytest.raises(InputError, match=r"payload\[1\]: must have \(6, 8\) pixels as those before it, not \(4, 4\)$"):
        load_archive("set.npz").decode(torch.tensor([0, 1]))


def test_no_archive(data, monkeypatch):
    with pytest.raises(InputError, match=r"set\.npz: cannot be read: no such file$"):
        load_archive("set.npz")
    (data / "set.npz").write_text("text")
    with pytest.raises(InputError, match=r"set\.npz: must be an \.npz archive of arrays$"):
        load_archive("set.npz")
    monkeypatch.delenv("HWSIM_DATA")
    with pytest.raises(InputError, match=r"^HWSIM_DATA: must name the folder that holds set\.npz$"):
        load_archive("set.npz")
