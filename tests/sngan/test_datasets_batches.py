"""Batches are an endless sequence of permutations, as a function of (seed, index); bytes survive the round trip."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from sngan.datasets.batches import batch_indices, to_uint8, to_unit_range
from sngan.seeding import numpy_stream, torch_stream

SHAPES = [(10, 100), (64, 150), (7, 7), (64, 10), (1, 3), (5, 1), (33, 32)]


def sequence(seed: int, batch_size: int, num_images: int, length: int) -> np.ndarray:
    num_batches = -(-length // batch_size)
    batches = [batch_indices(seed, index, batch_size, num_images) for index in range(num_batches)]
    assert all(batch.shape == (batch_size,) and batch.dtype == np.int64 for batch in batches)
    return np.concatenate(batches)[:length]


@pytest.mark.parametrize(("batch_size", "num_images"), SHAPES)
def test_every_epoch_is_a_permutation(batch_size: int, num_images: int) -> None:
    epochs = sequence(3, batch_size, num_images, 4 * num_images).reshape(4, num_images)
    assert np.array_equal(np.sort(epochs, axis=1), np.tile(np.arange(num_images), (4, 1)))


def test_epochs_and_seeds_have_different_orders() -> None:
    orders = [*sequence(0, 20, 100, 300).reshape(3, 100), sequence(1, 20, 100, 100)]
    assert len({tuple(order) for order in orders}) == 4


def test_the_sequence_does_not_depend_on_the_batch_size() -> None:
    assert np.array_equal(sequence(5, 64, 50, 200), sequence(5, 9, 50, 200))


def test_a_batch_straddles_epochs() -> None:
    first, second = (numpy_stream(2, "data", epoch).permutation(50) for epoch in (0, 1))
    assert np.array_equal(batch_indices(2, 1, 30, 50), np.concatenate([first[30:], second[:10]]))


def test_a_batch_is_a_function_of_its_arguments_only() -> None:
    forwards = [batch_indices(4, index, 16, 50) for index in range(40)]
    shuffled = np.random.Generator(np.random.Philox(0)).permutation(40)
    for index in shuffled:
        batch_indices(9, int(index), 8, 50)  # another seed in between, as when trials share a process
        assert np.array_equal(batch_indices(4, int(index), 16, 50), forwards[index])


def test_changing_a_batch_in_place_changes_no_later_one() -> None:
    expected = batch_indices(6, 2, 10, 100).copy()
    batch_indices(6, 2, 10, 100)[:] = -1
    assert np.array_equal(batch_indices(6, 2, 10, 100), expected)


def test_order_is_not_the_stored_one_and_has_no_obvious_trend() -> None:
    order = sequence(0, 64, 10_000, 10_000)
    steps = np.array([b > a for a, b in pairwise(order)])
    assert abs(steps.mean() - 0.5) < 0.02
    assert abs(np.corrcoef(order, np.arange(10_000))[0, 1]) < 0.05


def test_bytes_to_the_unit_range_and_back() -> None:
    images = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    values = to_unit_range(images)
    assert values.dtype == torch.float32
    assert values.min() == -1
    assert values.max() == 1
    assert torch.equal(values, images.to(torch.float32) / 127.5 - 1)
    assert torch.equal(to_uint8(values), images)


def test_dequantization_fills_the_gaps_between_bytes() -> None:
    images = torch.full((64, 3, 32, 32), 77, dtype=torch.uint8)
    values = to_unit_range(images, torch_stream(0, "dequantization"))
    position = (values + 1) * 128 - 77  # U[0, 1)
    assert position.min() >= 0
    assert position.max() <= 1
    assert abs(position.mean() - 0.5) < 0.005
    assert abs(position.var() - 1 / 12) < 0.002


def test_dequantized_values_stay_in_range_at_the_ends() -> None:
    stream = torch_stream(1, "dequantization")
    assert to_unit_range(torch.full((10_000,), 255, dtype=torch.uint8), stream).max() <= 1
    assert to_unit_range(torch.zeros(10_000, dtype=torch.uint8), stream).min() >= -1


def test_dequantization_is_drawn_from_its_stream_only() -> None:
    images = torch.arange(48, dtype=torch.uint8).reshape(1, 3, 4, 4)
    first, second = (to_unit_range(images, torch_stream(7, "dequantization")) for _ in range(2))
    assert torch.equal(first, second)
    stream = torch_stream(7, "dequantization")
    to_unit_range(images, stream)
    assert not torch.equal(to_unit_range(images, stream), first)


def test_to_uint8_rounds_to_the_nearest_and_clamps() -> None:
    values = torch.tensor([-3.0, -1.0, -1 + 0.49 / 127.5, -1 + 0.51 / 127.5, 0.999, 1.0, 1.4])
    assert to_uint8(values).tolist() == [0, 0, 0, 1, 255, 255, 255]
