"""Data sets: a catalog with one file per entry, and the user's own; prepared once, then memory-mapped."""

from sngan.datasets.base import DATASETS as DATASETS
from sngan.datasets.base import Dataset as Dataset
from sngan.datasets.base import DatasetEntry as DatasetEntry
from sngan.datasets.base import ImageSplit as ImageSplit
from sngan.datasets.base import Progress as Progress
from sngan.datasets.cache import measured_digest as measured_digest
from sngan.datasets.catalog import find_dataset as find_dataset
from sngan.datasets.catalog import is_user_set as is_user_set
from sngan.datasets.catalog import open_dataset as open_dataset
from sngan.datasets.user import prepare_images as prepare_images
