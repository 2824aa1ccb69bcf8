"""Runs an exported model without camloc: python export.py PLAIN EXPORTED INPUT.npy EXPECTED.npy

Says how far `camloc.maps` are from the expected ones, as a share of their range, whether the model's own outputs are
bit-identical, and what the metadata say.
"""

import json
import sys

import numpy as np
import onnxruntime as ort

plain, exported, pictures, expected = sys.argv[1:]
options = ort.SessionOptions()
options.intra_op_num_threads = 1
plain = ort.InferenceSession(plain, options, providers=["CPUExecutionProvider"])
exported = ort.InferenceSession(exported, options, providers=["CPUExecutionProvider"])
pictures, expected = np.load(pictures), np.load(expected)
name = plain.get_inputs()[0].name
own = plain.run(None, {name: pictures})
found = dict(zip([output.name for output in exported.get_outputs()], exported.run(None, {name: pictures})))
same = all(np.array_equal(value, found[output.name]) for value, output in zip(own, plain.get_outputs()))
maps = found["camloc.maps"]
locked = exported.run(["camloc.classes"], {name: pictures, "camloc.targets": np.array([0, 0])})[0]
print(json.dumps({
    "identical": same,
    "shapes": maps.shape == expected.shape,
    "distance": float(np.abs(maps - expected).max() / np.ptp(expected)),
    "scores": float(found["camloc.scores"].max()),
    "locked": bool((locked == 0).all()),
    "metadata": exported.get_modelmeta().custom_metadata_map,
}))
