"""Exports the zoo to ONNX with reference explanations.

    pip install torch torchvision timm onnx onnxscript onnxruntime numpy
    python export.py OUT [--only NAME ...] [--exporters torchscript17 dynamo18 ...]

Writes `OUT/NAME.EXPORTER.onnx`, `OUT/NAME.npz` (input, logits, maps) and `OUT/manifest.json`, which grows as the run
goes on; what is there already is not made again. One failing export does not stop the rest.

In an `.npz`: `x`, `logits`, and `{i}.{layout}` `[2, h, w]`: the raw Grad-CAM and HiResCAM maps of tensor i for the
target class (float64, rounded); `{i}.alias{j}.{layout}` where a later tensor of equal value has another gradient.
"""

import argparse
import json
import os
import pathlib
import time
import traceback
import warnings

import numpy as np
import onnx
import onnxruntime
import timm
import torch

from catalogue import ENTRIES
from reference import lively, picture, reference

EXPORTERS = {"torchscript17": (False, 17), "dynamo18": (True, 18), "torchscript13": (False, 13), "dynamo20": (True, 20)}
FUSED = {"torchscript13": [False], "torchscript17": [True, False]}  # attention in one piece, or written out
COMMON = ["torchscript17", "dynamo18"]  # the others only for every fifth classifier
SEED = 7


def build(entry, fused=True):
    """The classifier and its picture. Attention in one piece or, for opset 13, written out."""
    timm.layers.set_fused_attn(fused)
    torch.manual_seed(SEED)
    model = lively(entry.build(), SEED, entry.size)
    for module in model.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
    return model, picture(SEED, entry.size)


def export(model, x, path, dynamo, opset, dynamic):
    """One ONNX file; `dynamic` leaves the batch free."""
    names = {"input_names": ["input"], "output_names": ["logits"]}
    if dynamo:
        shapes = ({0: torch.export.Dim("n")},) if dynamic else None
        torch.onnx.export(
            model, (x,), str(path), dynamo=True, opset_version=opset, dynamic_shapes=shapes, external_data=False,
            verbose=False, **names,
        )
    else:
        axes = {"input": {0: "n"}, "logits": {0: "n"}} if dynamic else None
        torch.onnx.export(model, (x,), str(path), dynamo=False, opset_version=opset, dynamic_axes=axes, **names)


def intermediate_values(path, x):
    """Logits and every float tensor of rank 3 or 4 of an ONNX model."""
    model = onnx.load(str(path))
    known = {output.name for output in model.graph.output}
    names = [name for node in model.graph.node for name in node.output if name and name not in known]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    outputs = [output.name for output in session.get_outputs()]
    values = dict(zip(outputs, session.run(outputs, {session.get_inputs()[0].name: x})))
    floats = {n: v for n, v in values.items() if isinstance(v, np.ndarray) and v.dtype == np.float32 and v.ndim in (3, 4)}
    return values["logits"], floats


def match(values, tensors):
    """ONNX tensor name to position in `tensors`, by value."""
    names = {}
    for name, value in values.items():
        best = min(
            ((float(np.abs(t["value"] - value).max() / (np.abs(value).max() + 1e-30)), i)
             for i, t in enumerate(tensors) if t["value"].shape == value.shape),
            default=(1.0, None),
        )
        if best[0] < 3e-4:
            names[name] = best[1]
    return names


class Zoo:
    """The folder, its manifest, and what has been done already."""

    def __init__(self, folder):
        self.folder = folder
        self.path = folder / "manifest.json"
        folder.mkdir(parents=True, exist_ok=True)
        self.manifest = json.loads(self.path.read_text()) if self.path.exists() else {"models": {}, "failed": {}}

    def save(self):
        scratch = self.path.with_suffix(".tmp")
        scratch.write_text(json.dumps(self.manifest, indent=1) + "\n")
        os.replace(scratch, self.path)

    def describe(self, entry, model, made, x):
        """Write the reference of a classifier and its entry in the manifest."""
        arrays = {"x": x.numpy(), "logits": made["logits"]}
        for i, tensor in enumerate(made["tensors"]):
            arrays.update({f"{i}.{layout}": m for layout, m in tensor["maps"].items()})
            for j, alias in enumerate(tensor["aliases"]):
                arrays.update({f"{i}.alias{j}.{layout}": m for layout, m in alias.items()})
        np.savez_compressed(self.folder / f"{entry.name}.npz", **arrays)
        self.manifest["models"][entry.name] = {
            "source": entry.source, "size": entry.size, "layer": entry.layer, "target": made["target"],
            "chosen": next((i for i, t in enumerate(made["tensors"]) if t["chosen"]), None),
            "parameters": sum(p.numel() for p in model.parameters()),
            "tensors": [
                {"shape": list(t["value"].shape), "float32": {k: [float(f"{e:.1e}") for e in v] for k, v in t["float32"].items()}}
                for t in made["tensors"]
            ],
            "files": {},
        }

    def add(self, entry, exporter, model, made, x, dynamic):
        """Export one classifier with one exporter and note which ONNX tensor is which."""
        dynamo, opset = EXPORTERS[exporter]
        started = time.time()
        path = self.folder / f"{entry.name}.{exporter}.onnx"
        try:
            try:
                export(model, x, path, dynamo, opset, dynamic)
            except Exception:
                if not dynamic:
                    raise
                dynamic = False  # many networks fix the batch while they are traced
                export(model, x, path, dynamo, opset, dynamic)
            logits, values = intermediate_values(path, x.numpy())
        except Exception:
            path.unlink(missing_ok=True)
            raise
        names = match(values, made["tensors"])
        record = self.manifest["models"][entry.name]
        record["files"][path.name] = {
            "exporter": exporter, "opset": opset, "dynamic_batch": dynamic, "bytes": path.stat().st_size,
            "logits_difference": float(np.abs(logits - made["logits"]).max() / np.abs(made["logits"]).max()),
            "tensors": names, "layer_tensors": [n for n, i in names.items() if i == record["chosen"]],
            "seconds": round(time.time() - started, 1),
        }

    def missing(self, entry, exporters):
        """The exporters that a classifier still needs."""
        done = self.manifest["models"].get(entry.name, {}).get("files", {})
        return [e for e in exporters if not {f"{entry.name}.{e}.onnx"} & (done.keys() | self.manifest["failed"].keys())]

    def fail(self, name, error):
        reason = (str(error).strip().splitlines() or [""])[0][:300]
        self.manifest["failed"][name] = f"{type(error).__name__}: {reason}"
        print(f"FAILED  {name}  {type(error).__name__}: {reason}", flush=True)
        if os.environ.get("ZOO_TRACE"):
            traceback.print_exc()


def run(zoo, entry, exporters, dynamic):
    """One classifier through its exporters."""
    todo = zoo.missing(entry, exporters)
    if not todo:
        return
    try:
        started = time.time()
        model, x = build(entry)
        made = reference(model, x, entry.layer)
        if entry.name not in zoo.manifest["models"]:
            zoo.describe(entry, model, made, x)
        described = [tuple(t["shape"]) for t in zoo.manifest["models"][entry.name]["tensors"]]
        if described != [t["value"].shape for t in made["tensors"]]:
            raise RuntimeError("made differently before: remove it from the manifest and start over")
        print(f"        {entry.name}  reference {time.time() - started:.1f} s", flush=True)
    except Exception as error:
        for exporter in todo:
            zoo.fail(f"{entry.name}.{exporter}.onnx", error)
        return
    for exporter in todo:
        name = f"{entry.name}.{exporter}.onnx"
        failure = None
        for fused in FUSED.get(exporter, [True]):
            try:
                zoo.add(entry, exporter, model if fused else build(entry, False)[0], made, x, dynamic)
                file = zoo.manifest["models"][entry.name]["files"][name]
                print(f"ok      {name}  {file['seconds']} s  layer {file['layer_tensors'][:2]}", flush=True)
                failure = None
                break
            except Exception as error:
                failure = error
        if failure:
            zoo.fail(name, failure)
        zoo.save()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--only", nargs="*", default=[], help="names from the catalogue")
    parser.add_argument("--exporters", nargs="*", default=list(EXPORTERS), choices=list(EXPORTERS))
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(arguments.threads)
    zoo = Zoo(arguments.out)
    for position, entry in enumerate(ENTRIES):
        if not arguments.only or entry.name in arguments.only:
            rarely = [e for e in arguments.exporters if e in COMMON or position % 5 == 0 or arguments.only]
            run(zoo, entry, rarely, dynamic=position % 3 == 0)
            zoo.save()


if __name__ == "__main__":
    main()
