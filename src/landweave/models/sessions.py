"""Networks as ONNX files, opened for computing: ONNX Runtime for everybody, OpenVINO as an extra, the same face for both.

Receives the content of an ONNX file and a `Runtime`; hands on a `Session` that turns arrays into one array. A session computes
with one thread and one fixed shape at a time, so that many threads can use it and none changes what another gets.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import psutil
from numpy.typing import NDArray

from landweave.errors import MissingExtraError, ModelError
from landweave.types import Device, Precision, RuntimeName

__all__ = [
    "ONNXRUNTIME",
    "Network",
    "Runtime",
    "Session",
    "TensorInfo",
    "inspect_network",
    "measure_run",
    "open_session",
    "share_pool",
]

_KEPT = 16
"""Sessions kept open in a process; an ensemble needs one per member."""


@dataclass(frozen=True)
class Runtime:
    """What computes a network; it decides the last digits of the probabilities, so that it belongs to a map's identity.

    Attributes:
        name: "onnxruntime", or "openvino" where that extra is installed.
        precision: "bf16" rounds inside the network to 8 bits of mantissa, which some processors do faster; OpenVINO alone.
        device: "cuda" needs onnxruntime-gpu.
    """

    name: RuntimeName = "onnxruntime"
    precision: Precision = "fp32"
    device: Device = "cpu"


ONNXRUNTIME = Runtime()
"""What a network is computed with unless asked otherwise."""


@dataclass(frozen=True)
class TensorInfo:
    """A tensor at the rim of a network: its element type ("float") and shape, None where it may be any."""

    dtype: str
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        return f"{self.dtype} ({', '.join('any' if d is None else str(d) for d in self.shape)})"


@dataclass(frozen=True)
class Network:
    """What an ONNX file says of itself.

    Attributes:
        inputs: Name -> tensor.
        outputs: Name -> tensor.
        metadata: The file's own notes (`metadata_props`).
    """

    inputs: Mapping[str, TensorInfo]
    outputs: Mapping[str, TensorInfo]
    metadata: Mapping[str, str] = field(default_factory=dict)


class Session(Protocol):
    """An opened network; may be used by several threads at once."""

    def run(self, feeds: Mapping[str, NDArray[np.float32]], output: str) -> NDArray[np.float32]:
        """Compute one output of the arrays given by input name."""
        ...


def inspect_network(content: bytes) -> Network:
    """Read inputs, outputs and notes of an ONNX file.

    Raises:
        ModelError: If it is no ONNX file that ONNX Runtime can read.
    """
    session = _open_onnxruntime(content, Runtime(), optimise=False)
    notes = dict(session.get_modelmeta().custom_metadata_map)
    return Network(_describe(session.get_inputs()), _describe(session.get_outputs()), notes)


def _describe(tensors: Sequence[Any]) -> dict[str, TensorInfo]:
    return {
        t.name: TensorInfo(str(t.type).removeprefix("tensor(").removesuffix(")"),
                           tuple(d if isinstance(d, int) else None for d in t.shape))
        for t in tensors
    }  # fmt: skip


_sessions: OrderedDict[tuple[str, Runtime], Session] = OrderedDict()
_lock = threading.Lock()


def open_session(content: bytes, runtime: Runtime, *, sha256: str | None = None) -> Session:
    """Open a network, or give the session that this process has open already.

    Args:
        content: The ONNX file.
        runtime: What to compute it with.
        sha256: Of the content, where the caller has it.

    Raises:
        ModelError: If the file cannot be read, or the runtime cannot do what is asked.
        MissingExtraError: If the runtime is not installed.
    """
    key = (sha256 or hashlib.sha256(content).hexdigest(), runtime)
    with _lock:
        if key not in _sessions:
            opened = _OpenVino(content, runtime) if runtime.name == "openvino" else _OnnxRuntime(content, runtime)
            _sessions[key] = opened
            while len(_sessions) > _KEPT:
                _sessions.popitem(last=False)
        _sessions.move_to_end(key)
        return _sessions[key]


_costs: dict[tuple[str, Runtime, tuple[int, ...]], int] = {}


def measure_run(
    content: bytes, runtime: Runtime, feeds: Mapping[str, NDArray[np.float32]], output: str, *, sha256: str
) -> int:  # fmt: skip
    """Measure how much the process grows when a network computes: bytes beside its weights, which stay in the session.

    Two runs, since the first one plans what the next ones hold. Measured once in a process.
    """
    sizes = tuple(n for array in feeds.values() for n in array.shape)
    key = (sha256, runtime, sizes)
    if key not in _costs:
        process = psutil.Process()
        session = open_session(content, runtime, sha256=sha256)
        before = process.memory_info().rss
        given = sum(array.nbytes for array in feeds.values())
        for _ in range(2):
            given = max(given, sum(array.nbytes for array in feeds.values()) + session.run(feeds, output).nbytes)
        _costs[key] = max(process.memory_info().rss - before, given)
    return _costs[key]


@lru_cache(maxsize=4)
def share_pool(threads: int) -> ThreadPoolExecutor:
    """Give the threads that compute networks for all blocks of this process."""
    return ThreadPoolExecutor(threads, thread_name_prefix="network")


# --- ONNX Runtime --------------------------------------------------------------------------------------------------------


class _OnnxRuntime:
    """A session of ONNX Runtime: computes in the calling thread."""

    def __init__(self, content: bytes, runtime: Runtime) -> None:
        self._session = _open_onnxruntime(content, runtime)

    def run(self, feeds: Mapping[str, NDArray[np.float32]], output: str) -> NDArray[np.float32]:
        from onnxruntime.capi import onnxruntime_pybind11_state as state

        # it has no base of its own for errors; ValueError where an input or output of that name is lacking
        errors = (state.Fail, state.InvalidArgument, state.InvalidGraph, state.RuntimeException, state.NotImplemented,
                  state.EPFail, ValueError)  # fmt: skip
        try:
            return np.asarray(self._session.run([output], dict(feeds))[0])
        except errors as err:
            raise _failed(feeds, err) from err


def _open_onnxruntime(content: bytes, runtime: Runtime, *, optimise: bool = True) -> Any:
    import onnxruntime

    if runtime.precision != "fp32":
        raise ModelError(f"ONNX Runtime computes networks in fp32, not in {runtime.precision}; use the runtime openvino")
    providers = ["CPUExecutionProvider"]
    if runtime.device == "cuda":
        has = onnxruntime.get_available_providers()
        if "CUDAExecutionProvider" not in has:
            raise ModelError(f"device is cuda, and this ONNX Runtime has {', '.join(has)}; install onnxruntime-gpu, or use the "
                             "device cpu")  # fmt: skip
        providers = ["CUDAExecutionProvider", *providers]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # blocks run side by side instead
    options.use_deterministic_compute = True
    options.log_severity_level = 3  # its warnings are about its own optimisations
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(content, options, providers=providers)
    except Exception as err:  # it raises a dozen unrelated types for bad files
        raise ModelError(f"the network's file ({len(content)} bytes) cannot be read as ONNX: {_first_line(err)}; it is damaged "
                         "or made for another version, export or train the model again") from err  # fmt: skip
    if runtime.device == "cuda" and "CUDAExecutionProvider" not in session.get_providers():
        raise ModelError("device is cuda, and ONNX Runtime could not start it (are driver and GPU there?); use the device cpu")
    return session


# --- OpenVINO ------------------------------------------------------------------------------------------------------------


class _OpenVino:
    """A network compiled by OpenVINO, as often as it is used at the same time: requests to one compilation wait for another."""

    def __init__(self, content: bytes, runtime: Runtime) -> None:
        try:
            import openvino
        except ImportError as err:
            hint = 'pip install "landweave[openvino]"'
            raise MissingExtraError(f"the runtime openvino needs the 'openvino' extra: {hint}") from err
        if runtime.device != "cpu":
            raise ModelError(f"device is {runtime.device}, and OpenVINO is used on the cpu; take the runtime onnxruntime")
        self._core = openvino.Core()
        try:
            self._model = self._core.read_model(content)
        except RuntimeError as err:
            raise ModelError(f"OpenVINO cannot read the network's file ({len(content)} bytes): {_first_line(err)}; use the "
                             "runtime onnxruntime, or export the model again") from err  # fmt: skip
        self._config = {
            # on processors that have it OpenVINO would take bf16 unasked
            "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[runtime.precision],
            "INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "ENABLE_CPU_PINNING": False,
        }  # fmt: skip
        self._idle: deque[Any] = deque()
        self._compile_lock = threading.Lock()

    def _take_request(self) -> Any:
        try:
            return self._idle.pop()
        except IndexError:
            with self._compile_lock:
                return self._core.compile_model(self._model, "CPU", self._config).create_infer_request()

    def run(self, feeds: Mapping[str, NDArray[np.float32]], output: str) -> NDArray[np.float32]:
        try:
            request = self._take_request()
            request.infer(dict(feeds), share_inputs=True)
            made = np.array(request.get_tensor(output).data, dtype=np.float32)
        except RuntimeError as err:
            raise _failed(feeds, err) from err
        self._idle.append(request)
        return made


def _failed(feeds: Mapping[str, NDArray[np.float32]], err: Exception) -> ModelError:
    shapes = ", ".join(f"{name} {array.shape}" for name, array in feeds.items())
    return ModelError(f"the network cannot compute {shapes}: {_first_line(err)}; the model folder and its network do not "
                      "belong together, train or export the model again")  # fmt: skip


def _first_line(err: Exception) -> str:
    return next((line.strip() for line in str(err).splitlines() if line.strip()), type(err).__name__)[:300]
