"""The pages of the app, in the order of the menu."""

from collections.abc import Callable
from dataclasses import dataclass

from dashboards.app import compare, inside, landscape, now, samples, trial, verdicts
from dashboards.app.library import Snapshot


@dataclass(frozen=True, kw_only=True)
class Page:
    """name : in the address. explanation : what it shows, in two sentences."""

    name: str
    title: str
    icon: str
    explanation: str
    show: Callable[[Snapshot], None]


PAGES = (
    Page(
        name="now",
        title="Now",
        icon=":material/grid_view:",
        explanation="Every method at every setting: its median score over the seeds that have a result, and how many "
        "have one. The page follows a sweep that runs.",
        show=now.show,
    ),
    Page(
        name="verdicts",
        title="Verdicts",
        icon=":material/gavel:",
        explanation="Each claim of the papers with the effect that was found, its interval, and what follows. The "
        "runs that stand behind a verdict are one click away.",
        show=verdicts.show,
    ),
    Page(
        name="compare",
        title="Compare",
        icon=":material/compare_arrows:",
        explanation="Any methods against each other, at any settings, seeds and protocol. Runs that diverged count as "
        "the worst; missing ones count nowhere.",
        show=compare.show,
    ),
    Page(
        name="landscape",
        title="Landscape",
        icon=":material/terrain:",
        explanation="Where in learning rate, momenta and n_dis each method works. A method works where its median "
        "score is above the threshold that you set.",
        show=landscape.show,
    ),
    Page(
        name="inside",
        title="Inside",
        icon=":material/layers:",
        explanation="What went on in the discriminators: singular values, norms, gradients and variances, layer by "
        "layer. They were recorded while the networks were trained, and changed nothing.",
        show=inside.show,
    ),
    Page(
        name="samples",
        title="Samples",
        icon=":material/image:",
        explanation="What the generators draw, with the same latents in the same places for every method. Move the "
        "slider to see how the images came about.",
        show=samples.show,
    ),
    Page(
        name="trial",
        title="Trial",
        icon=":material/science:",
        explanation="One training run: its curve, its images, its config and where it ran. The command at the end "
        "repeats it.",
        show=trial.show,
    ),
)
