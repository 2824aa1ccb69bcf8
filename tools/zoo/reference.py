"""Reference maps by torch autograd at every tensor of a forward pass, functional calls included.

A tensor-function mode sees each call; it keeps the result and runs in-place operations out of place, so that a value
stays what it was. Maps are raw: signed, before any ReLU or scaling.
"""

import copy

import numpy as np
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

LARGEST_GRID = 32 * 32
LAST = 100  # how many tensors, counted from the output, get a reference ...
EVERY = 10  # ... and every tenth of those before
IN_PLACE = {"__iadd__": "add", "__imul__": "mul", "__isub__": "sub", "__itruediv__": "div"}


class Recorder(TorchFunctionMode):
    """Keeps every floating tensor of rank 3 or 4 that a torch function returns."""

    def __init__(self):
        super().__init__()
        self.tensors = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        name = getattr(function, "__name__", "")
        if kwargs.get("inplace"):
            kwargs["inplace"] = False
        if name in IN_PLACE:
            function = getattr(torch.Tensor, IN_PLACE[name])
        elif name.endswith("_") and not name.endswith("__") and hasattr(torch.Tensor, name[:-1]):
            function = getattr(torch.Tensor, name[:-1])
        result = function(*args, **kwargs)
        for t in result if isinstance(result, (tuple, list)) else [result]:
            if isinstance(t, torch.Tensor) and t.requires_grad and t.is_floating_point() and t.dim() in (3, 4):
                self.tensors.append(t)
        return result


def lively(model, seed, size):
    """Random weights that reach the output: no zero-initialised branch, tiny layer scale or trivial statistic."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.numel() > 1 and p.min() == p.max():
                if p.dim() == 1 and (name.endswith("bias") or (p == 0).all() and "norm" not in name and "bn" not in name and "weight" not in name):
                    p.normal_(0, 0.1)
                elif p.dim() > 1 and (p == 0).all():
                    p.normal_(0, 0.05)
                else:
                    p.uniform_(0.5, 1.5)
            elif p.dim() >= 2 and name.endswith("weight"):
                fan = p[0].numel()
                if p.std() < 0.5 * fan**-0.5:
                    p.mul_(fan**-0.5 / p.std())
        norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        for m in norms:
            m.reset_running_stats()
            m.momentum = None  # the statistics of the pass below, whole
        if norms:
            model.train()
            model(torch.randn(3, 3, size, size))
    return model.eval()


def picture(seed, size):
    """Noise with a bright disc and a dark bar: `[1, 3, size, size]`, about zero mean."""
    generator = torch.Generator().manual_seed(seed)
    x = 0.5 * torch.randn(1, 3, size, size, generator=generator)
    v, u = torch.meshgrid(torch.linspace(0, 1, size), torch.linspace(0, 1, size), indexing="ij")
    disc = ((u - 0.35) ** 2 + (v - 0.6) ** 2 < 0.04).float()
    bar = ((u > 0.6) & (u < 0.8) & (v > 0.1) & (v < 0.5)).float()
    return x + 1.5 * disc * torch.tensor([1.0, 0.4, -0.2])[:, None, None] - 1.2 * bar


def square(n, spare=8):
    """How many leading tokens to drop so that a square grid is left, or None."""
    for prefix in range(spare):
        side = int(round(max(n - prefix, 0) ** 0.5))
        if side >= 2 and side * side == n - prefix:
            return prefix
    return None


def views(a, g):
    """The readings of one tensor as a feature map: layout name to a pair `[C, h, w]` of activations and gradients."""
    found = {}
    if a.dim() == 4 and a.shape[0] == 1:
        _, p, q, r = a.shape
        if q == r and 4 <= q * r <= LARGEST_GRID:
            found["nchw"] = (a[0], g[0])
        if p == q and 4 <= p * q <= LARGEST_GRID:
            found["nhwc"] = (a[0].permute(2, 0, 1), g[0].permute(2, 0, 1))
    if a.dim() == 3 and a.shape[0] == 1:
        for layout, axis in [("tokens", 1), ("channels_tokens", 2)]:
            prefix = square(a.shape[axis], 8 if axis == 1 else 1)
            if prefix is None or a.shape[axis] > LARGEST_GRID + 8:
                continue
            pair = [t[0].T if axis == 1 else t[0] for t in (a, g)]
            side = int(round((a.shape[axis] - prefix) ** 0.5))
            found[layout] = tuple(t[:, prefix:].reshape(t.shape[0], side, side) for t in pair)
    return found


def maps(a, g):
    """Grad-CAM and HiResCAM: `[2, h, w]`."""
    return torch.stack([(g.mean((1, 2), keepdim=True) * a).sum(0), (g * a).sum(0)])


def trace(model, x, target=None, layer=None):
    """Logits, target, the candidate tensors with their gradients, and the position of `layer`'s output among them."""
    handle, kept = None, []
    if layer is not None:
        handle = model.get_submodule(layer).register_forward_hook(lambda _, __, out: kept.append(out))
    recorder = Recorder()
    try:
        with recorder:
            logits = model(x)
    finally:
        if handle is not None:
            handle.remove()
    target = int(logits[0].argmax()) if target is None else target
    candidates = [t for t in recorder.tensors if views(t, t)]
    tensors = [t for i, t in enumerate(candidates) if i >= len(candidates) - LAST or i % EVERY == 0 or t is (kept or [None])[0]]
    at = None
    if kept and isinstance(kept[0], torch.Tensor):
        at = next((i for i, t in enumerate(tensors) if t is kept[0]), None)
        if at is None:
            at = next((i for i, t in enumerate(tensors) if t.shape == kept[0].shape and torch.equal(t, kept[0])), None)
    gradients = torch.autograd.grad(logits[0, target], tensors, allow_unused=True)
    return logits.detach(), target, [t.detach() for t in tensors], gradients, at


def reference(model, x, layer=None):
    """Everything that the checks need of one classifier.

    Returns logits `[1, classes]`, the target, and a list of tensors in the order they ran: `value` (float32), `maps`
    (layout to `[2, h, w]`, float64 rounded to float32), `float32` (what plain float32 loses, share of the largest
    value), `chosen` for the layer a person would use, `aliases`: maps of later tensors of the same value.
    """
    with torch.no_grad():
        model(x)  # fills the caches of networks that keep some in eval mode
    try:
        logits64, target, tensors, gradients, at = trace(copy.deepcopy(model).double(), x.double(), None, layer)
    except RuntimeError:  # a network that makes float32 constants of its own
        logits64, target, tensors, gradients, at = trace(model, x, None, layer)
    logits, _, singles, single_gradients, _ = trace(model, x, target, layer)
    if (logits - logits64).abs().max() > 1e-3 * logits.abs().max() or len(singles) != len(tensors):
        raise RuntimeError("the float64 pass differs from the float32 one")
    kept = []
    for i in range(len(tensors)):
        if gradients[i] is None or not gradients[i].any():
            continue
        readings = views(tensors[i], gradients[i])
        entry = {"value": singles[i].numpy(), "maps": {}, "float32": {}, "aliases": [], "chosen": i == at}
        single = views(singles[i], single_gradients[i])
        for layout, (a, g) in readings.items():
            m = maps(a, g)
            peak = m.abs().amax((1, 2)).clamp(min=1e-30)
            entry["maps"][layout] = m.numpy().astype(np.float32)
            entry["float32"][layout] = ((maps(*single[layout]).double() - m).abs().amax((1, 2)) / peak).tolist()
        twin = next((k for k in kept if k["value"].shape == entry["value"].shape and np.array_equal(k["value"], entry["value"])), None)
        if twin is None:
            kept.append(entry)
            continue
        twin["chosen"] = twin["chosen"] or entry["chosen"]
        if any(np.abs(m - twin["maps"][k]).max() > 1e-6 * np.abs(m).max() for k, m in entry["maps"].items()):
            twin["aliases"].append(entry["maps"])
    if layer is None:
        feature_maps = [k for k in kept if "nchw" in k["maps"]]
        if feature_maps:
            feature_maps[-1]["chosen"] = True
    return {"logits": logits.numpy(), "target": target, "tensors": kept}
