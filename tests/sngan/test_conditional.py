"""Conditional GANs: how labels enter the networks, where they come from, and that a stopped trial goes on exactly."""

import dataclasses
import io
from typing import get_args

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from sngan.config import Conditioning, TrialConfig
from sngan.datasets import DATASETS, open_dataset
from sngan.errors import InputError
from sngan.inputs import check_names, describe_inputs
from sngan.losses import with_class_loss
from sngan.methods import METHODS
from sngan.models import build_networks
from sngan.models.conditioning import BatchNorm, Condition, Head, LabelConcatenation
from sngan.regularizers.base import PenaltyInputs
from sngan.regularizers.gradient_penalty import GradientPenalty
from sngan.regularizers.r1 import R1
from sngan.results import Evaluation, RunOptions
from sngan.sampling import generate, save_grid
from sngan.seeding import torch_stream
from sngan.state import TrainState
from sngan.training import _draw, train
from sngan.trial import evaluate_checkpoint, run_trial

CONDITIONS = [kind for kind in get_args(Conditioning) if kind != "none"]
NUM_CLASSES = 5


@pytest.fixture(scope="module")
def labels() -> NDArray[np.int64]:
    return np.random.default_rng(1).integers(0, NUM_CLASSES, 40)


@pytest.fixture(scope="module")
def images(labels: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Every image is as bright as its class says."""
    return np.broadcast_to(labels.astype(np.uint8)[:, None, None, None] * 40, (40, 1, 8, 8)).copy()


def start(config: TrialConfig, num_classes: int | None = NUM_CLASSES) -> TrainState:
    return TrainState.start(config, channels=1, image_size=8, num_classes=num_classes)


def random(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch_stream(0, "penalty"))


@pytest.mark.parametrize("architecture", ["small-cnn", "small-resnet"])
def test_projection_is_the_dense_layer_plus_the_inner_product_with_the_embedding(architecture: str) -> None:
    config = TrialConfig(architecture=architecture, conditioning="projection", discriminator_init="glorot")
    _, discriminator = build_networks(config, channels=1, image_size=8, num_classes=NUM_CLASSES)
    x, y = random(6, 1, 8, 8), torch.tensor([0, 1, 2, 3, 4, 0])
    h = discriminator.features(x, y)
    dense, table = discriminator.head.dense, discriminator.head.embedding.weight.t()
    expected = F.linear(h, dense.weight, dense.bias).squeeze(1) + (F.embedding(y, table) * h).sum(1)
    torch.testing.assert_close(discriminator(x, y), expected)
    assert (discriminator(x, y) - discriminator(x, y.flip(0))).abs().max() > 1e-3


@pytest.mark.parametrize("architecture", ["small-cnn", "small-resnet"])
def test_concatenation_tells_the_class_at_every_place(architecture: str) -> None:
    config = TrialConfig(architecture=architecture, conditioning="concat", discriminator_init="glorot")
    _, discriminator = build_networks(config, channels=1, image_size=8, num_classes=NUM_CLASSES)
    x, y = random(6, 1, 8, 8), torch.tensor([0, 1, 2, 3, 4, 0])
    assert (discriminator(x, y) - discriminator(x, y.flip(0))).abs().max() > 1e-4
    layer = LabelConcatenation(6, NUM_CLASSES)
    joined = layer(random(6, 6, 2, 2), y)
    assert joined.shape == (6, 9, 2, 2)
    assert torch.equal(joined[:, 6:], layer.embedding.weight.t()[y][:, :, None, None].expand(-1, -1, 2, 2))


def test_auxiliary_classifier_judges_without_labels() -> None:
    config = TrialConfig(conditioning="auxiliary-classifier", discriminator_init="glorot")
    _, discriminator = build_networks(config, channels=1, image_size=8, num_classes=NUM_CLASSES)
    x = random(6, 1, 8, 8)
    judgement = discriminator.judge(x)
    assert judgement.class_logits.shape == (6, NUM_CLASSES)
    assert torch.equal(judgement.logits, discriminator(x, torch.arange(6) % NUM_CLASSES))


def test_class_loss_has_the_published_weights() -> None:
    adversarial, class_logits, y = torch.tensor(2.0), random(4, NUM_CLASSES), torch.tensor([0, 4, 2, 2])
    entropy = -torch.log_softmax(class_logits, 1)[torch.arange(4), y].mean()
    torch.testing.assert_close(with_class_loss(adversarial, "discriminator", class_logits, y), 2 + entropy)
    torch.testing.assert_close(with_class_loss(adversarial, "generator", class_logits, y), 2 + 0.1 * entropy)
    assert with_class_loss(adversarial, "generator", None, y) is adversarial


def test_conditional_batch_norm_is_batch_norm_with_gain_and_shift_of_the_class() -> None:
    norm, plain = BatchNorm(3, NUM_CLASSES, eps=2e-5), nn.BatchNorm2d(3, eps=2e-5)
    x, y = 4 + 3 * random(8, 3, 4, 4), torch.tensor([0, 1, 2, 3, 4, 2, 2, 0])
    torch.testing.assert_close(norm(x, y), plain(x))
    with torch.no_grad():
        norm.gains[2] = torch.tensor([2.0, 3.0, 4.0])
        norm.shifts[2] = torch.tensor([0.0, 1.0, -1.0])
    expected = plain(x).clone()
    expected[y == 2] = expected[y == 2] * torch.tensor([2.0, 3.0, 4.0]).view(1, 3, 1, 1)
    expected[y == 2] += torch.tensor([0.0, 1.0, -1.0]).view(1, 3, 1, 1)
    torch.testing.assert_close(norm(x, y), expected)


@pytest.mark.parametrize("architecture", ["small-cnn", "small-resnet"])
def test_a_class_changes_its_own_images_alone(architecture: str) -> None:
    state = start(TrialConfig(architecture=architecture, conditioning="projection", generator_init="glorot"))
    before = [torch.cat(list(generate(state, 6, label=label))) for label in range(NUM_CLASSES)]
    with torch.no_grad():
        for module in state.generator.modules():
            if isinstance(module, BatchNorm) and not module.affine:
                module.gains[3] *= -1
    after = [torch.cat(list(generate(state, 6, label=label))) for label in range(NUM_CLASSES)]
    assert [torch.equal(a, b) for a, b in zip(before, after, strict=True)] == [True, True, True, False, True]


class Linear(nn.Module):
    """D(x, y) = <w + e_y, x>, by the head itself."""

    def __init__(self) -> None:
        super().__init__()
        self.head = Head(9, Condition("projection", NUM_CLASSES))

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        logits: Tensor = self.head(images.flatten(1), labels).logits
        return logits


@pytest.mark.parametrize("penalty", [R1(gamma=6.0), GradientPenalty(coefficient=7.0)], ids=lambda penalty: penalty.name)
def test_penalties_ask_about_the_real_images_classes(penalty: R1 | GradientPenalty) -> None:
    """The gradient of that discriminator is w + e_y everywhere."""
    discriminator = Linear()
    real_labels, fake_labels = torch.tensor([0, 1, 1, 3]), torch.tensor([2, 2, 4, 4])
    real, fake = random(2, 4, 1, 3, 3)
    inputs = PenaltyInputs(discriminator, real, fake, torch_stream(1, "penalty"), real_labels, fake_labels)
    gradients = discriminator.head.dense.weight + discriminator.head.embedding.weight.t()[real_labels]
    norms = gradients.norm(dim=1)
    expected = 3 * norms.square().mean() if isinstance(penalty, R1) else 7 * (norms - 1).square().mean()
    torch.testing.assert_close(penalty(inputs), expected)


@pytest.mark.parametrize("forward", ["joint", "separate"])
def test_real_labels_go_with_their_images_and_fake_ones_with_theirs(
    forward: str, tiny: TrialConfig, images: NDArray[np.uint8], labels: NDArray[np.int64], monkeypatch
) -> None:
    state = start(tiny.replace(conditioning="projection", discriminator_forward=forward, n_dis=2))
    shown: list[tuple[Tensor, Tensor]] = []
    made: list[tuple[Tensor, Tensor]] = []
    judge, generator_forward = state.discriminator.judge, state.generator.forward

    def seen(x: Tensor, y: Tensor) -> object:
        shown.append((x.detach(), y))
        return judge(x, y)

    def making(z: Tensor, y: Tensor) -> Tensor:
        made.append((generator_forward(z, y), y))
        return made[-1][0]

    monkeypatch.setattr(state.discriminator, "judge", seen)
    monkeypatch.setattr(state.generator, "forward", making)
    train(state, images, 1, labels)

    together = [(torch.cat(x), torch.cat(y)) for x, y in [zip(*shown[i : i + 2], strict=True) for i in (0, 2)]]
    updates = shown[:2] if forward == "joint" else together
    for (x, y), (fake, fake_labels) in zip(updates, made[:2], strict=True):
        brightness = ((x[:8, 0, 0, 0] + 1) * 127.5 / 40).round().long()
        assert torch.equal(brightness, y[:8])
        assert torch.equal(x[8:], fake)
        assert torch.equal(y[8:], fake_labels)
    assert torch.equal(shown[-1][1], made[-1][1]), "the generator's update too"
    assert not torch.equal(made[0][1], made[1][1])


def test_fake_classes_are_uniform_and_the_same_for_every_method(
    tiny: TrialConfig, images: NDArray[np.uint8], labels: NDArray[np.int64]
) -> None:
    drawn = []
    for method in ("sn", "wgan-gp"):
        state = start(METHODS[method].apply(tiny).replace(conditioning="projection"))
        train(state, images, 2, labels)
        found = _draw(state, 5000).labels
        assert found is not None
        drawn.append(found)
    assert torch.equal(*drawn)
    # Five standard deviations of a binomial count.
    assert (drawn[0].bincount(minlength=NUM_CLASSES) - 1000).abs().max() < 5 * (5000 * 0.2 * 0.8) ** 0.5


@pytest.mark.parametrize("method", ["sn", "wgan-gp", "batch-norm", "r1"])
@pytest.mark.parametrize("conditioning", CONDITIONS)
def test_resume_is_bit_exact(
    conditioning: str, method: str, tiny: TrialConfig, images: NDArray[np.uint8], labels: NDArray[np.int64]
) -> None:
    config = METHODS[method].apply(tiny).replace(conditioning=conditioning)
    whole = start(config)
    train(whole, images, 7, labels)
    first = start(config)
    train(first, images, 3, labels)
    buffer = io.BytesIO()
    torch.save(first.state_dict(), buffer)
    buffer.seek(0)
    second = start(config)
    second.load_state_dict(torch.load(buffer, weights_only=True))
    train(second, images, 7, labels)
    for one, other in ((whole.generator, second.generator), (whole.discriminator, second.discriminator)):
        theirs = other.state_dict()
        assert all(torch.equal(value, theirs[key]) for key, value in one.state_dict().items())
    assert torch.equal(whole.sums, second.sums)
    assert all(torch.equal(whole.streams[k].get_state(), second.streams[k].get_state()) for k in whole.streams)


def test_joint_and_separate_forwards_agree(
    tiny: TrialConfig, images: NDArray[np.uint8], labels: NDArray[np.int64]
) -> None:
    for conditioning in CONDITIONS:
        means = []
        for forward in ("joint", "separate"):
            state = start(METHODS["sn"].apply(tiny).replace(discriminator_forward=forward, conditioning=conditioning))
            train(state, images, 1, labels)
            means.append(state.means())
        assert means[0] == pytest.approx(means[1], abs=1e-5)


def test_reused_draws_keep_their_classes(
    tiny: TrialConfig, images: NDArray[np.uint8], labels: NDArray[np.int64], monkeypatch
) -> None:
    state = start(tiny.replace(conditioning="projection", generator_latents="reused"))
    made: list[tuple[Tensor, Tensor]] = []
    forward = state.generator.forward

    def making(z: Tensor, y: Tensor) -> Tensor:
        made.append((z, y))
        return forward(z, y)

    monkeypatch.setattr(state.generator, "forward", making)
    train(state, images, 1, labels)
    assert torch.equal(made[-1][0], made[-2][0])
    assert torch.equal(made[-1][1], made[-2][1])


def test_the_classifier_learns_to_tell_classes(
    tiny: TrialConfig, images: NDArray[np.uint8], labels: NDArray[np.int64]
) -> None:
    config = METHODS["sn"].apply(tiny).replace(
        conditioning="auxiliary-classifier", discriminator_init="glorot", alpha=2e-3, updates=60
    )  # fmt: skip
    state = start(config)
    train(state, images, 60, labels)
    x = torch.from_numpy(images).float() / 127.5 - 1
    told = state.discriminator.judge(x).class_logits.argmax(1)
    assert (told == torch.from_numpy(labels)).float().mean() > 0.6, "chance is 0.2"


def test_generated_images_have_classes_of_their_own_stream_or_the_one_asked_for(tiny: TrialConfig) -> None:
    state = start(tiny.replace(conditioning="concat", generator_init="glorot"))
    with torch.no_grad():
        for module in state.generator.modules():
            if isinstance(module, BatchNorm):
                module.gains.normal_(generator=torch_stream(0, "latent"))
    one, again = (torch.cat(list(generate(state, 30, batch_size=10))) for _ in range(2))
    assert torch.equal(one, again)
    of_class = [torch.cat(list(generate(state, 30, label=label))) for label in (0, 1)]
    assert not torch.equal(*of_class)
    z = torch.randn(30, 8, generator=torch_stream(0, "evaluation", 0, 1))
    state.generator.eval()
    expected = state.generator(z, torch.full((30,), 1))
    torch.testing.assert_close(of_class[1].float(), (expected.detach() + 1) * 127.5, atol=0.51, rtol=0)


@pytest.mark.parametrize(
    ("num_classes", "label", "expected"), [(None, 0, "unconditional"), (5, 5, "0 to 4"), (5, -1, "0 to 4")]
)
def test_a_class_that_is_not_there_is_refused(
    num_classes: int | None, label: int, expected: str, tiny: TrialConfig
) -> None:
    state = start(tiny.replace(conditioning="none" if num_classes is None else "projection"), num_classes)
    with pytest.raises(InputError, match=expected):
        next(generate(state, 4, label=label))


@pytest.mark.parametrize(("num_classes", "side"), [(2, 8), (8, 8), (10, 10), (16, 16), (17, 8), (1000, 8)])
def test_the_grid_has_a_column_per_class_where_they_fit(
    num_classes: int, side: int, tiny: TrialConfig, tmp_path
) -> None:
    state = start(tiny.replace(conditioning="projection", generator_init="glorot"), num_classes)
    shown: list[tuple[Tensor, Tensor]] = []
    forward = state.generator.forward
    state.generator.forward = lambda z, y: (shown.append((z, y)), forward(z, y))[1]
    assert save_grid(state, tmp_path / "grid.png")
    with Image.open(tmp_path / "grid.png") as picture:
        assert picture.size == (3 * (side * 9 + 1),) * 2
    z, y = shown[0][0].view(side, side, -1), shown[0][1].view(side, side)
    assert all(torch.equal(z[:, 0], z[:, column]) for column in range(side)), "one latent per row"
    assert 0 <= y.min() <= y.max() < num_classes
    if num_classes <= side:
        assert (y == torch.arange(side) % num_classes).all()
    else:
        assert len(y.unique()) == min(num_classes, side**2)


def test_a_trial_from_start_to_checkpoint(tiny: TrialConfig, options: RunOptions) -> None:
    """Digits have ten classes; a killed trial goes on exactly, and its checkpoint is measured again."""
    config = METHODS["sn"].apply(tiny).replace(conditioning="projection", architecture="small-resnet")
    seen: list[Evaluation] = []
    outcome = run_trial(config, dataclasses.replace(options, storage_dir=None), seen.append)
    assert outcome.state == "completed"

    class Stop(Exception):  # noqa: N818 - it is no error
        pass

    def stop(evaluation: Evaluation) -> None:
        raise Stop

    with pytest.raises(Stop):
        run_trial(config, options, stop)
    resumed: list[Evaluation] = []
    run_trial(config, options, resumed.append)
    assert [e.scores[0].value for e in resumed] == [e.scores[0].value for e in seen]
    assert resumed[-1].samples is not None
    path = options.storage_dir / "checkpoints" / config.digest / "state.pt"
    (score,) = evaluate_checkpoint(path, config.protocols, options)
    assert score.value == seen[-1].scores[0].value


def test_training_images_without_labels_are_refused_before_training(
    tiny: TrialConfig, options: RunOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A set may have labelled test images only: STL-10's training images have none."""
    digits = open_dataset("digits", cache_dir=options.cache_dir)
    unlabelled = dataclasses.replace(digits.splits["train"], labels=None)
    without = dataclasses.replace(digits, splits={**digits.splits, "train": unlabelled})
    monkeypatch.setattr("sngan.inputs.open_dataset", lambda *args, **kwargs: without)
    with pytest.raises(InputError, match="the training images of data set 'digits' have no labels"):
        describe_inputs(tiny.replace(conditioning="projection"), options)
    entry = dataclasses.replace(DATASETS["digits"], num_classes=None)
    monkeypatch.setitem(DATASETS._entries, "digits", entry)
    with pytest.raises(InputError, match="have no labels"):
        check_names(tiny.replace(conditioning="concat"), "cpu", options.cache_dir)
    with pytest.raises(InputError, match="auxiliary-classifier, concat, none, projection"):
        TrialConfig.from_dict({"conditioning": "acgan"})
