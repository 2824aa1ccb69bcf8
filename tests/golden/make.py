"""Writes the golden figures beside this file: three tiny ONNX classifiers, their inputs and reference explanations.

    pip install torch onnx onnxruntime numpy
    python make.py

For each network: `NAME.onnx` (opset 17, dynamic batch), `NAME/input.npy` `[2, 3, H, W]`, `NAME/logits.npy`, one
`NAME/LAYER.METHOD.npy` `[N, K, h, w]` a layer and method, `NAME/METHOD.npy` for the methods without a layer.
All are float32, computed in float64. `manifest.json` says what is what. `float32` in it is what plain float32 torch
loses, as a share of the map's largest value: a fair tolerance for an implementation is some times that, at least 1e-5.
"""

import json
import pathlib

import numpy as np
import onnx
import onnxruntime
import torch

import methods
import networks

HERE = pathlib.Path(__file__).resolve().parent
NETWORKS = {"residual": (networks.Residual, 1), "plain": (networks.Plain, 2), "vit": (networks.Vit, 3)}
NOTES = {
    "maps": "raw and signed: before any ReLU, min-max or resize; [N, K, h, w], K in the order of `classes`",
    "eigencam, eigengradcam": "sign arbitrary: compare up to the sign of each [h, w] map",
    "finercam": "alpha 1, the 3 classes whose logits are nearest to the target's, softmax weights with gradient",
    "shapleycam": "target: the logit",
    "elementwise": "sum over channels of relu(g A)",
    "reciprocam": "probabilities, no Gaussian",
    "fullgrad": "[N, K, H, W], the sum before the last min-max; convolutions and batch norms only",
    "guided_backprop, input_gradient": "[N, K, 3, H, W]",
    "vit": "maps have the class token dropped; methods that average do so over the patch tokens only",
}


def export(model, x, path):
    """The older exporter: batch norms folded into convolutions, dynamic batch."""
    torch.onnx.export(
        model, (x,), path, dynamo=False, opset_version=17, input_names=["input"], output_names=["logits"],
        dynamic_axes={"input": {0: "n"}, "logits": {0: "n"}},
    )


def tensors(path, x):
    """Every intermediate float tensor of an ONNX model: a dict of name to value."""
    model = onnx.load(path)
    names = [name for node in model.graph.node for name in node.output]
    known = {output.name for output in model.graph.output}
    for name in names:
        if name not in known:
            model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    outputs = [output.name for output in session.get_outputs()]
    values = dict(zip(outputs, session.run(outputs, {"input": x})))
    return {name: v for name, v in values.items() if v.dtype == np.float32}


def matching(values, wanted):
    """Names of the tensors that hold this value."""
    scale = np.abs(wanted).max()
    return [n for n, v in values.items() if v.shape == wanted.shape and np.abs(v - wanted).max() < 1e-4 * scale]


def explanations(model, x, classes):
    """All reference results of a network in the precision of `x`: a dict of file stem to array."""
    grid = getattr(model, "GRID", None)
    results = {}
    for layer, path in model.LAYERS.items():
        module = model.get_submodule(path)
        per_class = [methods.layer_maps(model, module, x, target, grid) for target in classes]
        for name in per_class[0]:
            results[f"{layer}.{name}"] = torch.stack([maps[name] for maps in per_class], 1)
        if grid is None:
            results[f"{layer}.reciprocam"] = methods.reciprocam(model, module, x, classes)
    if isinstance(model, networks.Residual):
        _, a = methods.capture(model, model.block2, x)
        results["last.cam"] = torch.einsum("kc,nchw->nkhw", model.fc.weight[classes], a).detach()
    for name in ["input_gradient", "guided_backprop", "fullgrad"]:
        if name == "guided_backprop" and grid is not None:
            continue  # no ReLU in it: the same as input_gradient
        results[name] = torch.stack([getattr(methods, name)(model, x, target) for target in classes], 1)
    return results


def loss_in_float32(name, single, double):
    """Largest difference as a share of the largest value; eigen maps up to sign."""
    single = single.double()
    if "eigen" in name:
        single = single * (single * double).sum((-2, -1), keepdim=True).sign()
    return ((single - double).abs().max() / double.abs().max()).item()


def make(name, kind, seed):
    """One network: its ONNX file, arrays and manifest entry."""
    model = networks.build(kind, seed)
    x = torch.randn(2, 3, *kind.SIZE)
    export(model, x, HERE / f"{name}.onnx")
    logits = model(x).detach()
    first = int(logits[0].argmax())
    second = next(int(c) for c in logits[1].argsort(descending=True) if c != first)
    classes = [first, second]

    values = tensors(HERE / f"{name}.onnx", x.numpy())
    layers = {}
    for layer, path in kind.LAYERS.items():
        _, a = methods.capture(model, model.get_submodule(path), x)
        names = matching(values, a.detach().numpy())
        layers[layer] = {"module": path, "tensors": names, "shape": list(a.shape)}
        if a.dim() == 3:
            layers[layer]["grid"] = list(kind.GRID)

    single = explanations(model, x, classes)
    double = explanations(model.double(), x.double(), classes)
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    arrays = {"input": x, "logits": model(x.double()).detach(), **double}
    for key, value in arrays.items():
        np.save(folder / f"{key}.npy", value.numpy().astype("<f4"))
    return {
        "onnx": f"{name}.onnx", "classes": classes, "layers": layers,
        "maps": {
            key: {"shape": list(value.shape), "float32": float(f"{loss_in_float32(key, single[key], value):.1e}")}
            for key, value in double.items()
        },
    }


def main():
    manifest = {"notes": NOTES, "networks": {n: make(n, kind, seed) for n, (kind, seed) in NETWORKS.items()}}
    (HERE / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


if __name__ == "__main__":
    main()
