"""Sets of images that are kept as JPEG files inside one ``.npz`` archive.

The archive holds ``payload``, all files one after another; ``offsets``, where each begins, and the end; ``header``,
bytes that all of them begin with and that are left out of the payload; ``labels``, ``classes`` and ``is_train``.
"""

from __future__ import annotations

import io
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwsim.errors import InputError, MissingPackageError

FIELDS = ("header", "payload", "offsets", "labels", "classes", "is_train")


@dataclass(frozen=True)
class Archive:
    """JPEG files with their labels.

    Attributes
    ----------
    path
        Of the archive.
    labels
        Class of every image, ``(images,)``.
    is_train
        Whether it is one of those to train on.
    classes
        Their names.
    """

    path: Path
    header: bytes
    payload: bytes
    offsets: NDArray[np.int64]
    labels: Tensor
    is_train: Tensor
    classes: tuple[str, ...]

    def decode(self, chosen: Tensor) -> Tensor:
        """Return the images with these numbers, ``(images, 3, rows, columns)``, in 0 .. 1.

        Raises
        ------
        MissingPackageError
            If Pillow is not installed.
        InputError
            If a file is no image, or the images differ in size.
        """
        try:
            from PIL import Image, UnidentifiedImageError
        except ModuleNotFoundError as error:
            raise MissingPackageError("Pillow", "reading JPEG files", "images") from error
        pixels: list[NDArray[np.uint8]] = []
        for number in chosen.tolist():
            start, end = self.offsets[number], self.offsets[number + 1]
            try:
                with Image.open(io.BytesIO(self.header + self.payload[start:end])) as image:
                    pixels.append(np.asarray(image.convert("RGB")))
            except (UnidentifiedImageError, OSError) as error:
                raise InputError("is no image", file=self.path, field=f"payload[{number}]") from error
            if pixels[-1].shape != pixels[0].shape:
                rule = f"must have {pixels[0].shape[:2]} pixels as those before it"
                raise InputError(rule, file=self.path, field=f"payload[{number}]", value=pixels[-1].shape[:2])
        return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float().div_(255)


def load_archive(name: str) -> Archive:
    """Open an archive in the folder that the environment variable ``HWSIM_DATA`` names.

    Raises
    ------
    InputError
        If the variable is not set, or the file is missing or no such archive.
    """
    if "HWSIM_DATA" not in os.environ:
        raise InputError(f"must name the folder that holds {name}", field="HWSIM_DATA")
    path = Path(os.environ["HWSIM_DATA"]) / name
    if not path.is_file():
        raise InputError("cannot be read: no such file", file=path)
    try:
        with np.load(path, allow_pickle=False) as stored:
            if missing := [field for field in FIELDS if field not in stored]:
                raise InputError("field is required", file=path, field=missing[0])
            header, payload, offsets, labels, classes, is_train = (stored[field] for field in FIELDS)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError("must be an .npz archive of arrays", file=path) from error
    if not len(offsets) - 1 == len(labels) == len(is_train):
        rule = f"must hold {len(labels)} starts and an end, one for every label"
        raise InputError(rule, file=path, field="offsets", value=len(offsets))
    return Archive(
        path, header.tobytes(), payload.tobytes(), offsets, torch.from_numpy(labels).long(),
        torch.from_numpy(is_train), tuple(map(str, classes)),
    )  # fmt: skip
