"""Networks that label whole chips: a compact one, the balanced attention design, and backbones of transformers.

Each takes the inputs of image networks (see `image_parts`) and gives one logit per class and chip.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from landweave.errors import ModelError, SourceError
from landweave.models.deep.image_parts import (
    ConvBlock,
    CoordinateAttention,
    CubeStem,
    ImageNetwork,
    SqueezeExcitation,
    make_norm,
)
from landweave.models.registry import ChipContext

__all__ = ["BackboneScenes", "BalancedScenes", "CompactScenes", "DropBlock", "JoinedAttention", "build"]


class _Scenes(ImageNetwork):
    """Stem, trunk, mean over the chip, one linear layer."""

    dynamic_size = False

    def __init__(self, context: ChipContext, width: int, n_features: int) -> None:
        super().__init__(context)
        self.stem = CubeStem(context.inputs, context.ratios, width)
        self.head = nn.Sequential(nn.Dropout(context.params["dropout"]), nn.Linear(n_features, context.n_classes))

    def features(self, x: Tensor) -> Tensor:
        """Give features (batch, feature, y, x) of the stem's."""
        raise NotImplementedError

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Give logits (batch, class)."""
        logits: Tensor = self.head(self.features(self.stem(inputs)).mean(dim=(-2, -1)))
        return logits


class CompactScenes(_Scenes):
    """Four stages of two 3 x 3 convolutions, each half as fine and twice as wide as the one before; own design."""

    stride = 8

    def __init__(self, context: ChipContext) -> None:
        width, attention = context.params["width"], context.params["attention"]
        super().__init__(context, width, 8 * width)
        sides = [width, width, 2 * width, 4 * width, 8 * width]
        blocks: list[nn.Module] = []
        for k in range(4):
            blocks += [nn.MaxPool2d(2)] if k else []
            blocks.append(ConvBlock(sides[k], sides[k + 1], attention=attention))
        self.trunk = nn.Sequential(*blocks)

    def features(self, x: Tensor) -> Tensor:
        """Give the features of the last stage."""
        made: Tensor = self.trunk(x)
        return made


class JoinedAttention(nn.Module):
    """a CA(x) + (1 - a) SE(x) with a = sigmoid of a learned number (Vir 2025, arXiv:2510.15527).

    Coordinate attention (arXiv:2103.02907) weights by place, squeeze-excitation (arXiv:1709.01507) by channel.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.by_place, self.by_channel = CoordinateAttention(channels, reduction=8), SqueezeExcitation(channels, reduction=8)
        self.fusion = nn.Parameter(torch.zeros(1))  # equal shares to begin with

    def forward(self, x: Tensor) -> Tensor:
        """Give the weighted channels."""
        share = self.fusion.sigmoid()
        joined: Tensor = share * self.by_place(x) + (1 - share) * self.by_channel(x)
        return joined


class DropBlock(nn.Module):
    """Squares of `side` are set to 0 while training, all channels alike (Ghiasi et al. 2018, arXiv:1810.12890, eq. 1).

    Kept values are scaled up so that the mean stays.
    """

    def __init__(self, rate: float, side: int = 5) -> None:
        super().__init__()
        self.rate, self.side = rate, side

    def forward(self, x: Tensor) -> Tensor:
        """Give the features with squares dropped."""
        if not self.training or self.rate == 0:
            return x
        height, width = int(x.shape[-2]), int(x.shape[-1])
        side = min(self.side, height, width)
        side -= (side + 1) % 2  # an odd side has a centre
        inner = (height - side + 1) * (width - side + 1)
        seeds = self.rate * height * width / side**2 / inner
        centres = torch.zeros(len(x), 1, height, width, device=x.device)
        half = side // 2
        grid = centres[..., half : height - half, half : width - half]
        grid.copy_((torch.rand_like(grid) < seeds).float())
        kept = 1 - functional.max_pool2d(centres, side, stride=1, padding=half)
        return x * kept * (kept.numel() / kept.sum().clamp_min(1.0))


class _BalancedBlock(nn.Module):
    """Two convolutions with a short cut; squares dropped between them, joined attention after them."""

    def __init__(self, n_in: int, n_out: int, *, step: int, drop: float) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(n_in, n_out, 3, stride=step, padding=1, bias=False), make_norm(n_out), nn.ReLU())
        self.drop = DropBlock(drop)
        self.second = nn.Sequential(nn.Conv2d(n_out, n_out, 3, padding=1, bias=False), make_norm(n_out), JoinedAttention(n_out))
        is_same = step == 1 and n_in == n_out
        self.short = nn.Identity() if is_same else nn.Conv2d(n_in, n_out, 1, stride=step, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Give the block's features."""
        return functional.relu(self.second(self.drop(self.first(x))) + self.short(x))


class BalancedScenes(_Scenes):
    """The balanced multi-task attention network published for EuroSAT (Vir 2025, arXiv:2510.15527).

    Four stages of residual blocks (three, three, three, two in the paper's code; `depth`) with twice the channels and half the
    pixels from one to the next, joined attention in each block, DropBlock that rises from 5 to 20 %. The paper has 64 to 512
    channels and batch norm; here the first stage has `width`, and group norm serves any batch.
    """

    stride = 8

    def __init__(self, context: ChipContext) -> None:
        width, depth = context.params["width"], tuple(context.params["depth"])
        if len(depth) != 4 or min(depth) < 1:
            raise ModelError(f"depth is {list(depth)}; give the blocks of each of the four stages, such as [3, 3, 3, 2]")
        super().__init__(context, width, 8 * width)
        blocks: list[nn.Module] = []
        n_in = width
        for stage, n_blocks in enumerate(depth):
            for k in range(n_blocks):
                drop = context.params["drop_block"] * (stage + 1) / 4
                blocks.append(_BalancedBlock(n_in, width * 2**stage, step=2 if stage and not k else 1, drop=drop))
                n_in = width * 2**stage
        self.trunk = nn.Sequential(*blocks)

    def features(self, x: Tensor) -> Tensor:
        """Give the features of the last stage."""
        made: Tensor = self.trunk(x)
        return made

    @property
    def fusion(self) -> float:
        """Mean share of coordinate attention over the blocks; 0.57 in the paper."""
        shares = [m.fusion.sigmoid() for m in self.modules() if isinstance(m, JoinedAttention)]
        return float(torch.cat(shares).mean())


class BackboneScenes(_Scenes):
    """ResNet, ConvNeXt, Swin or DINOv2 of transformers behind the stem; random weights, or those of a folder on disk."""

    stride = 32

    def __init__(self, context: ChipContext, name: str) -> None:
        p = context.params
        width = p["stem_width"]
        backbone, n_features = _make_backbone(name, width, p)
        super().__init__(context, width, n_features)
        self.backbone = backbone

    def features(self, x: Tensor) -> Tensor:
        """Give what the backbone says of the whole chip: the mean of its last map, or DINOv2's class token."""
        pooled: Tensor = self.backbone(x).pooler_output
        return pooled.flatten(1)[..., None, None]


def _make_backbone(name: str, channels: int, p: Mapping[str, Any]) -> tuple[nn.Module, int]:
    import transformers

    hf: Any = transformers  # whose configurations take more keywords than their annotations list
    configs = {"resnet": hf.ResNetConfig, "convnext": hf.ConvNextConfig, "swin": hf.SwinConfig, "dinov2": hf.Dinov2Config}
    models = {"resnet": hf.ResNetModel, "convnext": hf.ConvNextModel, "swin": hf.SwinModel, "dinov2": hf.Dinov2Model}
    if p.get("weights"):
        config = _stored_config(configs[name], name, p["weights"], channels)
    else:
        config = configs[name](num_channels=channels, **_sizes(name, p))
    made = models[name](config)
    return made, int(config.hidden_sizes[-1] if name in ("resnet", "convnext") else config.hidden_size)


def _stored_config(kind: Any, name: str, folder: str, channels: int) -> Any:
    """Read the sizes of a checkpoint; only the number of channels that it sees becomes ours."""
    path = Path(folder) / "config.json"
    if not path.is_file():
        raise SourceError(f"{folder} holds no config.json; save a model of transformers there with save_pretrained")
    stored = kind.get_config_dict(str(folder), local_files_only=True)[0]
    if stored.get("model_type") != kind.model_type:
        raise ModelError(f"{path} describes a {stored.get('model_type')}, the network is {name}; choose the network of the "
                         "checkpoint")  # fmt: skip
    return kind.from_dict({**stored, "num_channels": channels})


def _sizes(name: str, p: Mapping[str, Any]) -> dict[str, Any]:
    width, depth = p["width"], p["depth"]
    widths = [width * 2**k for k in range(4)]
    if name == "resnet":
        return {"embedding_size": width, "hidden_sizes": widths, "depths": [depth] * 4, "layer_type": "basic"}
    if name == "convnext":
        return {"hidden_sizes": widths, "depths": [depth] * 4}
    if name == "swin":
        window = max(1, min(4, p["chip_size_px"] // 16))  # SwinModel fails where the last map is smaller than a window
        return {"embed_dim": width, "depths": [2 * max(1, depth // 2)] * 3, "num_heads": [2, 4, 8], "window_size": window,
                "patch_size": 4, "image_size": p["chip_size_px"]}  # fmt: skip
    return {"hidden_size": 4 * width, "num_hidden_layers": 2 * depth, "num_attention_heads": 4, "patch_size": 8, "mlp_ratio": 2,
            "image_size": p["chip_size_px"]}  # fmt: skip


def build(name: str, context: ChipContext) -> ImageNetwork:
    """Make a network by name, with random weights or those of the folder that `weights` names.

    Raises:
        ModelError: If the weights do not fit; lists the differences.
        SourceError: If the folder has none.
    """
    if name == "scene-cnn":
        return CompactScenes(context)
    if name == "scene-attention":
        return BalancedScenes(context)
    made = BackboneScenes(context, name.removeprefix("scene-"))
    if context.params.get("weights"):
        from landweave.models.deep.image_weights import load_backbone

        load_backbone(made, context.params["weights"])
    return made
