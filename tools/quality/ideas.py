"""Prints the table "Other boxes from the same maps" of docs/quality.md: boxes made in ways that camloc does not make them.

    python3 tools/quality/ideas.py DATASET... [--camloc PROGRAM] [--every N] [--only TEXT...]

A DATASET is a folder with boxes.csv and its pictures in images/. Maps come from the default model, exported by `camloc export`
and run by onnxruntime; boxes are made here, from the largest region at or above a share of the peak. Each cell is GT-known
localisation in per cent and the paired change against the first row with its 95 % interval, over pictures, or over the mean of
sequences where pictures lie in folders. The last column has the median time for a picture, passes included. Needs numpy, onnxruntime and opencv-python-headless.
"""

import argparse
import csv
import pathlib
import subprocess
import tempfile
import time

import cv2
import numpy as np
import onnxruntime

SQUARE = (224, 224)
# Shapes of about as many pixels as the square, in multiples of the network's stride of 32.
SHAPES = [SQUARE, (256, 192), (192, 256), (288, 192), (192, 288), (288, 160), (160, 288)]
LARGER = [(288, 288), (384, 384)]
MARGIN = 1.75


def opened(model):
    """A session of a model, given as a file's name or its bytes."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # It warns of classes that may be given or not, as they should be.
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def feeds(session, picture, target, shape=SQUARE):
    """What the default model wants of a picture, and of a class."""
    smaller = picture.shape[0] > shape[1]
    pixels = cv2.resize(picture, shape, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    tensor = ((pixels.astype(np.float32) - 127) / 128).transpose(2, 0, 1)[None]
    return {session.get_inputs()[0].name: tensor, "camloc.targets": np.array([target])}


class Looker:
    """The default model at several input sizes."""

    def __init__(self, camloc, folder):
        self.sessions = {}
        for width, height in SHAPES + LARGER:
            file = f"{folder}/{width}x{height}.onnx"
            export = [camloc, "export", "--refine", "--input-size", f"{width}x{height}", "-o", file, "-q"]
            subprocess.run(export, check=True, capture_output=True)
            self.sessions[width, height] = opened(file)

    def look(self, picture, target, shape=SQUARE):
        """The map [h, w] of a class, not below 0, and its probability."""
        session = self.sessions[shape]
        maps, scores = session.run(["camloc.maps", "camloc.scores"], feeds(session, picture, target, shape))
        return np.maximum(maps[0, 0], 0), float(scores[0, 0])


def enlarged(heat, size):
    return cv2.resize(heat.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)


def largest(mask, size):
    """The box of a mask's largest region, in pixels of a picture of this size."""
    count, _, regions, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count < 2:
        return None
    left, top, width, height = regions[1 + regions[1:, 4].argmax(), :4]
    x, y = size[0] / mask.shape[1], size[1] / mask.shape[0]
    return np.array([left * x, top * y, (left + width) * x, (top + height) * y])


def boxed(heat, threshold, size):
    return largest((fine := enlarged(heat, SQUARE)) >= threshold * fine.max(), size) if heat.max() > 0 else None


def size_of(picture):
    return picture.shape[1], picture.shape[0]


def mean_colour(picture):
    return picture.mean((0, 1)).astype(np.uint8)


def plain(looker, picture, target, threshold):
    return boxed(looker.look(picture, target)[0], threshold, size_of(picture))


def mirrored(looker, picture, target, threshold):
    other = looker.look(np.ascontiguousarray(picture[:, ::-1]), target)[0][:, ::-1]
    return boxed(looker.look(picture, target)[0] + other, threshold, size_of(picture))


def at_three_sizes(looker, picture, target, threshold):
    """The mean of the maps at 224, 288 and 384 pixels, each as a share of its peak."""
    maps = [enlarged(looker.look(picture, target, shape)[0], SQUARE) for shape in [SQUARE, *LARGER]]
    return boxed(sum(heat / max(heat.max(), 1e-6) for heat in maps), threshold, size_of(picture))


def best_threshold(looker, picture, target, _):
    """The boxes at all thresholds, of which the truth picks the best: how much the map holds."""
    heat = looker.look(picture, target)[0]
    boxes = [boxed(heat, threshold, size_of(picture)) for threshold in np.arange(0.02, 1, 0.02)]
    found = [box for box in boxes if box is not None]
    return np.array(found) if found else None


def over_thresholds(looker, picture, target, threshold):
    """The mean of the boxes at thresholds up to 0.1 below and above."""
    heat = looker.look(picture, target)[0]
    boxes = [boxed(heat, threshold + step, size_of(picture)) for step in np.arange(-0.1, 0.11, 0.05)]
    return None if boxes[0] is None else np.mean(boxes, axis=0)


def aspect_kept(looker, picture, target, threshold):
    width, height = size_of(picture)
    shape = min(SHAPES, key=lambda shape: abs(np.log(shape[0] / shape[1]) - np.log(width / height)))
    return boxed(looker.look(picture, target, shape)[0], threshold, (width, height))


def otsu(looker, picture, target, _):
    heat = enlarged(looker.look(picture, target)[0], SQUARE)
    level, _ = cv2.threshold((255 * heat / max(heat.max(), 1e-6)).astype(np.uint8), 0, 255, cv2.THRESH_OTSU)
    return boxed(heat, 1.2 * level / 255, size_of(picture))


def erased(heat, looker, picture, target):
    """The larger of a map and that of the picture without what it marks: what ACoL learns, at inference."""
    seen = enlarged(heat, size_of(picture)) >= 0.5 * heat.max()
    rest = picture.copy()
    rest[seen] = mean_colour(picture)
    return np.maximum(heat, looker.look(rest, target)[0])


def erasing(looker, picture, target, threshold):
    heat = erased(looker.look(picture, target)[0], looker, picture, target)
    return boxed(heat, threshold, size_of(picture))


def cut_out(picture, box, margin=MARGIN):
    """The part of the picture around a box, as `--closer` cuts it out, and what boxes in it are short of."""
    width, height = size_of(picture)
    (x, y), half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2 * margin
    left, right = max(0, round(x - half[0])), min(width, round(x + half[0]))
    top, bottom = max(0, round(y - half[1])), min(height, round(y + half[1]))
    return np.ascontiguousarray(picture[top:bottom, left:right]), np.array([left, top, left, top])


def closer(then, margin=MARGIN, first_look=plain, first_threshold=0.4):
    """An idea on the part of the picture around the first box."""

    def idea(looker, picture, target, threshold):
        first = first_look(looker, picture, target, first_threshold)
        if first is None:
            return None
        part, offset = cut_out(picture, first, margin)
        found = then(looker, part, target, threshold)
        return None if found is None else found + offset

    return idea


def with_first_map(looker, picture, target, threshold):
    """The geometric mean of the closer look's map and of the first one's cut out, each as a share of its peak."""
    heat = looker.look(picture, target)[0]
    first = boxed(heat, 0.4, size_of(picture))
    if first is None:
        return None
    part, offset = cut_out(picture, first)
    ours, _ = cut_out(enlarged(heat, size_of(picture)), first)
    theirs = looker.look(part, target)[0]
    maps = [enlarged(it, SQUARE) for it in (ours, theirs)]
    product = np.prod([heat / max(heat.max(), 1e-6) for heat in maps], axis=0)
    found = boxed(np.sqrt(np.maximum(product, 0)), threshold, size_of(part))
    return None if found is None else found + offset


def mean_box(*ideas):
    """The mean of the boxes that several ideas find."""

    def idea(looker, picture, target, threshold):
        boxes = [box for box in (idea(looker, picture, target, threshold) for idea in ideas) if box is not None]
        return np.mean(boxes, axis=0) if boxes else None

    return idea


def guided(looker, picture, target, threshold):
    """The map, linear in the colours around each pixel (guided filter, radius 16, epsilon 0.01)."""
    heat = enlarged(looker.look(picture, target)[0], SQUARE)
    guide = cv2.resize(picture, SQUARE).astype(np.float32) / 255

    def mean(values):
        return cv2.blur(values, (33, 33))

    colour, level = mean(guide), mean(heat)
    with_heat = mean(guide * heat[..., None]) - colour * level[..., None]
    pairs = [mean(guide[..., i] * guide[..., j]) - colour[..., i] * colour[..., j] for i in range(3) for j in range(3)]
    spread = np.stack(pairs, -1).reshape(*SQUARE, 3, 3) + 0.01 * np.eye(3)
    slope = np.linalg.solve(spread, with_heat[..., None])[..., 0].astype(np.float32)
    offset = level - (slope * colour).sum(-1)
    return boxed(np.maximum((mean(slope) * guide).sum(-1) + mean(offset), 0), threshold, size_of(picture))


def grab_cut(looker, picture, target, threshold):
    heat = enlarged(looker.look(picture, target)[0], SQUARE)
    heat /= max(heat.max(), 1e-6)
    mask = np.full(SQUARE, cv2.GC_PR_BGD, np.uint8)
    mask[heat >= threshold] = cv2.GC_PR_FGD
    mask[heat >= 0.5], mask[heat < 0.1] = cv2.GC_FGD, cv2.GC_BGD
    try:
        model = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.grabCut(cv2.resize(picture, SQUARE), mask, None, *model, 2, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # One of the two sides is empty.
        return boxed(heat, threshold, size_of(picture))
    return largest((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD), size_of(picture))


def split(looker, picture, target, threshold):
    """Two regions that both come near the peak, with less than 0.6 between them, are two objects: the larger one."""
    heat = enlarged(looker.look(picture, target)[0], SQUARE)
    heat /= max(heat.max(), 1e-6)
    _, regions, figures, _ = cv2.connectedComponentsWithStats((heat >= threshold).astype(np.uint8), connectivity=8)
    whole = regions == 1 + figures[1:, 4].argmax()
    for level in np.arange(threshold + 0.05, 0.61, 0.05):
        count, parts, figures, _ = cv2.connectedComponentsWithStats((whole & (heat >= level)).astype(np.uint8), connectivity=8)
        hot = [i for i in range(1, count) if heat[parts == i].max() >= 0.85 and figures[i, 4] >= 0.15 * whole.sum()]
        if len(hot) > 1:
            distances = [cv2.distanceTransform((parts != i).astype(np.uint8), cv2.DIST_L2, 3) for i in hot]
            mine = np.argmin(distances, 0) == int(np.argmax([figures[i, 4] for i in hot]))
            return largest(whole & mine, size_of(picture))
    return largest(whole, size_of(picture))


def asked(looker, picture, target, _):
    """Of the boxes at eleven thresholds the one with which the class is most, and without which it is least, probable."""
    heat, blurred = looker.look(picture, target)[0], cv2.GaussianBlur(picture, (0, 0), max(picture.shape) / 20)
    best = None
    for threshold in (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7):
        box = boxed(heat, threshold, size_of(picture))
        if box is None:
            return None
        x0, y0, x1, y1 = box.round().astype(int)
        kept, removed = blurred.copy(), picture.copy()
        kept[y0:y1, x0:x1], removed[y0:y1, x0:x1] = picture[y0:y1, x0:x1], blurred[y0:y1, x0:x1]
        odds = [np.log(max(p, 1e-6) / max(1 - p, 1e-6)) for p in (looker.look(it, target)[1] for it in (kept, removed))]
        best = max(best or (-np.inf, None), (odds[0] - odds[1], tuple(box)))
    return np.array(best[1])


ROWS = [
    ("*refined, 0.4: the default*", plain, 0.4),
    ("the mean with the mirrored picture's map, 0.4", mirrored, 0.4),
    ("the mean of the maps at 224, 288 and 384 pixels, 0.4", at_three_sizes, 0.4),
    ("an input of the picture's aspect, 0.4", aspect_kept, 0.4),
    ("the mean of its boxes at 0.3 to 0.5", over_thresholds, 0.4),
    ("Otsu's threshold x 1.2", otsu, None),
    ("erasing what is marked, 0.4", erasing, 0.4),
    ("the same, 0.3", erasing, 0.3),
    ("map brought to edges (guided filter), 0.4", guided, 0.4),
    ("*a closer look, 0.25*", closer(plain), 0.25),
    ("a margin of 1.25, 0.25", closer(plain, margin=1.25), 0.25),
    ("a margin of 1.5, 0.25", closer(plain, margin=1.5), 0.25),
    ("a margin of 2, 0.25", closer(plain, margin=2), 0.25),
    ("a margin of 2.5, 0.25", closer(plain, margin=2.5), 0.25),
    ("the mean of the boxes with 1.4, 1.75 and 2.2, 0.25", mean_box(closer(plain, 1.4), closer(plain), closer(plain, 2.2)), 0.25),
    ("a third look, 0.25", closer(plain, first_look=closer(plain), first_threshold=0.25), 0.25),
    ("with the first look's map, geometric mean, 0.3", with_first_map, 0.3),
    ("the mean of its boxes at 0.15 to 0.35", closer(over_thresholds), 0.25),
    ("with erasing, 0.25", closer(erasing), 0.25),
    ("with the mirrored picture, 0.25", closer(mirrored), 0.25),
    ("with a guided filter, 0.25", closer(guided), 0.25),
    ("with GrabCut, 0.25", closer(grab_cut), 0.25),
    ("with objects parted at saddles, 0.25", closer(split), 0.25),
    ("with the box that the model is surest of", closer(asked), None),
    ("the default at each picture's best threshold, which the truth picks", best_threshold, None),
    ("a closer look at each picture's best threshold", closer(best_threshold), None),
]


def truths(dataset):
    """Of each picture with a class of the model: its group (a sequence or itself), file, class and true boxes."""
    found = {}
    with open(dataset / "boxes.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            known = row["imagenet_id_or_blank"] or row["imagenet_ids_alt"].replace(";", " ").partition(" ")[0]
            if known:
                box = [float(row[edge]) for edge in ("x0", "y0", "x1", "y1")]
                found.setdefault((row["image"], int(known)), []).append(box)
    for (image, target), boxes in found.items():
        yield image.rpartition("/")[0] or image, dataset / "images" / image, target, boxes


def overlap(box, truth):
    """Intersection over union."""
    width, height = (min(box[2 + i], truth[2 + i]) - max(box[i], truth[i]) for i in (0, 1))
    shared = max(width, 0) * max(height, 0)
    area = sum((b[2] - b[0]) * (b[3] - b[1]) for b in (box, truth))
    return shared / (area - shared)


def fits(box, truth):
    return overlap(box, truth) >= 0.5


def cell(hits, first, groups):
    """The mean over groups, and the change against the first row with its interval."""
    names = sorted(set(groups))
    of_group = [[place for place, group in enumerate(groups) if group == name] for name in names]
    means, before = (np.array([np.mean([row[place] for place in of]) for of in of_group]) for row in (hits, first))
    text = f"{100 * means.mean():.1f}"
    if hits is first:
        return text
    draws = np.random.default_rng(0).integers(len(names), size=(2000, len(names)))
    low, high = np.percentile((means - before)[draws].mean(1), [2.5, 97.5])
    return f"{text} {100 * (means - before).mean():+.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("datasets", nargs="+", type=pathlib.Path)
    parser.add_argument("--camloc", default="camloc")
    parser.add_argument("--every", type=int, default=1, help="only every N-th picture")
    parser.add_argument("--only", nargs="+", default=[""], help="only the first row and those with one of these in their titles")
    arguments = parser.parse_args()
    rows = [row for place, row in enumerate(ROWS) if place == 0 or any(text in row[0] for text in arguments.only)]
    with tempfile.TemporaryDirectory() as folder:
        looker = Looker(arguments.camloc, folder)
    columns, times = [], [[] for _ in rows]
    for dataset in arguments.datasets:
        groups, hits = [], [[] for _ in rows]
        for group, file, target, boxes in list(truths(dataset))[:: arguments.every]:
            picture = cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)
            groups.append(group)
            for row, (_, idea, threshold), taken in zip(hits, rows, times):
                begun = time.perf_counter()
                box = idea(looker, picture, target, threshold)
                taken.append(1000 * (time.perf_counter() - begun))
                found = [] if box is None else np.reshape(box, (-1, 4))
                row.append(any(fits(box, truth) for box in found for truth in boxes))
        columns.append([cell(row, hits[0], groups) for row in hits])
    print("| idea | " + " | ".join(dataset.name for dataset in arguments.datasets) + " | ms |")
    print("|---" * (len(columns) + 2) + "|")
    for (title, *_), cells, taken in zip(rows, zip(*columns), times):
        print(f"| {title} | " + " | ".join(cells) + f" | {np.median(taken):.0f} |")


if __name__ == "__main__":
    main()
