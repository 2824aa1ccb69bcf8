"""Writes the reference maps of Score-CAM and Ablation-CAM for the networks that `make.py` has written.

    pip install onnx onnxruntime numpy
    python black_box.py

`NAME/LAYER.scorecam.npy` and `NAME/LAYER.ablationcam.npy`, f32 `[K, h, w]`, of the first picture and the classes in
`manifest.json`. The definitions are those of pytorch-grad-cam, except that Ablation-CAM divides by the logit's
magnitude and always sets a channel to zero: the same where the logit is positive and the layer is not negative.
The layer is ablated by multiplying it inside the graph, whole network and all.
"""

import json
import pathlib

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

HERE = pathlib.Path(__file__).resolve().parent


def sessions(path, layer, rank):
    """The network with the layer as an output, and with the layer multiplied by the input `keep`."""
    model = onnx.load(path)
    seen = onnx.ModelProto()
    seen.CopyFrom(model)
    seen.graph.output.append(helper.make_tensor_value_info(layer, TensorProto.FLOAT, None))
    for node in model.graph.node:
        node.input[:] = ["kept" if name == layer else name for name in node.input]
    at = next(i for i, node in enumerate(model.graph.node) if layer in node.output)
    model.graph.node.insert(at + 1, helper.make_node("Mul", [layer, "keep"], ["kept"]))
    model.graph.input.append(helper.make_tensor_value_info("keep", TensorProto.FLOAT, [None] * rank))
    load = lambda proto: onnxruntime.InferenceSession(proto.SerializeToString())
    return load(seen), load(model)


def corners(a, height, width):
    """Bilinear, aligned corners: `[h, w]` to `[height, width]`."""
    ys, xs = np.linspace(0, a.shape[0] - 1, height), np.linspace(0, a.shape[1] - 1, width)
    rows = np.stack([np.interp(xs, np.arange(a.shape[1]), row) for row in a])
    return np.stack([np.interp(ys, np.arange(a.shape[0]), column) for column in rows.T]).T


def softmax(x):
    e = np.exp(x - x.max(0))
    return e / e.sum(0)


def main():
    manifest = json.loads((HERE / "manifest.json").read_text())
    for name, about in manifest["networks"].items():
        x = np.load(HERE / name / "input.npy")[:1]
        classes = about["classes"]
        for layer, where in about["layers"].items():
            tensor = where["tensors"][0]
            grid = np.load(HERE / name / f"{layer}.gradcam.npy").shape[2:]
            rank = 3 if name == "vit" else 4
            seen, ablated = sessions(HERE / f"{name}.onnx", tensor, rank)
            feed = seen.get_inputs()[0].name
            logits, a = seen.run(["logits", tensor], {feed: x})
            maps = a[0, 1:].T.reshape(-1, *grid) if rank == 3 else a[0]
            masks = [corners(m.astype("f8"), *x.shape[2:]) for m in maps]
            masks = [(m - m.min()) / (m.max() - m.min() + 1e-8) for m in masks]
            scores = [seen.run(["logits"], {feed: (x * m).astype("f4")})[0][0, classes] for m in masks]
            weights = softmax(np.float64(scores))
            score_cam = np.einsum("ck,chw->khw", weights, maps)
            lost = []
            for channel in range(len(maps)):
                keep = np.ones([1, 1, len(maps)] if rank == 3 else [1, len(maps), 1, 1], "f4")
                keep.reshape(-1)[channel] = 0
                now = ablated.run(["logits"], {feed: x, "keep": keep})[0]
                lost.append((logits - now)[0, classes] / np.abs(logits[0, classes]))
            ablation_cam = np.einsum("ck,chw->khw", np.float64(lost), maps)
            np.save(HERE / name / f"{layer}.scorecam.npy", score_cam.astype("f4"))
            np.save(HERE / name / f"{layer}.ablationcam.npy", ablation_cam.astype("f4"))


main()
