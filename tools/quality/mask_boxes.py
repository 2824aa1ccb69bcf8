"""Prints what the edges of masks do to boxes around them, on sets that have boxes but no masks (docs/masks.md).

    python3 tools/quality/mask_boxes.py DATASET... [--camloc PROGRAM]

A DATASET is a folder with boxes.csv and its pictures in images/. `camloc eval` writes the masks of the true classes, with
and without `--no-edges`; of each mask the box around its largest region is compared with the true box that it overlaps
most. Needs numpy, opencv-python-headless and pycocotools.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile

import numpy as np
from ideas import largest, overlap, truths
from pycocotools import mask as run_lengths


def overlaps(camloc, dataset, arguments):
    """Of each picture the largest overlap (IoU) of its mask's box with a true one; 0 where there is no mask."""
    with tempfile.TemporaryDirectory() as folder:
        command = [camloc, "eval", dataset, "--fit", "squash", "--masks", "rle", "-o", folder, "-q", *arguments]
        subprocess.run(command, check=True, capture_output=True)
        written = json.loads((pathlib.Path(folder) / "masks.json").read_text())
    masks = {}
    for annotation in written["annotations"]:
        masks.setdefault(annotation["image_id"], []).append(annotation["segmentation"])
    masks = {image["file_name"]: masks.get(image["id"], []) for image in written["images"]}
    found = []
    for _, file, _, boxes in truths(dataset):
        regions = [run_lengths.decode(mask) for mask in masks[file.name]]
        box = largest(np.maximum.reduce(regions), regions[0].shape[::-1]) if regions else None
        found.append(0 if box is None else max(overlap(box, truth) for truth in boxes))
    return 100 * np.array(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("datasets", nargs="+", type=pathlib.Path)
    parser.add_argument("--camloc", default="camloc")
    arguments = parser.parse_args()
    print("| set | map alone | with edges | change |")
    print("|---|---|---|---|")
    for dataset in arguments.datasets:
        before, after = (overlaps(arguments.camloc, dataset, more) for more in (["--no-edges"], []))
        draws = np.random.default_rng(0).integers(len(before), size=(2000, len(before)))
        low, high = np.percentile((after - before)[draws].mean(1), [2.5, 97.5])
        change = f"{(after - before).mean():+.1f} [{low:.1f}, {high:.1f}]"
        print(f"| {dataset.name} | {before.mean():.1f} | {after.mean():.1f} | {change} |")


if __name__ == "__main__":
    main()
