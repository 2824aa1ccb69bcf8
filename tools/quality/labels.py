"""How many of the boxes that `camloc label` wrote are right, against a boxes.csv of the same pictures.

    python tools/quality/labels.py DATASET/labels.csv TRUTH/boxes.csv

A box is right if it overlaps a true box of its class by an IoU of 0.5 or more that no surer box has taken.
"""

import csv
import sys


def boxes(path, picture, class_):
    """Rows by picture: class, box, score."""
    found = {}
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            box = [float(row[edge]) for edge in ("x0", "y0", "x1", "y1")]
            score = row.get("score", "")
            score = 1.0 if score in ("", "drawn") else float(score)
            found.setdefault(row[picture].split("/")[-1], []).append((row[class_], box, score))
    return found


def iou(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    area = lambda box: (box[2] - box[0]) * (box[3] - box[1])
    return width * height / (area(a) + area(b) - width * height)


def main(labels, truth):
    labels, truth = boxes(labels, "source", "class"), boxes(truth, "image", "class_name")
    total = right = whole = 0
    for picture, found in labels.items():
        left = list(truth.get(picture, []))
        hits = 0
        for class_, box, _ in sorted(found, key=lambda one: -one[2]):
            best = max(((iou(box, t[1]), i) for i, t in enumerate(left) if t[0] == class_), default=(0, 0))
            if best[0] >= 0.5:
                del left[best[1]]
                hits += 1
        total += len(found)
        right += hits
        whole += hits == len(found) and not left
    objects = sum(len(truth.get(picture, [])) for picture in labels)
    print(f"pictures labelled      {len(labels)} of {len(truth)}")
    print(f"boxes right            {right} of {total} ({100 * right / max(total, 1):.0f} %)")
    print(f"objects found          {right} of {objects} on these pictures ({100 * right / max(objects, 1):.0f} %)")
    print(f"pictures wholly right  {whole} ({100 * whole / max(len(labels), 1):.0f} %)")


if __name__ == "__main__":
    main(*sys.argv[1:])
