"""PyTorch recipes: a small net of many kinds of layers, and ones that cannot be exported."""

import torch
from torch import nn
from torch.nn import functional

from .attention import Block


class PictureNet(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU())
        self.mixed = nn.Sequential(nn.Conv2d(16, 16, 3, 1, 1, groups=4), nn.Dropout(0.5), nn.SiLU())
        self.block = Block(16, heads=2)
        self.head = nn.Linear(16, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.mixed(self.stem(x))
        x = functional.interpolate(x, scale_factor=0.5, mode="bilinear", align_corners=False)
        x = functional.adaptive_avg_pool2d(x, 4)
        return self.head(self.block(x.flatten(2).transpose(1, 2)).mean(1))


class Forward(nn.Module):
    """A module whose forward(x) is the given function."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


class Scale(nn.Module):
    def forward(self, image: torch.Tensor, by: torch.Tensor) -> torch.Tensor:
        return image * by


def build(classes: int = 5) -> nn.Module:
    torch.manual_seed(0)
    net = PictureNet(classes)
    with torch.no_grad():  # statistics that training would have left
        net.stem[1].running_mean.uniform_(-1, 1)
        net.stem[1].running_var.uniform_(0.5, 2)
    return net


def with_examples() -> tuple[nn.Module, torch.Tensor]:
    return build(), torch.zeros(1, 3, 32, 32)


def scale() -> nn.Module:
    return Scale()


def branches() -> nn.Module:
    return Forward(lambda x: x if x.sum() > 0 else -x)


def wrong_shape() -> nn.Module:
    return Forward(lambda x: x.reshape(7))


def singular_values() -> nn.Module:
    return Forward(lambda x: torch.linalg.svd(x)[1])
