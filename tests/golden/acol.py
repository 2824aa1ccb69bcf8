"""The loss of ACoL and its gradients in PyTorch, on a head so small that every number is kept (acol.json).

python3 tests/golden/acol.py > tests/golden/acol.json    (needs torch)

The head is written as the paper has it: two branches of conv3x3, conv3x3, conv1x1; the first branch's map of the true
class, min-maxed and detached, erases the features where it reaches delta; the loss is the sum of both cross-entropies.
What the maps of all classes have in common is taken from them, which the softmax does not see but the erasing does.
"""

import json

import torch
from torch import nn

DELTA = 0.6
PICTURES, CHANNELS, WIDTH, CLASSES, ROWS, COLUMNS = 2, 2, 3, 2, 3, 4


def waves(count, phase):
    """Numbers that need not be kept: a sine."""
    return torch.sin(torch.arange(count, dtype=torch.float64) * 1.7 + phase)


class Centred(nn.Module):
    def forward(self, maps):
        return maps - maps.mean(1, keepdim=True)


def branch(phase):
    convs = [nn.Conv2d(CHANNELS, WIDTH, 3, padding=1), nn.Conv2d(WIDTH, WIDTH, 3, padding=1), nn.Conv2d(WIDTH, CLASSES, 1)]
    for place, conv in enumerate(convs):
        outputs, inputs, side, _ = conv.weight.shape
        # As camloc keeps them: by place in the neighbourhood, then input channel, then output channel.
        values = 0.4 * waves(conv.weight.numel(), phase + place).view(side, side, inputs, outputs)
        conv.double()
        conv.weight.data = values.permute(3, 2, 0, 1).contiguous()
        conv.bias.data = 0.1 * waves(outputs, phase + place + 0.5)
    return nn.Sequential(convs[0], nn.ReLU(), convs[1], nn.ReLU(), convs[2], Centred())


features = waves(PICTURES * ROWS * COLUMNS * CHANNELS, 0.3).view(PICTURES, ROWS, COLUMNS, CHANNELS).permute(0, 3, 1, 2)
classes = torch.tensor([1, 0])
a, b = branch(0.0), branch(5.0)
first = a(features)
maps = first[torch.arange(PICTURES), classes].detach()
least, most = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
kept = ((maps - least) / (most - least) < DELTA).double()
second = b(features * kept[:, None])
loss = sum(nn.functional.cross_entropy(maps.mean((2, 3)), classes) for maps in (first, second))
loss.backward()


def gradients(branch):
    out = []
    for conv in (branch[0], branch[2], branch[4]):
        out.append(conv.weight.grad.permute(2, 3, 1, 0).flatten().tolist())
        out.append(conv.bias.grad.tolist())
    return out


def rounded(value):
    return [rounded(one) for one in value] if isinstance(value, list) else round(value, 8)


print(json.dumps({
    "erased": int((1 - kept).sum()),
    "loss": rounded(loss.item()),
    "first": rounded(first.detach().permute(0, 2, 3, 1).flatten().tolist()),
    "second": rounded(second.detach().permute(0, 2, 3, 1).flatten().tolist()),
    "gradients": rounded(gradients(a) + gradients(b)),
}))
