"""One file per figure: `prepare` gives frozen data, `draw` a chart. The one door to Altair and vl-convert."""

from dashboards.figures.base import FIGURES as FIGURES
from dashboards.figures.base import Drawing as Drawing
from dashboards.figures.base import Figure as Figure
from dashboards.figures.base import FigureData as FigureData
from dashboards.figures.frames import StudyFrames as StudyFrames
from dashboards.figures.rendering import save as save
