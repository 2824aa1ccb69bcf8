"""Reference explanations in torch autograd: raw signed maps, before any ReLU, scaling or resizing.

Shapes: x `[N, 3, H, W]`, A and its gradient g `[N, C, h, w]`, maps `[N, h, w]`. The definitions are those of
pytorch-grad-cam; `fullgrad` is its sum before the last min-max.
"""

import torch
from torch import nn
from torch.nn import functional as F


def capture(model, module, x):
    """Run the model; return the logits and the (graph-connected) output of one module."""
    kept = []
    handle = module.register_forward_hook(lambda _, __, output: kept.append(output))
    try:
        logits = model(x)
    finally:
        handle.remove()
    return logits, kept[0]


def fold(t, grid):
    """Tokens `[N, 1 + h*w, C]` to `[N, C, h, w]` without the class token; feature maps stay as they are."""
    if t.dim() == 4:
        return t
    return t[:, 1:].transpose(1, 2).reshape(t.shape[0], t.shape[2], *grid)


def projection(a):
    """EigenCAM: centre `[h*w, C]` over the places, project on the first right singular vector. Sign is arbitrary."""
    maps = []
    for picture in a:
        rows = picture.flatten(1).T
        rows = rows - rows.mean(0)
        maps.append((rows @ torch.linalg.svd(rows, full_matrices=False).Vh[0]).reshape(picture.shape[1:]))
    return torch.stack(maps)


def weighted(weights, a):
    """sum_c w_c A_c."""
    return (weights[:, :, None, None] * a).sum(1)


def gradient_maps(a, g):
    """Every method that needs only A and the gradient of the logit."""
    total = a.sum((2, 3), keepdim=True)
    alpha = g**2 / (2 * g**2 + total * g**3 + 1e-6)
    alpha = torch.where(g != 0, alpha, torch.zeros_like(alpha))
    return {
        "gradcam": weighted(g.mean((2, 3)), a),
        "hirescam": (g * a).sum(1),
        "elementwise": (g * a).relu().sum(1),
        "layercam": (g.relu() * a).sum(1),
        "gradcampp": weighted((g.relu() * alpha).sum((2, 3)), a),
        "xgradcam": weighted((g * a / (total + 1e-7)).sum((2, 3)), a),
        "eigencam": projection(a),
        "eigengradcam": projection(g * a),
    }


def finer_score(logits, target, alpha=1.0, count=3):
    """FinerCAM's target: the logit against its nearest classes, weighted by softmax *with* gradient. `[N]`"""
    order = (logits - logits[:, target : target + 1]).abs().argsort(1)
    others = order[:, 1 : 1 + count]
    weights = logits.softmax(1).gather(1, others)
    differences = logits[:, target : target + 1] - alpha * logits.gather(1, others)
    return (weights * differences).sum(1) / (weights.sum(1) + 1e-9)


def shapley(score, a, grid):
    """Grad-CAM with g - H A / 2, H the Hessian of the score with respect to A."""
    (g,) = torch.autograd.grad(score.sum(), a, create_graph=True)
    hessian_a = None
    if g.requires_grad:
        (hessian_a,) = torch.autograd.grad(g, a, grad_outputs=a.detach(), retain_graph=True, allow_unused=True)
    if hessian_a is None:
        hessian_a = torch.zeros_like(a)
    return weighted(fold(g - 0.5 * hessian_a, grid).mean((2, 3)), fold(a, grid))


def layer_maps(model, module, x, target, grid=None):
    """All maps of one class at one layer: a dict of `[N, h, w]`."""
    logits, a = capture(model, module, x)
    (g,) = torch.autograd.grad(logits[:, target].sum(), a, retain_graph=True)
    maps = gradient_maps(fold(a, grid), fold(g, grid))
    (g,) = torch.autograd.grad(finer_score(logits, target).sum(), a, retain_graph=True)
    maps["finercam"] = weighted(fold(g, grid).mean((2, 3)), fold(a, grid))
    maps["shapleycam"] = shapley(logits[:, target], a, grid)
    return {name: m.detach() for name, m in maps.items()}


def reciprocam(model, module, x, classes):
    """Probability of each class when only one place of the feature map is kept. `[N, K, h, w]`, no Gaussian."""
    maps = []
    for picture in x.split(1):
        _, a = capture(model, module, picture)
        h, w = a.shape[2:]
        copies = a * torch.eye(h * w, dtype=a.dtype).reshape(h * w, 1, h, w)
        handle = module.register_forward_hook(lambda _, __, ___, copies=copies: copies)
        try:
            with torch.no_grad():
                probabilities = model(picture).softmax(1)
        finally:
            handle.remove()
        maps.append(probabilities[:, classes].T.reshape(len(classes), h, w))
    return torch.stack(maps)


def input_gradient(model, x, target):
    """Gradient of the logit with respect to the picture. `[N, 3, H, W]`"""
    x = x.clone().requires_grad_()
    (g,) = torch.autograd.grad(model(x)[:, target].sum(), x)
    return g


class GuidedRelu(torch.autograd.Function):
    """ReLU whose backward pass lets only positive gradients through active units."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.relu()

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * (x > 0) * (g > 0)


def guided_backprop(model, x, target):
    """`input_gradient` with every `nn.ReLU` guided. `[N, 3, H, W]`"""
    relus = [m for m in model.modules() if isinstance(m, nn.ReLU)]
    for relu in relus:
        relu.forward = GuidedRelu.apply
    try:
        return input_gradient(model, x, target)
    finally:
        for relu in relus:
            del relu.forward


def min_max(t):
    """Each `[h, w]` plane to [0, 1): subtract its minimum, divide by (1e-7 + maximum)."""
    t = t - t.amin((2, 3), keepdim=True)
    return t / (1e-7 + t.amax((2, 3), keepdim=True))


def fullgrad(model, x, target):
    """Sum of the scaled |x g| planes and, per convolution or batch norm, of the resized |b g| planes. `[N, H, W]`"""
    x = x.clone().requires_grad_()
    outputs, biases, handles = [], [], []
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            biases.append(module.bias - module.running_mean * module.weight / (module.running_var + module.eps).sqrt())
        elif isinstance(module, nn.Conv2d) and module.bias is not None:
            biases.append(module.bias)
        else:
            continue
        slot = len(outputs)
        outputs.append(None)
        handles.append(module.register_forward_hook(lambda _, __, out, slot=slot: outputs.__setitem__(slot, out)))
    logits = model(x)
    for handle in handles:
        handle.remove()
    gradients = torch.autograd.grad(logits[:, target].sum(), [x, *outputs])
    total = min_max((x * gradients[0]).abs()).sum(1)
    for bias, g in zip(biases, gradients[1:]):
        planes = min_max((bias[:, None, None] * g).abs())
        total = total + F.interpolate(planes, x.shape[2:], mode="bilinear", align_corners=False).sum(1)
    return total.detach()
