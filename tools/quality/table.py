"""Prints the table of docs/quality.md: `camloc eval` of every setting on every set.

    python3 tools/quality/table.py DATASET... [--model FILE.onnx] [--camloc PROGRAM]

Each row is a list of arguments; each cell is GT-known localisation in per cent with its 95 % interval, the change
against the first row, and whether that excludes chance.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile

ROWS = [
    ("plain map, papers' threshold", ["--fit", "squash", "--no-refine", "--threshold", "0.2"]),
    ("plain map, 0.4", ["--fit", "squash", "--no-refine", "--threshold", "0.4"]),
    ("plain map, 0.4, centre crop", ["--fit", "crop", "--no-refine", "--threshold", "0.4"]),
    ("refined, 0.3", ["--fit", "squash", "--threshold", "0.3"]),
    ("**refined, 0.4: the default**", ["--fit", "squash", "--threshold", "0.4"]),
    ("refined, 0.5", ["--fit", "squash", "--threshold", "0.5"]),
    ("refined, centre crop", ["--fit", "crop", "--threshold", "0.4"]),
    ("refined, letterbox", ["--fit", "letterbox", "--threshold", "0.4"]),
    ("refined, range cut at 98 % (`ivr`)", ["--fit", "squash", "--threshold", "0.4", "--preset", "ivr"]),
    ("refined, percentile (`pas`)", ["--fit", "squash", "--threshold", "0.4", "--preset", "pas"]),
    ("refined, 256 pixels", ["--fit", "squash", "--threshold", "0.4", "--input-size", "256"]),
    ("refined, 288 pixels", ["--fit", "squash", "--threshold", "0.4", "--input-size", "288"]),
    ("refined, 384 pixels", ["--fit", "squash", "--threshold", "0.4", "--input-size", "384"]),
    ("refined, a closer look", ["--fit", "squash", "--threshold", "0.4", "--closer"]),
    ("refined, no tracking", ["--fit", "squash", "--threshold", "0.4", "--no-track"]),
]


def evaluate(camloc, dataset, arguments, result, against):
    command = [camloc, "eval", dataset, *arguments, "--json", str(result)]
    if against:
        command += ["--against", str(against)]
    subprocess.run(command, check=True, capture_output=True)
    return json.loads(result.read_text())


def cell(found):
    score = found["gt_known_loc"]
    text = f"{100 * score['value']:.1f} [{100 * score['low']:.0f}, {100 * score['high']:.0f}]"
    change = (found.get("comparison") or {}).get("metrics", {}).get("gt_known_loc")
    if change:
        sure = "" if change["low"] <= 0 <= change["high"] else " *"
        text += f" {100 * change['difference']:+.1f}{sure}"
    jitter = found.get("jitter")
    return text + (f" j {jitter['value']:.2f}" if jitter else "")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("datasets", nargs="+")
    parser.add_argument("--model")
    parser.add_argument("--camloc", default="camloc")
    asked = parser.parse_args()
    model = ["--model", asked.model] if asked.model else []
    names = [pathlib.Path(dataset).name for dataset in asked.datasets]
    print("| setting | " + " | ".join(names) + " |")
    print("|---" * (len(names) + 1) + "|")
    with tempfile.TemporaryDirectory() as folder:
        first = {}
        for title, arguments in ROWS:
            cells = []
            for dataset, name in zip(asked.datasets, names):
                result = pathlib.Path(folder) / f"{name}-{len(cells)}-{len(first)}-{abs(hash(title))}.json"
                try:
                    found = evaluate(asked.camloc, dataset, [*model, *arguments], result, first.get(dataset))
                except subprocess.CalledProcessError as error:
                    cells.append(error.stderr.decode().strip().splitlines()[-1])
                    continue
                first.setdefault(dataset, result)
                cells.append(cell(found))
            print(f"| {title} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
