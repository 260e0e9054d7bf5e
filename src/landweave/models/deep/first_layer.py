"""The first layer of a pre-trained network for other bands: kernels go to the band of the nearest wavelength."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from landweave.errors import ModelError
from landweave.models.deep.weights_card import band_centres

__all__ = ["adapt_kernel", "match_bands", "replace_first_layer"]

MOST_NM = 60.0
"""Bands of one name differ by up to about 40 nm between sensors; neighbours such as red and red edge by 40 to 60 and more."""


def match_bands(bands: Sequence[str], stated: Sequence[str]) -> list[int | None]:
    """Find the channel for each band: that of its own name, else of the nearest centre within `MOST_NM`, else none.

    Args:
        bands: Common names of the bands at hand.
        stated: Common names of the checkpoint's channels.
    """
    centres = band_centres()
    found: list[int | None] = []
    for band in bands:
        if band in stated:
            found.append(list(stated).index(band))
            continue
        gaps = [abs(centres[band] - centres[s]) if band in centres and s in centres else float("inf") for s in stated]
        nearest = min(range(len(gaps)), key=gaps.__getitem__)
        found.append(nearest if gaps[nearest] <= MOST_NM else None)
    return found


def adapt_kernel(kernel: Tensor, channel_of: Sequence[int | None]) -> Tensor:
    """Give a kernel (out, band, y, x) for other bands from one (out, channel, y, x).

    A band takes its channel's kernel and a band without one the mean of all; all are scaled by channels over bands, and what
    is then still lacking to the sum over the channels is spread evenly: uniform images give the same answer as before.
    """
    n = len(channel_of)
    mean = kernel.mean(dim=1)
    made = torch.stack([mean if c is None else kernel[:, c] for c in channel_of], dim=1) * (kernel.shape[1] / n)
    lacking = kernel.sum(dim=1, keepdim=True) - made.sum(dim=1, keepdim=True)
    return made + lacking / n


def replace_first_layer(backbone: nn.Module, channel_of: Sequence[int | None]) -> str:
    """Exchange the convolution that sees the channels for one that sees the bands; gives its name.

    Raises:
        ModelError: If the backbone begins with anything else than a convolution over all channels.
    """
    first = next(((n, m) for n, m in backbone.named_modules() if isinstance(m, nn.Conv2d)), None)
    if first is None or first[1].groups != 1:
        raise ModelError(f"{type(backbone).__name__} does not begin with a convolution over its channels; take another "
                         "checkpoint")  # fmt: skip
    name, old = first
    new = nn.Conv2d(len(channel_of), old.out_channels, _pair(old.kernel_size), _pair(old.stride), _pair(old.padding)
                    if not isinstance(old.padding, str) else old.padding, bias=old.bias is not None)  # fmt: skip
    with torch.no_grad():
        new.weight.copy_(adapt_kernel(old.weight, channel_of))
        if old.bias is not None and new.bias is not None:
            new.bias.copy_(old.bias)
    parent = backbone.get_submodule(name.rpartition(".")[0]) if "." in name else backbone
    setattr(parent, name.rpartition(".")[2], new)
    for module in backbone.modules():  # embeddings compare the channels they are given with this number
        if isinstance(getattr(module, "num_channels", None), int):
            setattr(module, "num_channels", len(channel_of))  # noqa: B010 (modules are typed to hold tensors alone)
    return str(name)


def _pair(size: tuple[int, ...]) -> tuple[int, int]:
    return size[0], size[-1]
