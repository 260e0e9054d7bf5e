"""Maps from a pre-trained backbone of transformers: frozen, adapted by low-rank updates, tuned whole, or with neighbours only.

The checkpoint decides the architecture, the normalisation and the size; its first layer is adapted to the bands at hand by
wavelength. Several dates go through the same backbone and are fused in latent space.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from landweave.errors import ModelError, SourceError
from landweave.models.deep.first_layer import match_bands, replace_first_layer
from landweave.models.deep.image_parts import ConvBlock, CubeStem, ImageNetwork, Normaliser, make_norm, resize_like
from landweave.models.deep.image_series import split_dates
from landweave.models.deep.neighbours import Neighbours
from landweave.models.deep.trainer import Batch
from landweave.models.deep.weights_card import WeightsCard, find_weights, read_weights_card
from landweave.models.registry import ChipContext
from landweave.types import ModelInput

__all__ = ["TUNES", "Pretrained", "build", "load_checkpoint"]

log = logging.getLogger(__name__)
TUNES = ("full", "lora", "probe", "knn")
_OWN_NORMS = "hidden_states_norms."
"""Norms over feature maps that transformers adds to a backbone; no checkpoint of a plain model has them."""
_ATTENTION = ("query", "value", "q_proj", "v_proj")


def load_checkpoint(folder: Path) -> Any:
    """Load a checkpoint as a backbone that gives the maps of all its stages.

    Raises:
        SourceError: If the weights are lacking or cannot be read.
        ModelError: If transformers knows no backbone of this kind, or layers are lacking; lists them.
    """
    import transformers

    hf: Any = transformers  # whose automatic classes are not typed
    if not any(folder.glob("*.safetensors")):
        raise SourceError(f"{folder} holds no weights as safetensors; save the model there with save_pretrained (a pickle such "
                          "as pytorch_model.bin is not read)")  # fmt: skip
    try:
        config = hf.AutoConfig.from_pretrained(str(folder), local_files_only=True)
        blank: Any = hf.AutoBackbone.from_config(config)
        config.out_features = list(blank.stage_names[1:])
        kind: Any = type(blank)
        with _quiet(hf):
            model, info = kind.from_pretrained(str(folder), config=config, output_loading_info=True, local_files_only=True,
                                               ignore_mismatched_sizes=True, use_safetensors=True)  # fmt: skip
    except (OSError, RuntimeError) as err:
        raise SourceError(f"{folder} cannot be read as a checkpoint of transformers: {err}") from err
    except ValueError as err:
        raise ModelError(f"{folder} holds no backbone that transformers gives maps of ({str(err)[:120]}); convnext, swin, "
                         "dinov2, dinov3 and resnet are some; those of segformer go to `weights` of segformer") from err
    wrong = [f"{n} is lacking" for n in info["missing_keys"] if _OWN_NORMS not in n]
    wrong += [f"{n} is {a}, expected {b}" for n, a, b in info["mismatched_keys"]]
    if wrong:
        raise ModelError(f"weights in {folder} do not fit its config.json: {'; '.join(sorted(wrong)[:8])}; copy both from one "
                         "checkpoint")  # fmt: skip
    return model


@contextmanager
def _quiet(hf: Any) -> Iterator[None]:
    """Keep transformers from reporting what `load_checkpoint` judges by itself."""
    told, before = hf.utils.logging, hf.utils.logging.get_verbosity()
    told.set_verbosity_error()
    told.disable_progress_bar()
    try:
        yield
    finally:
        told.set_verbosity(before)
        told.enable_progress_bar()


class Pretrained(ImageNetwork):
    """One input through a pre-trained backbone, its maps joined; with the pixels of all inputs beside them when tuned."""

    dynamic_size = False

    def __init__(self, context: ChipContext) -> None:
        super().__init__(context)
        p = context.params
        self.tune = p["tune"]
        if self.tune not in TUNES:
            raise ModelError(f"tune is {self.tune!r}; choose among {', '.join(TUNES)}")
        self.seen = _choose_input(context, p["input"])
        folder = find_weights(p["backbone"])
        self.told = read_weights_card(folder, bands=tuple(p["backbone_bands"]))
        self.channel_of: list[int | None] = match_bands(self.seen.bands, self.told.bands)
        self.gain = _check_values(self.told, p["normalise"], p["gain"])
        self.size_px = self.told.size_px if p["resize"] else None
        self.normalise = Normaliser(self.seen)
        self.backbone: Any = load_checkpoint(folder)
        self.stride = 8 if self.size_px else _stride_of(self.backbone)
        self.first_layer = replace_first_layer(self.backbone, self.channel_of)
        widths = [int(c) for c in self.backbone.channels]
        self.is_linear = self.tune in ("probe", "knn")
        self.stem = None if self.is_linear else CubeStem(context.inputs, context.ratios, p["stem_width"])
        self.lateral = nn.ModuleList() if self.is_linear else nn.ModuleList(
            nn.Sequential(nn.Conv2d(w, p["width"], 1), make_norm(p["width"]), nn.ReLU()) for w in widths
        )  # fmt: skip
        self.join = nn.Identity() if self.is_linear else ConvBlock(p["width"] + p["stem_width"], p["width"])
        self.head: nn.Module = nn.Conv2d(sum(widths) if self.is_linear else p["width"], context.n_classes, 1)
        if self.tune == "knn":
            self.head = Neighbours(sum(widths), context.n_classes, p["memory"], k=p["k"])
        self._freeze(p["rank"])
        if self.is_linear and len(context.inputs) > 1:
            log.info("%s sees %s alone; the other cubes are not used", self.tune, self.seen.name)

    def _freeze(self, rank: int) -> None:
        if self.tune == "full":
            return
        self.backbone.requires_grad_(False)
        if self.tune == "lora":
            from peft import LoraConfig, inject_adapter_in_model

            names = {n.rpartition(".")[2] for n, m in self.backbone.named_modules() if isinstance(m, nn.Linear)}
            chosen = sorted(names & set(_ATTENTION)) or sorted(names)
            if not chosen:
                raise ModelError(f"{type(self.backbone).__name__} has no linear layer to adapt by low rank; take tune: full or "
                                 "probe")  # fmt: skip
            config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=chosen)
            inject_adapter_in_model(config, self.backbone)
            if any(c is None for c in self.channel_of):  # no checkpoint ever saw these bands
                self.backbone.get_submodule(self.first_layer).requires_grad_(True)

    def set_statistics(self, mean: Mapping[str, Tensor], std: Mapping[str, Tensor]) -> None:
        """Set the statistics: the checkpoint's own for bands that it knows, those of the data for the rest."""
        super().set_statistics(mean, std)
        if self.gain is None or self.told.mean is None or self.told.std is None:
            return
        for band, channel in enumerate(self.channel_of):
            if channel is not None:
                self.normalise.mean[band] = self.told.mean[channel] / self.gain
                self.normalise.std[band] = self.told.std[channel] / self.gain

    def train(self, mode: bool = True) -> Pretrained:
        """Switch to training; a frozen backbone stays as it is when used."""
        super().train(mode)
        if self.is_linear:
            self.backbone.eval()
        return self

    def maps(self, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        """Give the maps of all stages, the dates of each fused by the share of pixels that they saw."""
        values, valid = self.normalise(inputs)
        n, steps = values.shape[:2]
        flat = values.flatten(0, 1)
        if self.size_px:
            flat = functional.interpolate(flat, size=(self.size_px, self.size_px), mode="bilinear", align_corners=False)
        found = list(self.backbone(flat).feature_maps)
        if steps == 1:
            return found
        fused = []
        for level in found:
            share = split_dates(functional.interpolate(valid.flatten(0, 1), size=level.shape[-2:], mode="bilinear",
                                                       align_corners=False), n, steps)  # fmt: skip
            fused.append((split_dates(level, n, steps) * share).sum(dim=1) / share.sum(dim=1).clamp_min(1e-3))
        return fused

    def features(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Give all maps at the chip's pixels (batch, channel, y, x), each place of a map with mean 0 and spread 1."""
        like = inputs[f"{self.seen.name}_valid"]
        like = like[:, None] if like.ndim == 3 else like
        made = []
        for level in self.maps(inputs):
            centred = level - level.mean(dim=1, keepdim=True)
            made.append(resize_like(centred / (centred.square().mean(dim=1, keepdim=True) + 1e-6).sqrt(), like))
        return torch.cat(made, dim=1)

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Give logits (batch, class, y, x)."""
        if self.stem is None:
            flat: Tensor = self.head(self.features(inputs))
            # an exported network has to name every input of the card, also those that it makes no use of
            unused = [inputs[f"{i.name}{end}"].mean() for i in self.inputs if i is not self.seen for end in ("", "_valid")]
            return flat + 0.0 * torch.stack(unused).sum() if unused else flat
        pixels = self.stem(inputs)
        maps = self.maps(inputs)
        levels = [resize_like(layer(level), maps[0]) for layer, level in zip(self.lateral, maps, strict=True)]
        mixed = resize_like(torch.stack(levels).sum(dim=0), pixels)
        logits: Tensor = self.head(self.join(torch.cat([mixed, pixels], dim=1)))
        return logits

    def memorise(self, batches: Iterable[Batch]) -> bool:
        """Remember features of labelled pixels, if that is all that this network learns; gives whether it is."""
        if not isinstance(self.head, Neighbours):
            return False
        self.eval()
        with torch.no_grad():
            for batch in batches:
                self.head.add(self.features(batch.inputs), batch.target)
        return True

    def finish_training(self) -> None:
        """Merge low-rank updates into the layers that they belong to."""
        if self.tune != "lora":
            return
        from peft.tuners.lora import LoraLayer

        found: list[tuple[str, Any]] = [(n, m) for n, m in self.backbone.named_modules() if isinstance(m, LoraLayer)]
        for name, layer in found:
            layer.merge()
            parent = self.backbone.get_submodule(name.rpartition(".")[0])
            setattr(parent, name.rpartition(".")[2], layer.get_base_layer())


def _choose_input(context: ChipContext, name: str) -> ModelInput:
    """Find what the backbone sees: the input of that name, of "auto" the one of the finest grid with the most reflectances."""
    finest = [i for i, r in zip(context.inputs, context.ratios, strict=True) if r == 1]
    known = [i for i in finest if name in ("auto", i.name)]
    if not known:
        told = ", ".join(i.name for i in finest)
        raise ModelError(f"input is {name!r}, and the cubes on the finest grid are {told}; name one of them")
    return max(known, key=lambda i: sum(kind == "reflectance" for kind in i.kinds))


def _check_values(told: WeightsCard, normalise: str, gain: float | None) -> float | None:
    """Give the factor from physical values to those that the checkpoint normalises; None where the data's own are used."""
    if normalise == "data":
        return None
    if normalise != "card":
        raise ModelError(f"normalise is {normalise!r}; choose among card, data")
    if told.mean is None or told.std is None:
        raise ModelError(f"{told.folder} states no mean and standard deviation (image_mean, image_std in "
                         "preprocessor_config.json), and they are not guessed; add it, or take `normalise: data`")  # fmt: skip
    if gain is None and not told.is_unit:
        raise ModelError(f"{told.folder} does not rescale its images to 0..1 (do_rescale), so that the unit of its mean is not "
                         "stated; give `gain`, by which physical values are multiplied (10000 for integers of reflectance)")
    return 1.0 if gain is None else gain


def _stride_of(backbone: Any) -> int:
    """Give the pixels that one of its coarsest map spans."""
    config = backbone.config
    patch = int(getattr(config, "patch_size", 4) or 4)
    is_plain = len(set(map(int, backbone.channels))) == 1
    return patch if is_plain else 4 * 2 ** (len(backbone.channels) - 1)


def build(context: ChipContext) -> Pretrained:
    """Make the network from a checkpoint.

    Raises:
        SourceError: If the checkpoint cannot be found or read.
        ModelError: If it does not state what is needed, or does not fit the cubes.
    """
    if not context.params["backbone"]:
        raise ModelError("pretrained needs `backbone`: a folder with a checkpoint of transformers, or a name on the hub")
    return Pretrained(context)
