"""The pages of the app, in the order of the menu."""

from collections.abc import Callable
from dataclasses import dataclass

from dashboards.app import compare, desk, inside, landscape, now, samples, trial, verdicts
from dashboards.app.snapshots import Snapshot


@dataclass(frozen=True, kw_only=True)
class Page:
    """title : also in addresses. explanation : what it shows, in two sentences. choose : draws the choices of the page;
    what it returns draws what was chosen.
    """

    title: str
    explanation: str
    choose: Callable[[Snapshot], desk.Drawing]


PAGES = (
    Page(
        title="Now",
        explanation="Every method at every setting: its median score over the seeds that have a result, and how many "
        "have one. The page follows a sweep that runs.",
        choose=now.choose,
    ),
    Page(
        title="Verdicts",
        explanation="Each claim of the papers with the effect that was found, its interval, and what follows. The "
        "runs that stand behind a verdict are one click away.",
        choose=verdicts.choose,
    ),
    Page(
        title="Compare",
        explanation="Any methods against each other, at any settings, seeds and protocol. Runs that diverged count as "
        "the worst; missing ones count nowhere.",
        choose=compare.choose,
    ),
    Page(
        title="Landscape",
        explanation="Where in learning rate, momenta and n_dis each method works. A method works where its median "
        "score is above the threshold that you set.",
        choose=landscape.choose,
    ),
    Page(
        title="Inside",
        explanation="What went on in the discriminators: singular values, norms, gradients and variances, layer by "
        "layer. They were recorded while the networks were trained, and changed nothing.",
        choose=inside.choose,
    ),
    Page(
        title="Samples",
        explanation="What the generators draw, with the same latents in the same places for every method. Move the "
        "slider to see how the images came about.",
        choose=samples.choose,
    ),
    Page(
        title="Trial",
        explanation="One training run: its curve, its images, its config and where it ran. The command at the end "
        "repeats it.",
        choose=trial.choose,
    ),
)
