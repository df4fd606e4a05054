"""How class labels enter the networks: conditional batch norm in the generator, and in the discriminator a projection,
a concatenation or an auxiliary classifier.

Labels are int64 [B]. An embedding is a dense layer without bias on one-hot rows: its matrix is that of an embedding
table, with the same singular values, and whatever acts on a discriminator's dense layers (power iteration, penalty,
clipping, initialization) acts on it without knowing of labels. A product with one-hot rows is also deterministic on
every device, which the gradient of a look-up is not.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_NO_LABELS = "a conditional network was called without labels"


def one_hot(labels: Tensor, num_classes: int) -> Tensor:
    """float32 [B, num_classes] from int64 [B]."""
    return F.one_hot(labels, num_classes).to(torch.float32)


class BatchNorm(nn.BatchNorm2d):
    """Batch norm, with a gain and a shift of its own for every class where there are classes.

    De Vries et al. 2017, arXiv:1707.00683, as in the official code of arXiv:1802.05957: gains start at 1, shifts at 0.
    The running averages are common to all classes and move by 0.1 (decay 0.9).
    """

    def __init__(self, channels: int, num_classes: int | None = None, *, eps: float = 1e-5) -> None:
        super().__init__(channels, eps=eps, affine=num_classes is None)
        if num_classes is not None:
            self.gains = nn.Parameter(torch.ones(num_classes, channels))
            self.shifts = nn.Parameter(torch.zeros(num_classes, channels))

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """[B, C, H, W] normalized; `labels` [B] choose gain and shift where there are classes."""
        normalized = super().forward(x)
        if self.affine:
            return normalized
        assert labels is not None, _NO_LABELS
        rows = one_hot(labels, len(self.gains))
        return normalized * (rows @ self.gains)[:, :, None, None] + (rows @ self.shifts)[:, :, None, None]


class LabelEmbedding(nn.Linear):
    """int64 [B] -> [B, num_features]: one trained vector per class."""

    def __init__(self, num_classes: int, num_features: int) -> None:
        super().__init__(num_classes, num_features, bias=False)

    def forward(self, labels: Tensor) -> Tensor:
        """The vectors of these classes."""
        return super().forward(one_hot(labels, self.in_features))


class LabelConcatenation(nn.Module):
    """[B, C, H, W] -> [B, C + C / 2, H, W]: the embedded label as further channels, the same at every place.

    Table 6c of arXiv:1802.05957 gives 128 dimensions beside 256 channels; half as many as there are channels is the
    same number there, and suits narrower networks.
    """

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.embedding = LabelEmbedding(num_classes, channels // 2)
        self.num_channels = channels + channels // 2

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """The feature maps x, and behind them those of the labels."""
        assert labels is not None, _NO_LABELS
        embedded: Tensor = self.embedding(labels)
        return torch.cat([x, embedded[:, :, None, None].expand(-1, -1, *x.shape[2:])], 1)


class Judgement(NamedTuple):
    """What a discriminator says of images.

    logits : [B], large for real. class_logits : [B, num_classes] of an auxiliary classifier, None without one.
    """

    logits: Tensor
    class_logits: Tensor | None

    def split(self, num: int) -> "tuple[Judgement, Judgement]":
        """Those of the first `num` images and those of the others."""
        first, second = self.logits[:num], self.logits[num:]
        if self.class_logits is None:
            return Judgement(first, None), Judgement(second, None)
        return Judgement(first, self.class_logits[:num]), Judgement(second, self.class_logits[num:])


@dataclass(frozen=True)
class Condition:
    """How a discriminator is told, or tells, the class; TrialConfig.conditioning names the kinds."""

    kind: Literal["projection", "concat", "auxiliary-classifier"]
    num_classes: int


def label_concatenation(condition: Condition | None, channels: int) -> LabelConcatenation | None:
    """The layer that joins the label to `channels` feature maps, where the condition is a concatenation."""
    if condition is None or condition.kind != "concat":
        return None
    return LabelConcatenation(channels, condition.num_classes)


class Head(nn.Module):
    """From features h to logits: w h + b, and what the condition adds.

    projection : + <embed(y), h>, Miyato and Koyama 2018, arXiv:1802.05637.
    auxiliary-classifier : a dense layer h -> class logits beside it, Odena et al. 2017, arXiv:1610.09585.
    """

    def __init__(self, num_features: int, condition: Condition | None, *, bias: bool = True) -> None:
        super().__init__()
        self.dense = nn.Linear(num_features, 1, bias=bias)
        self.embedding: LabelEmbedding | None = None
        self.classifier: nn.Linear | None = None
        if condition is not None and condition.kind == "projection":
            self.embedding = LabelEmbedding(condition.num_classes, num_features)
        if condition is not None and condition.kind == "auxiliary-classifier":
            self.classifier = nn.Linear(num_features, condition.num_classes)

    def forward(self, features: Tensor, labels: Tensor | None) -> Judgement:
        """The judgement of features [B, F]; of bfloat16 ones it is in fp32, for losses are made of it."""
        logits: Tensor = _widened(self.dense(features).squeeze(1))
        if self.embedding is not None:
            assert labels is not None, _NO_LABELS
            logits = logits + (self.embedding(labels) * features).sum(1)
        return Judgement(logits, None if self.classifier is None else _widened(self.classifier(features)))


def _widened(logits: Tensor) -> Tensor:
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
