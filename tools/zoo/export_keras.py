"""Adds Keras classifiers, converted with tf2onnx, to a zoo: channels-last graphs with other names and habits.

    pip install tensorflow tf2onnx onnx onnxruntime numpy        (an environment of its own is best)
    python export_keras.py OUT

Random weights. Each is exported twice: ending in logits and, as people have them, in softmax. The reference is always
that of the logit. Same files and manifest as `export.py` writes.
"""

import json
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import onnx
import onnxruntime
import tensorflow as tf
import tf2onnx

OPSET = 17
LAST = 40
MODELS = {
    "MobileNetV2": (128, {"alpha": 0.35}), "MobileNetV3Small": (128, {"include_preprocessing": False}), "DenseNet121": (128, {}),
    "NASNetMobile": (224, {}),
}


def build(name, size, options):
    """The network in logits and in softmax form, sharing weights, with batch statistics of noise."""
    tf.keras.utils.set_random_seed(7)
    make = getattr(tf.keras.applications, name)
    model = make(weights=None, input_shape=(size, size, 3), classes=100, classifier_activation=None, **options)
    for layer in model.layers:
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            layer.momentum = 0.0
    model(tf.random.normal((3, size, size, 3)), training=True)
    probabilities = tf.keras.Model(model.input, tf.keras.layers.Softmax(name="probabilities")(model.output))
    return model, probabilities


def reference(model, x):
    """Logits, target, and for the last square feature maps: value, gradient."""
    layers = [
        layer for layer in model.layers
        if not isinstance(layer, tf.keras.layers.InputLayer) and isinstance(layer.output, keras.KerasTensor)
        and len(layer.output.shape) == 4 and layer.output.shape[1] == layer.output.shape[2] and 2 <= layer.output.shape[1] <= 32
    ][-LAST:]
    both = tf.keras.Model(model.input, [layer.output for layer in layers] + [model.output])
    with tf.GradientTape() as tape:
        *values, logits = both(x, training=False)
        target = int(tf.argmax(logits[0]))
        score = logits[0, target]
    gradients = tape.gradient(score, values)
    found = [(v.numpy(), g.numpy()) for v, g in zip(values, gradients) if g is not None and np.any(g.numpy())]
    return logits.numpy(), target, found


def maps(a, g):
    """Grad-CAM and HiResCAM of `[1, h, w, C]` tensors: `[2, h, w]`."""
    a, g = a[0].astype(np.float64), g[0].astype(np.float64)
    return np.stack([(g.mean((0, 1)) * a).sum(-1), (g * a).sum(-1)]).astype(np.float32)


def matches(path, x, tensors):
    """ONNX tensor name to position in `tensors`, by value, in either layout; and the output."""
    model = onnx.load(str(path))
    known = [output.name for output in model.graph.output]
    names = [n for node in model.graph.node for n in node.output if n and n not in known]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(n) for n in names)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    outputs = [o.name for o in session.get_outputs()]
    values = dict(zip(outputs, session.run(outputs, {session.get_inputs()[0].name: x})))
    found = {}
    for name, value in values.items():
        if not isinstance(value, np.ndarray) or value.ndim != 4 or value.dtype != np.float32:
            continue
        for i, (a, _) in enumerate(tensors):
            for candidate in (a, a.transpose(0, 3, 1, 2)):
                if name not in found and candidate.shape == value.shape and np.abs(candidate - value).max() < 3e-4 * np.abs(a).max():
                    found[name] = i
    return found, values[known[0]]


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text()) if path.exists() else {"models": {}, "failed": {}}
    for name, (size, options) in MODELS.items():
        key = f"keras_{name.lower()}"
        if key in manifest["models"]:
            continue
        try:
            model, probabilities = build(name, size, options)
            x = np.random.default_rng(7).normal(size=(1, size, size, 3)).astype(np.float32)
            x[:, size // 4 : size // 2, size // 3 : 2 * size // 3] += 1.5
            logits, target, tensors = reference(model, x)
            last = len(tensors) - 1
            arrays = {f"{i}.nhwc": maps(a, g) for i, (a, g) in enumerate(tensors)}
            np.savez_compressed(folder / f"{key}.npz", x=x, logits=logits, **arrays)
            files = {}
            for ending, network in [("logits", model), ("softmax", probabilities)]:
                file = folder / f"{key}.tf2onnx_{ending}.onnx"
                signature = [tf.TensorSpec((None, size, size, 3), tf.float32, name="input")]
                run = tf.function(lambda t, network=network: network(t, training=False), input_signature=signature)
                tf2onnx.convert.from_function(run, input_signature=signature, opset=OPSET, output_path=str(file))
                names, output = matches(file, x, tensors)
                expected = logits if ending == "logits" else tf.nn.softmax(logits).numpy()
                files[file.name] = {
                    "exporter": f"tf2onnx_{ending}", "opset": OPSET, "dynamic_batch": True, "bytes": file.stat().st_size,
                    "logits_difference": float(np.abs(output - expected).max() / np.abs(expected).max()),
                    "tensors": names, "layer_tensors": [n for n, i in names.items() if i == last],
                }
                print(f"ok      {file.name}  layer {files[file.name]['layer_tensors'][:2]}", flush=True)
            manifest["models"][key] = {
                "source": "keras", "size": size, "layer": None, "target": target, "chosen": last, "parameters": model.count_params(),
                "tensors": [{"shape": list(a.shape), "float32": {}} for a, _ in tensors], "files": files,
            }
        except Exception as error:
            reason = (str(error).strip().splitlines() or [""])[0][:300]
            manifest["failed"][key] = f"{type(error).__name__}: {reason}"
            print(f"FAILED  {key}  {manifest['failed'][key]}", flush=True)
        path.write_text(json.dumps(manifest, indent=1) + "\n")


if __name__ == "__main__":
    main()
