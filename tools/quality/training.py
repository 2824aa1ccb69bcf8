"""Prints the table of docs/training.md: heads trained on labels, their boxes measured on pictures that they never saw.

    python3 tools/quality/training.py DATASET... [--seeds 3] [--camloc PROGRAM]

A DATASET is a folder of one class: boxes.csv and its pictures in images/. For each seed, 40 % of the pictures of each are set
aside with their boxes; `camloc train` learns from the labels of the others, `camloc eval` measures on those set aside.
"""

import argparse
import csv
import json
import pathlib
import random
import statistics
import subprocess
import tempfile

SET_ASIDE = 0.4
ROWS = [
    ("`linear` on the last layer", ["--head", "linear", "--layer", "-1"]),
    ("`linear`", ["--head", "linear"]),
    ("`cam`", ["--head", "cam"]),
    ("`acol`", ["--head", "acol"]),
]
COLUMNS = ["top1", "gt_known_loc", "max_box_acc", "max_box_acc_v2", "pointing"]


def part(datasets, seed, folder):
    """Links the pictures into folder/learn/CLASS and folder/test, whose boxes.csv has those set aside."""
    aside = []
    for dataset in datasets:
        with open(dataset / "boxes.csv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        pictures = sorted({row["image"] for row in rows})
        random.Random(seed).shuffle(pictures)
        test = set(pictures[: round(SET_ASIDE * len(pictures))])
        for picture in pictures:
            name = f"{dataset.name}-{pathlib.Path(picture).name}"
            to = folder / ("test/images" if picture in test else f"learn/{rows[0]['class_name']}") / name
            to.parent.mkdir(parents=True, exist_ok=True)
            to.symlink_to((dataset / "images" / pathlib.Path(picture).name).resolve())
        aside += [dict(row, image=f"{dataset.name}-{pathlib.Path(row['image']).name}") for row in rows if row["image"] in test]
    with open(folder / "test/boxes.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, aside[0].keys())
        writer.writeheader()
        writer.writerows(aside)


def measure(camloc, folder, arguments, seed):
    """Scores of a head, and of looking at nothing."""
    model = folder / "model.onnx"
    quiet = {"check": True, "stdout": subprocess.DEVNULL}
    subprocess.run([camloc, "-q", "train", folder / "learn", "-o", model, "--seed", str(seed), *arguments], **quiet)
    scores = {}
    for refine in ([], ["--no-refine"]):
        out = folder / "scores.json"
        subprocess.run([camloc, "-q", "eval", folder / "test", "--model", model, "--json", out, *refine], **quiet)
        scores[bool(refine)] = json.loads(out.read_text(encoding="utf-8"))
    return scores[False], scores[True]


def cell(runs, value):
    values = [100 * value(run) for run in runs]
    return f"{statistics.mean(values):.1f} ± {statistics.pstdev(values):.1f}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("datasets", nargs="+", type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--camloc", default="camloc")
    asked = parser.parse_args()
    print("| head | " + " | ".join(COLUMNS) + " | gt_known_loc, not refined |")
    print("|---" * (len(COLUMNS) + 2) + "|")
    runs = {name: [] for name, _ in ROWS}
    for seed in range(asked.seeds):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            part(asked.datasets, seed, folder)
            for name, arguments in ROWS:
                runs[name].append(measure(asked.camloc, folder, arguments, seed))
    any_run = runs[ROWS[-1][0]]
    for name, key in (("centre box", "centre_box"), ("full image", "full_image"), ("centre map or point", None)):
        cells = []
        for column in COLUMNS + ["gt_known_loc"]:
            has = lambda run: run[0]["baselines"].get(column, {})
            keys = [key] if key else ["centre_map", "centre_point"]
            found = [one for one in keys if one in has(any_run[0])]
            cells.append(cell(any_run, lambda run: has(run)[found[0]]) if found else "")
        print(f"| {name} | " + " | ".join(cells) + " |")
    for name, measured in runs.items():
        cells = [cell(measured, lambda run: run[0][column]["value"]) for column in COLUMNS]
        cells.append(cell(measured, lambda run: run[1]["gt_known_loc"]["value"]))
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
