"""Checks a camloc binary against the zoo: are the maps in its exported models those of the original framework?

    pip install numpy onnx onnxruntime
    python check.py CAMLOC ZOO [--methods gradcam hirescam] [--only NAME ...] [--exporters ...] [--json REPORT]

For each model `CAMLOC export` runs twice, with the layer a person would name and without one. The explained file then
runs in ONNX Runtime on the zoo's picture (and, where the batch is free, on a batch of two). Asked of it:

* `camloc.maps` equals the reference of its layer within 1e-4 of the reference's largest absolute value, or within ten
  times what plain float32 loses in the original framework, whichever is more (a coarser bar for float16 and int8);
* `camloc.classes` holds the class asked for;
* the model's own outputs are bit for bit those of the plain model.

Exit status 0 when every export is right, 1 otherwise.
"""

import argparse
import collections
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime

BAR = 1e-4
METHODS = {"gradcam": 0, "hirescam": 1}  # row in the reference arrays
TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


def session(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def camloc_export(binary, model, out, method, layer):
    """Run the export; return its first error line, or None."""
    command = [binary, "export", str(model), "-o", str(out), "--method", method, "--top-k", "1"]
    command += ["--layer", layer] if layer else []
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    except subprocess.TimeoutExpired:
        return "took longer than 300 s"
    if done.returncode == 0:
        return None
    lines = (done.stderr or done.stdout).strip().splitlines()
    return lines[-1][:200] if lines else f"exit status {done.returncode}"


def run(path, x, target):
    """All outputs of an explained model by name, with the class locked."""
    s = session(path)
    inputs = s.get_inputs()
    feed = {inputs[0].name: x.astype(TYPES[inputs[0].type])}
    names = [i.name for i in inputs] + [i.name for i in s.get_overridable_initializers()]
    if "camloc.targets" in names:
        feed["camloc.targets"] = np.array([target], np.int64)
    outputs = [o.name for o in s.get_outputs()]
    return dict(zip(outputs, s.run(outputs, feed)))


def map_error(got, references, losses, row):
    """Smallest error over the readings of the tensor that have the map's shape, and that reading's bar."""
    best = None
    for layout, reference in references.items():
        wanted = reference[row]
        if wanted.shape != got.shape:
            continue
        error = float(np.abs(got - wanted).max() / (np.abs(wanted).max() + 1e-30))
        loss = losses.get(layout, [0, 0])[row]
        bar = max(BAR, 10 * loss) if np.isfinite(loss) else BAR
        if best is None or error < best[0]:
            best = (error, bar)
    return best


def references_at(arrays, position):
    """The readings of tensor `position`, then those of its aliases: a list of dicts layout to array."""
    found = collections.OrderedDict()
    for key, value in arrays.items():
        index, _, rest = key.partition(".")
        if index == str(position):
            alias, _, layout = rest.rpartition(".")
            found.setdefault(alias, {})[layout] = value
    return [found[k] for k in sorted(found)]


def check_one(binary, zoo, name, record, file, method, layer, scratch):
    """One export: a dict for the report, with `verdict` right, wrong, no reference, not exported or not run."""
    entry = record["files"][file]
    arrays = dict(np.load(zoo / f"{name}.npz"))
    explained = scratch / "explained.onnx"
    explained.unlink(missing_ok=True)
    result = {"file": file, "method": method, "asked": layer or "auto"}
    problem = camloc_export(binary, zoo / file, explained, method, layer)
    if problem:
        return {**result, "verdict": "not exported", "detail": problem}
    metadata = {p.key: p.value for p in onnx.load(str(explained), load_external_data=False).metadata_props}
    result["layer"] = metadata.get("camloc.layer", layer or "?")
    result["as_a_person"] = result["layer"] in entry["layer_tensors"]
    try:
        x = arrays["x"]
        outputs = run(explained, x, record["target"])
        pair = run(explained, np.concatenate([x, 0.5 * x]), record["target"]) if entry["dynamic_batch"] else None
        plain = run(zoo / file, x, record["target"])
    except Exception as error:
        return {**result, "verdict": "not run", "detail": str(error).splitlines()[0][:200]}
    result["own_outputs_equal"] = all(np.array_equal(outputs[k], v, equal_nan=True) for k, v in plain.items())
    maps = np.asarray(outputs["camloc.maps"], np.float64)
    result["shape"] = list(maps.shape)
    faults = []
    if not result["own_outputs_equal"]:
        faults.append("own outputs differ by %.1e" % max(np.abs(outputs[k] - v).max() for k, v in plain.items()))
    if int(outputs["camloc.classes"].ravel()[0]) != record["target"]:
        faults.append(f"class {outputs['camloc.classes'].ravel()[0]} instead of {record['target']}")
    if not np.isfinite(maps).all():
        return {**result, "verdict": "wrong", "detail": "not finite"}
    position = entry["tensors"].get(result["layer"])
    if position is None:
        return {**result, "verdict": "no reference", "detail": "; ".join(faults)}
    losses = record["tensors"][position]["float32"]
    found = [map_error(maps[0, 0], r, losses, METHODS[method]) for r in references_at(arrays, position)]
    found = [f for f in found if f]
    if not found:
        return {**result, "verdict": "wrong", "detail": f"no reading of the layer has the shape {maps.shape}"}
    result["error"], bar = min(found)
    bar = max(bar, entry.get("bar", 0))
    if found[0][0] > bar >= result["error"]:
        result["alias"] = True  # right for a later tensor of equal value
    if layer is None and not maps.any():
        faults.append("a layer whose map is all zero")
    if result["error"] > bar:
        faults.append("maps differ by %.1e, bar %.0e" % (result["error"], bar))
    if pair is not None:
        drift = np.abs(pair["camloc.maps"][0, 0] - maps[0, 0]).max() / (np.abs(maps).max() + 1e-30)
        if drift > bar:
            faults.append("in a batch of two: %.1e" % drift)
    return {**result, "verdict": "wrong" if faults else "right", "detail": "; ".join(faults)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("camloc")
    parser.add_argument("zoo", type=pathlib.Path)
    parser.add_argument("--methods", nargs="*", default=["gradcam"], choices=list(METHODS))
    parser.add_argument("--only", nargs="*", default=[], help="names from the catalogue")
    parser.add_argument("--exporters", nargs="*", default=[])
    parser.add_argument("--auto-only", action="store_true", help="leave out the runs with a named layer")
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    manifest = json.loads((arguments.zoo / "manifest.json").read_text())
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, record in manifest["models"].items():
            if arguments.only and name not in arguments.only:
                continue
            for file, entry in record["files"].items():
                if arguments.exporters and entry["exporter"] not in arguments.exporters:
                    continue
                named = [] if arguments.auto_only else entry["layer_tensors"][:1]
                for method in arguments.methods:
                    for layer in [None, *named]:
                        r = check_one(arguments.camloc, arguments.zoo, name, record, file, method, layer, pathlib.Path(scratch))
                        results.append(r)
                        error = "%.1e" % r["error"] if "error" in r else ""
                        asked = "auto " if layer is None else "named"
                        person = {True: "=", False: "*", None: " "}[r.get("as_a_person")]
                        print(f"{r['verdict']:13}{file:58}{method:9}{asked} {error:8}{person} {r.get('layer', '')[-60:]}  {r['detail']}", flush=True)
    print("\n= the layer a person would name   * another layer\n")
    for asked in ["auto", "named"]:
        rows = [r for r in results if (r["asked"] == "auto") == (asked == "auto")]
        counts = collections.Counter(r["verdict"] for r in rows)
        equal = sum(r.get("own_outputs_equal", False) for r in rows)
        if rows:
            print(f"{asked:6} {counts['right']}/{len(rows)} right  {dict(counts)}  own outputs equal in {equal}")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    sys.exit(any(r["verdict"] != "right" for r in results) or not results)


if __name__ == "__main__":
    main()
