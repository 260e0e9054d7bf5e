"""The encoders by name with their parameters; importable without torch, so that the registry can list them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from landweave.errors import ModelError

__all__ = ["ENCODERS", "EncoderInfo", "find_encoder"]


@dataclass(frozen=True)
class EncoderInfo:
    """One encoder of series.

    Attributes:
        title: For people.
        home: Module in this package and class.
        defaults: Its parameters.
        source: Where it comes from.
    """

    title: str
    home: tuple[str, str]
    defaults: Mapping[str, Any]
    source: str


ENCODERS: Mapping[str, EncoderInfo] = {
    "ltae": EncoderInfo("Light temporal attention (L-TAE)", ("series_attention", "LightTemporalAttention"),
                        {"width": 64, "n_heads": 8, "key_width": 8, "hidden": 64, "dropout": 0.2},
                        "Garnot and Landrieu 2020, arXiv:2007.00586"),
    "tae": EncoderInfo("Temporal attention (TAE)", ("series_attention", "TemporalAttention"),
                       {"width": 32, "n_heads": 4, "key_width": 8, "hidden": 64, "dropout": 0.2},
                       "Garnot, Landrieu, Giordano and Chehata 2020, arXiv:1911.07757"),
    "transformer": EncoderInfo("Transformer over time", ("series_attention", "TransformerEncoder"),
                               {"width": 48, "n_heads": 4, "depth": 2, "dropout": 0.1},
                               "Vaswani et al. 2017, arXiv:1706.03762; for satellite series "
                               "Russwurm and Koerner 2020, doi:10.1016/j.isprsjprs.2020.06.006"),
    "tempcnn": EncoderInfo("Temporal convolutions (TempCNN)", ("series_convolution", "TempCnn"),
                           {"filters": 64, "kernel": 5, "dense": 256, "dropout": 0.5},
                           "Pelletier, Webb and Petitjean 2019, doi:10.3390/rs11050523"),
    "resnet-1d": EncoderInfo("Residual network over time", ("series_convolution", "ResNet1d"),
                             {"filters": 48, "dropout": 0.2}, "Wang, Yan and Oates 2017, arXiv:1611.06455"),
    "inception-time": EncoderInfo("InceptionTime", ("series_convolution", "InceptionTime"),
                                  {"filters": 16, "depth": 6, "dropout": 0.2}, "Fawaz et al. 2020, arXiv:1909.04939"),
    "lstm": EncoderInfo("Long short-term memory", ("series_recurrent", "Lstm"), {"width": 64, "depth": 1, "dropout": 0.2},
                        "Hochreiter and Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735"),
    "gru": EncoderInfo("Gated recurrent units", ("series_recurrent", "Gru"), {"width": 64, "depth": 1, "dropout": 0.2},
                       "Cho et al. 2014, arXiv:1406.1078"),
    "deep-mlp": EncoderInfo("Perceptron with batch norm and dropout", ("series_dense", "Perceptron"),
                            {"width": 128, "depth": 2, "dropout": 0.3},
                            "Rumelhart, Hinton and Williams 1986, doi:10.1038/323533a0"),
}  # fmt: skip
"""Every encoder; its name is also that of the model family that is this encoder and a linear layer."""


def find_encoder(name: str) -> EncoderInfo:
    """Give what is known of an encoder.

    Raises:
        ModelError: If there is none of that name; the message lists them.
    """
    if name not in ENCODERS:
        raise ModelError(f"no encoder named {name!r}; known encoders: {', '.join(sorted(ENCODERS))}")
    return ENCODERS[name]
