"""Prints the table "Other maps from the same features" of docs/quality.md: maps that camloc does not make, of features it has.

    python3 tools/quality/features.py DATASET... [--camloc PROGRAM] [--every N]

As ideas.py, which see, but every row has the threshold, of those from .2 to .6, that is best for the sum of the sets: no idea loses
for a threshold that does not suit it. The last column has how often the map's peak lies in a true box (pointing game), set by set. Needs numpy, onnx, onnxruntime and opencv-python-headless.
"""

import argparse
import pathlib
import subprocess
import tempfile

import cv2
import numpy as np
import onnx
from ideas import SQUARE, boxed, cell, cut_out, enlarged, feeds, fits, opened, size_of, truths

THRESHOLDS = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6)
LAST, MIDDLE, FINE = "head.relu6", "block11.expand.relu6", "block5.expand.relu6"
# Where residual blocks of the same two grids end.
NARROW_MIDDLE, NARROW_FINE = "block10.add", "block4.add"
SIDE, CELLS = 28, 7
TINY = 1e-9


class Look:
    """What the default model makes of a picture, for one class: features `[C, h, w]`, the class's plain map, and its own refined one."""

    def __init__(self, model, picture, target):
        self.model, self.target, self.size = model, target, size_of(picture)
        found = model.run(picture, target)
        self.features = {name: found[name][0] for name in (LAST, MIDDLE, FINE, NARROW_MIDDLE, NARROW_FINE)}
        self.raw = np.maximum(found["camloc.raw_maps"][0, 0], 0)
        self.refined = np.maximum(found["camloc.maps"][0, 0], 0)

    def places(self):
        """Features of both grids joined at the finer one, standardised, `[C, 784]`."""
        grids = [resized(standardised(self.features[name]), SIDE) for name in (MIDDLE, FINE)]
        return np.concatenate(grids).reshape(-1, SIDE * SIDE)

    def alike(self):
        """The resemblance of every place with every other, at least 0, `[784, 784]`."""
        unit = unit_length(self.places())
        return np.maximum(unit.T @ unit, 0)


class Model:
    def __init__(self, camloc, folder):
        file = f"{folder}/refined.onnx"
        subprocess.run([camloc, "export", "--refine", "-o", file, "-q"], check=True, capture_output=True)
        graph = onnx.load(file)
        self.names = [LAST, MIDDLE, FINE, NARROW_MIDDLE, NARROW_FINE, "camloc.raw_maps", "camloc.maps"]
        outputs = {output.name for output in graph.graph.output}
        graph.graph.output.extend(onnx.helper.make_tensor_value_info(name, 1, None) for name in self.names if name not in outputs)
        weights = {weight.name: weight for weight in graph.graph.initializer}
        self.weight, self.bias = (onnx.numpy_helper.to_array(weights[name]) for name in ("fc.weight", "fc.bias"))
        self.unit = unit_length(self.weight.T)
        self.session = opened(graph.SerializeToString())

    def run(self, picture, target):
        return dict(zip(self.names, self.session.run(self.names, feeds(self.session, picture, target))))


def standardised(features):
    """Each channel less its mean, over its deviation, which is raised a little where it is small."""
    deviation = features.std((1, 2), keepdims=True)
    return (features - features.mean((1, 2), keepdims=True)) / (deviation + 0.01 * deviation.mean() + TINY)


def unit_length(columns):
    return columns / (np.linalg.norm(columns, axis=0) + TINY)


def resized(features, side):
    channels = [cv2.resize(channel, (side, side), interpolation=cv2.INTER_LINEAR) for channel in features.astype(np.float32)]
    return np.stack(channels)


def shares(heat):
    heat = heat - heat.min()
    return heat / (heat.max() + TINY)


def keys_of(features, around):
    """The mean of standardised features over each cell and so many places around it, `[C, 49]`."""
    block = features.shape[1] // CELLS
    edges = [(max(cell * block - around, 0), (cell + 1) * block + around) for cell in range(CELLS)]
    return np.stack([features[:, top:bottom, left:right].mean((1, 2)) for top, bottom in edges for left, right in edges], 1)


def walked(look, raw=None, power=4, rounds=2, around=1, sharpen=1.4, guides=(MIDDLE, FINE)):
    """camloc's rule (src/explain/refine.rs): the evidence of a plain map walks among places that look alike."""
    raw = look.raw if raw is None else raw
    side = max(look.features[name].shape[1] for name in guides)
    products, places, cells = 0, 0, 0
    for name in guides:
        features = standardised(look.features[name])
        keys = keys_of(features, around)
        products = products + resized(np.tensordot(keys.T, features, 1), side)
        places = places + resized((features**2).sum(0, keepdims=True), side)
        cells = cells + (keys**2).sum(0)
    alike = np.maximum(products.reshape(CELLS**2, -1), 0) / (np.sqrt(places).ravel() + TINY) / (np.sqrt(cells)[:, None] + TINY)
    alike = alike**power
    place = raw.ravel() @ alike / (alike.sum(0) + TINY)
    for _ in range(rounds):
        cell = alike @ place / (alike.sum(1) + TINY)
        place = cell @ alike / (alike.sum(0) + TINY)
    return shares(place).reshape(side, side) ** sharpen


def maps_of(look, weights):
    """Class maps `[K, 7, 7]` of rows of weights, the bias left out."""
    return np.tensordot(weights, look.features[LAST], 1)


def by_softmax(look):
    logits = maps_of(look, look.model.weight) + look.model.bias[:, None, None]
    odds = np.exp(logits - logits.max(0))
    return odds[look.target] / odds.sum(0)


def less_their_mean(look):
    return np.maximum(maps_of(look, look.model.weight[look.target] - look.model.weight.mean(0)), 0)


def related(count):
    def idea(look):
        nearest = np.argsort(-(look.model.unit[:, look.target] @ look.model.unit))[: count + 1]
        return walked(look, np.maximum(maps_of(look, look.model.weight[nearest]), 0).sum(0))

    return idea


def with_energy(look):
    energy = look.features[LAST].mean(0)
    return walked(look, look.raw / (look.raw.max() + TINY) + energy / (energy.max() + TINY))


def ridge(look):
    """The plain map as a linear function of the cells' descriptions, applied to places; in its dual form."""
    places = look.places()
    cells = keys_of(places.reshape(-1, SIDE, SIDE), 0)
    product = cells.T @ cells
    pull = np.linalg.solve(product + np.trace(product) / len(product) * np.eye(len(product)), look.raw.ravel() - look.raw.mean())
    return np.maximum(look.raw.mean() + pull @ cells.T @ places, 0).reshape(SIDE, SIDE)


def two_prototypes(turns):
    """Object and ground, each the mean description of its places, which are divided anew by each turn."""

    def idea(look):
        places = look.places()
        unit = unit_length(places)
        belief = shares(look.refined).ravel()
        for _ in range(turns):
            weights = np.stack([belief, 1 - belief])
            thing, ground = unit_length(places @ weights.T / weights.sum(1)).T
            belief = shares((thing - ground) @ unit)
        return belief.reshape(SIDE, SIDE)

    return idea


def normalised_cut(look):
    """The second eigenvector of the places' resemblance, turned so that it agrees with the map."""
    alike = look.alike() ** 2
    degree = np.sqrt(alike.sum(1))
    walk = alike / np.outer(degree, degree)
    first = degree / np.linalg.norm(degree)
    vector = shares(look.refined).ravel() * degree
    for _ in range(60):  # Power iteration, with the known first eigenvector taken out.
        vector = vector - first * (first @ vector)
        vector = walk @ vector / (np.linalg.norm(vector) + TINY)
    vector = vector / degree
    agrees = (vector * (look.refined.ravel() - look.refined.mean())).sum() >= 0
    return shares(vector if agrees else -vector).reshape(SIDE, SIDE)


def between_places(look):
    """The map handed out, and three steps of a walk from every place to every other that looks alike."""
    walk = look.alike() ** 4
    walk /= walk.sum(1, keepdims=True)
    handed = walked(look, power=1, rounds=0, sharpen=1.5).ravel()
    return shares(walk @ (walk @ (walk @ handed))).reshape(SIDE, SIDE)


def less_the_border(look):
    """The refined map where it does not look like the picture's border, which what is cut out around a box has much of."""
    places, heat = look.places(), shares(look.refined)
    rim = np.ones((SIDE, SIDE), bool)
    rim[2:-2, 2:-2] = False
    ground = unit_length(places @ (rim * np.maximum(0.5 - heat, 0) + 1e-6).ravel())
    return heat * (1 - np.maximum(ground @ unit_length(places), 0)).reshape(SIDE, SIDE)


def blurred(look):
    return cv2.blur(look.refined, (3, 3), borderType=cv2.BORDER_REPLICATE)


def with_plain(look):
    """The geometric mean of the refined map and, a third, the plain one."""
    return shares(look.refined) ** 0.65 * resized(shares(look.raw)[None], SIDE)[0] ** 0.35


def moved(share):
    """The plain map moved to its cells' receptive centres, 15.5 pixels to the right and down, or a share of that."""

    def idea(look):
        shift = np.float32([[1, 0, 15.5 * share], [0, 1, 15.5 * share]])
        return cv2.warpAffine(enlarged(look.raw, SQUARE), shift, SQUARE, borderMode=cv2.BORDER_REPLICATE)

    return idea


def by(**rule):
    return lambda look: walked(look, **rule)


# Title, map, and whether of the part that a closer look cuts out.
ROWS = [
    ("*refined, as it is*", lambda look: look.refined, False),
    ("*the plain map*", lambda look: look.raw, False),
    ("plain, moved to receptive centres", moved(1), False),
    ("plain, moved by a quarter of that", moved(0.25), False),
    ("plain, probability of the class at each cell", by_softmax, False),
    ("plain, weights less their mean over classes", less_their_mean, False),
    ("refined, with the 5 nearest classes' maps", related(5), False),
    ("refined, with the 20 nearest classes' maps", related(20), False),
    ("refined, with activation energy added", with_energy, False),
    ("handed out once, by the cosine itself, from cells alone: the rule before", by(power=1, rounds=0, around=0, sharpen=1.5), False),
    ("the walk from cells alone", by(around=0), False),
    ("from cells and two places around", by(around=2), False),
    ("the cosine to the power of 2", by(power=2), False),
    ("to the power of 3", by(power=3), False),
    ("to the power of 6", by(power=6), False),
    ("handed out once", by(rounds=0), False),
    ("one round", by(rounds=1), False),
    ("three rounds", by(rounds=3), False),
    ("the guide of 14 x 14 only", by(guides=(MIDDLE,)), False),
    ("the same, three rounds", by(guides=(MIDDLE,), rounds=3), False),
    ("the refined map blurred, 3 x 3", blurred, False),
    ("the geometric mean of two thirds of it and a third of the plain map", with_plain, False),
    ("guides where residual blocks end", by(guides=(NARROW_MIDDLE, NARROW_FINE)), False),
    ("a walk from every place to every other", between_places, False),
    ("ridge regression of the map on finer features", ridge, False),
    ("two prototypes, object and ground, one turn", two_prototypes(1), False),
    ("the same, five turns", two_prototypes(5), False),
    ("second eigenvector of the resemblance", normalised_cut, False),
    ("*a closer look, as it is*", lambda look: look.refined, True),
    ("with two prototypes, one turn", two_prototypes(1), True),
    ("with the second eigenvector", normalised_cut, True),
    ("with a walk from every place to every other", between_places, True),
    ("less what looks like its border", less_the_border, True),
]


def peak_of(heat, size):
    """Where in a picture of this size the map's peak is, as (x, y)."""
    row, column = np.unravel_index(enlarged(heat, SQUARE).argmax(), SQUARE[::-1])
    return (column + 0.5) * size[0] / SQUARE[0], (row + 0.5) * size[1] / SQUARE[1]


def found(model, picture, target, truth):
    """For every row whether its box fits a true one, at every threshold, and last whether its peak lies in one."""
    look = Look(model, picture, target)
    first = boxed(look.refined, 0.4, look.size)
    closer, offset = None, 0
    if first is not None:
        part, offset = cut_out(picture, first)
        closer = Look(model, part, target)
    for _, idea, is_closer in ROWS:
        seen = closer if is_closer else look
        if seen is None:
            yield [False] * (len(THRESHOLDS) + 1)
            continue
        heat, moved_by = idea(seen), offset if is_closer else np.zeros(4)
        boxes = [boxed(heat, threshold, seen.size) for threshold in THRESHOLDS]
        hits = [box is not None and any(fits(box + moved_by, true) for true in truth) for box in boxes]
        x, y = peak_of(heat, seen.size) + moved_by[:2]
        yield [*hits, any(left <= x <= right and top <= y <= bottom for left, top, right, bottom in truth)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("datasets", nargs="+", type=pathlib.Path)
    parser.add_argument("--camloc", default="camloc")
    parser.add_argument("--every", type=int, default=1, help="only every N-th picture")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = Model(arguments.camloc, folder)
    sets = []
    for dataset in arguments.datasets:
        groups, hits = [], []
        for group, file, target, truth in list(truths(dataset))[:: arguments.every]:
            picture = cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)
            groups.append(group)
            hits.append(list(found(model, picture, target, truth)))
        sets.append((groups, np.array(hits).transpose(1, 2, 0)))  # [rows, thresholds and peak, pictures]
    scores = [np.array([[mean(at, groups) for at in row] for row in hits]) for groups, hits in sets]
    best = sum(scores)[:, :-1].argmax(1)
    columns = []
    for groups, hits in sets:
        chosen = [hits[row, at] for row, at in enumerate(best)]
        columns.append([cell(row, chosen[0], groups) for row in chosen])
    names = [dataset.name for dataset in arguments.datasets]
    print("| idea | at | " + " | ".join(names) + " | peak in a true box |")
    print("|---" * (len(columns) + 3) + "|")
    for row, (title, *_) in enumerate(ROWS):
        peaks = " / ".join(f"{100 * score[row, -1]:.1f}" for score in scores)
        print(f"| {title} | {THRESHOLDS[best[row]]} | " + " | ".join(column[row] for column in columns) + f" | {peaks} |")


def mean(hits, groups):
    return np.mean([np.mean(hits[np.array(groups) == name]) for name in set(groups)])


if __name__ == "__main__":
    main()
