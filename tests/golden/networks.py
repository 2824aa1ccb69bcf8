"""Three tiny classifiers with random weights: small enough to commit, rich enough to exercise the gradient rules.

All take `[N, 3, H, W]` and give `[N, 10]` logits. Weights come from the caller's seed.
"""

import torch
from torch import nn

CLASSES = 10


class SqueezeExcite(nn.Module):
    """Channel gates: global mean, two 1x1 convolutions, sigmoid. Its product makes the tail non-linear in A."""

    def __init__(self, channels, hidden):
        super().__init__()
        self.reduce = nn.Conv2d(channels, hidden, 1)
        self.act = nn.ReLU()
        self.expand = nn.Conv2d(hidden, channels, 1)

    def forward(self, x):
        gate = x.mean((2, 3), keepdim=True)
        return x * torch.sigmoid(self.expand(self.act(self.reduce(gate))))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with batch norm and squeeze-excite, plus a shortcut (1x1 when the shape changes)."""

    def __init__(self, cin, cout, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(cout)
        self.act1 = nn.ReLU()
        self.conv2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(cout)
        self.se = SqueezeExcite(cout, 4)
        self.shortcut = nn.Identity()
        if stride != 1 or cin != cout:
            self.shortcut = nn.Sequential(nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout))
        self.act2 = nn.ReLU()

    def forward(self, x):
        y = self.act1(self.bn1(self.conv1(x)))
        y = self.se(self.bn2(self.conv2(y)))
        return self.act2(y + self.shortcut(x))


class Residual(nn.Module):
    """conv, BN, ReLU, max pool 3x3 s2 p1, two residual blocks, global average pool, linear: a CAM model."""

    SIZE = (18, 22)
    LAYERS = {"middle": "block1", "last": "block2"}

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, 1, 1, bias=False)
        self.bn = nn.BatchNorm2d(8)
        self.act = nn.ReLU()
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.block1 = ResidualBlock(8, 8, 1)
        self.block2 = ResidualBlock(8, 16, 2)
        self.gap = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(16, CLASSES)

    def forward(self, x):
        x = self.pool(self.act(self.bn(self.conv(x))))
        x = self.block2(self.block1(x))
        return self.fc(self.gap(x).flatten(1))


class Plain(nn.Module):
    """VGG-like: convolutions with bias, a batch norm after a ReLU (it cannot be folded), flatten, two linear layers."""

    SIZE = (16, 24)
    LAYERS = {"middle": "features.5", "last": "features.8"}

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 12, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(12),
            nn.Conv2d(12, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(12 * 4 * 6, 16), nn.ReLU(), nn.Dropout(), nn.Linear(16, CLASSES)
        )

    def forward(self, x):
        return self.classifier(self.features(x))


class Attention(nn.Module):
    """Multi-head self-attention written out, so that the exported graph has plain MatMul and Softmax nodes."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        n, t, c = x.shape
        q, k, v = self.qkv(x).reshape(n, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        weights = (q * (c // self.heads) ** -0.5 @ k.transpose(-2, -1)).softmax(-1)
        return self.proj((weights @ v).transpose(1, 2).reshape(n, t, c))


class Block(nn.Module):
    """Pre-norm transformer block with a GELU perceptron."""

    def __init__(self, dim, heads):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim)
        self.attn = Attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Vit(nn.Module):
    """Two-block vision transformer: patch 4, width 16, 2 heads, class token."""

    SIZE = (16, 24)
    LAYERS = {"middle": "blocks.0.attn", "last": "blocks.1.norm1"}
    GRID = (4, 6)

    def __init__(self):
        super().__init__()
        tokens = self.GRID[0] * self.GRID[1] + 1
        self.patch = nn.Conv2d(3, 16, 4, 4)
        self.cls = nn.Parameter(torch.randn(1, 1, 16))
        self.position = nn.Parameter(0.5 * torch.randn(1, tokens, 16))
        self.blocks = nn.Sequential(Block(16, 2), Block(16, 2))
        self.norm = nn.LayerNorm(16)
        self.head = nn.Linear(16, CLASSES)

    def forward(self, x):
        tokens = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(x.shape[0], -1, -1), tokens], 1) + self.position
        return self.head(self.norm(self.blocks(x))[:, 0])


def build(kind, seed):
    """The network in eval mode, with livelier weights than the defaults: no bias or batch statistic is trivial."""
    torch.manual_seed(seed)
    model = kind()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 1.5)
        if isinstance(module, (nn.BatchNorm2d, nn.LayerNorm)):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.3)
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0, 1.5 * module.in_features**-0.5)
            nn.init.normal_(module.bias, 0, 0.3)
        if isinstance(module, nn.Conv2d):
            fan = module.in_channels * module.kernel_size[0] * module.kernel_size[1]
            nn.init.normal_(module.weight, 0, 1.5 * fan**-0.5)
            if module.bias is not None:
                nn.init.normal_(module.bias, 0, 0.3)
    return model.eval()
