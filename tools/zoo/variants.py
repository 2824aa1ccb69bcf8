"""Adds the awkward files to a zoo: int8 with QuantizeLinear, two kinds of float16, weights in a file beside the model.

    pip install numpy onnx onnxruntime onnxconverter-common torch torchvision timm
    python variants.py OUT

Made from `resnet18` and `mobilenet_v2`, which `export.py OUT` must have made before. Their references stay the float32
ones, so the bar in the manifest is wide: it is there to see that such files work at all.
"""

import pathlib
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
import torch
from onnxconverter_common import float16
from onnxruntime import quantization

import export
from catalogue import ENTRIES

FROM = "torchscript17"


class Noise(quantization.CalibrationDataReader):
    """The zoo's picture and a few like it."""

    def __init__(self, name, size):
        self.feeds = iter([{name: export.picture(export.SEED + i, size).numpy()} for i in range(8)])

    def get_next(self):
        return next(self.feeds, None)


def int8(source, path, entry):
    with tempfile.TemporaryDirectory() as folder:
        prepared = pathlib.Path(folder) / "prepared.onnx"
        quantization.quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        quantization.quantize_static(
            str(prepared), str(path), Noise("input", entry.size), quant_format=quantization.QuantFormat.QDQ, per_channel=True
        )


def half_inside(source, path, entry):
    """float16 inside, float32 input and output."""
    onnx.save(float16.convert_float_to_float16(onnx.load(str(source)), keep_io_types=True), str(path))


def half(source, path, entry):
    """float16 throughout, as a person exports it from a half-precision network."""
    model, x = export.build(entry)
    export.export(model.half(), x.half(), path, False, 17, False)


def external(source, path, entry):
    onnx.save(onnx.load(str(source)), str(path), save_as_external_data=True, location=path.name + ".data", size_threshold=1024)


VARIANTS = [
    ("resnet18", "int8_qdq", int8, 0.3),
    ("resnet18", "external_data", external, 0),
    ("mobilenet_v2", "float16_inside", half_inside, 0.05),
    ("mobilenet_v2", "float16", half, 0.05),
    ("mobilenet_v2", "int8_qdq", int8, 0.5),
]


def logits(path, x):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    kind = np.float16 if session.get_inputs()[0].type == "tensor(float16)" else np.float32
    return session.run(None, {session.get_inputs()[0].name: x.astype(kind)})[0].astype(np.float32)


def main():
    zoo = export.Zoo(pathlib.Path(sys.argv[1]))
    entries = {entry.name: entry for entry in ENTRIES}
    torch.set_num_threads(2)
    for name, variant, make, bar in VARIANTS:
        record = zoo.manifest["models"][name]
        origin = record["files"][f"{name}.{FROM}.onnx"]
        path = zoo.folder / f"{name}.{variant}.onnx"
        try:
            make(zoo.folder / f"{name}.{FROM}.onnx", path, entries[name])
            arrays = np.load(zoo.folder / f"{name}.npz")
            there = {o for node in onnx.load(str(path), load_external_data=False).graph.node for o in node.output}
            tensors = {n: i for n, i in origin["tensors"].items() if n in there}
            difference = np.abs(logits(path, arrays["x"]) - arrays["logits"]).max() / np.abs(arrays["logits"]).max()
            record["files"][path.name] = {
                **origin, "exporter": variant, "bytes": path.stat().st_size, "tensors": tensors, "bar": bar,
                "dynamic_batch": origin["dynamic_batch"] and variant != "float16",
                "layer_tensors": [n for n in origin["layer_tensors"] if n in tensors], "logits_difference": float(difference),
            }
            print(f"ok      {path.name}  logits differ by {difference:.1e}", flush=True)
        except Exception as error:
            zoo.fail(path.name, error)
        zoo.save()


if __name__ == "__main__":
    main()
