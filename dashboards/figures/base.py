"""What a figure is: `prepare` turns a study's frames into frozen data, `draw` turns the data into a picture.

A figure file looks numbers up and lays them out; the statistics in it come from sweeps.statistics and sweeps.scores.
Tests look at the data, people at the picture.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, TypeVar

from PIL import Image

from dashboards.figures.frames import StudyFrames
from dashboards.figures.style import Chart
from sngan.registry import Registry

Drawing = Chart | Image.Image


@dataclass(frozen=True, kw_only=True)
class FigureData:
    """What every figure's data says beside its own tables.

    absent : why there is nothing to draw, or "".
    seeds : how many seeds stand behind what is drawn, as a sentence.
    alt_text : what the picture shows, for readers who do not see it.
    """

    absent: str = ""
    seeds: str = ""
    alt_text: str = ""


Data = TypeVar("Data", bound=FigureData)


@dataclass(frozen=True, kw_only=True)
class Figure(ABC, Generic[Data]):
    """One picture of a study; abstract, its subclasses are final.

    name : the key in FIGURES and the stem of its files. title : as the report heads it.
    question : what it answers. reading : how to read it, two sentences.
    marks : what points, ticks, bands and colours stand for.
    """

    name: str
    title: str
    question: str
    reading: str
    marks: str

    @abstractmethod
    def prepare(self, frames: StudyFrames) -> Data:
        """Everything the picture shows, as plain frames and numbers; `absent` is set when that is nothing."""

    @abstractmethod
    def draw(self, data: Data) -> Drawing:
        """An Altair chart with the common theme, or an image; a short note where `data` is absent."""


FIGURES: Registry[Figure[FigureData]] = Registry("figure", package="dashboards.figures")

F = TypeVar("F", bound=Figure)  # type: ignore[type-arg]


def register(figure: F) -> F:
    """Put the figure into the registry under its name and return it."""
    FIGURES.add(figure.name, figure)
    return figure
