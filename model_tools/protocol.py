"""The networks that every published figure comes from: which there are, and how each is made.

Listed in advance: five official folds and three seeds for each recipe, five rotations of left-out
classes for the open set, and the default model on all folds. Every network that is listed is reported.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from aed_daemon.manifest import load_manifest
from model_tools.training.material import HeldOut
from model_tools.training.recipe import DISTILLED, PRETRAINED, SCRATCH, TrainRecipe
from model_tools.training.run_folder import WEIGHTS, digest, read_config

FOLDS = (1, 2, 3, 4, 5)
SEEDS = (1, 2, 3)

ROTATIONS = (
    ("dog", "rain", "sea_waves"),
    ("crying_baby", "clock_tick", "helicopter"),
    ("sneezing", "chainsaw", "crackling_fire"),
    ("rooster", "rain", "clock_tick"),
    ("helicopter", "dog", "sneezing"),
)
"""Classes that are strangers to a network; the n-th rotation leaves out fold n as well."""


@dataclass(frozen=True)
class Job:
    """One network.

    Attributes
    ----------
    name : str
        Of its run folder under runs/ and its model under evaluation/.
    held_out : HeldOut
        What it does not see.
    recipe : TrainRecipe
        How it is trained.
    pretrained : bool
        Whether it starts from the pretrained backbone.
    teachers : tuple of str
        Names of the jobs whose networks teach it.
    deployed : bool
        Whether it is measured as deployed, for which it gets thresholds of its own.
    """

    name: str
    held_out: HeldOut
    recipe: TrainRecipe
    pretrained: bool = False
    teachers: tuple[str, ...] = ()
    deployed: bool = False

    @property
    def peers(self) -> list[str]:
        """Names of the networks whose left-out clips its thresholds are chosen by, if it gets any."""
        if not self.deployed:
            return []
        seed = self.recipe.seed
        return [f"distilled/fold{fold}-seed{seed}" for fold in FOLDS if fold != self.held_out.fold]

    @property
    def run(self) -> Path:
        """Its run folder."""
        return Path("runs") / self.name

    @property
    def model(self) -> Path:
        """Its int8 model."""
        if self.name == DEFAULT:
            return Path("aed_daemon/models/yamnet256-esc10.tflite")
        return Path("evaluation") / f"{self.name}.tflite"

    @property
    def trained(self) -> bool:
        """Whether its run is there and finished, by this recipe and without what it must not see."""
        if not (self.run / WEIGHTS).exists():
            return False
        config = read_config(self.run)
        return digest(config["recipe"]) == self.digest and HeldOut.from_config(config) == self.held_out

    @property
    def digest(self) -> str:
        """What tells its recipe from another, seed included."""
        return digest(asdict(self.recipe))

    @property
    def quantized(self) -> bool:
        """Whether its model is there, and says that it is by this recipe and left out the same."""
        if not self.model.exists():
            return False
        manifest = load_manifest(self.model)
        told: dict[str, str] = manifest.metrics.get("recipe", {})
        return (manifest.provenance.held_out, told.get("sha256")) == (str(self.held_out), self.digest)

    @property
    def made(self) -> bool:
        """Whether nothing is left to do for it."""
        return self.quantized and (not self.deployed or "calibration" in load_manifest(self.model).metrics)


DEFAULT = "default/all-seed1"

FALSE_ALARMS_PER_HOUR = 4.0
"""Of sound in which no class sounds, without a pause."""


def jobs() -> list[Job]:
    """Return all networks, teachers before those whom they teach."""
    listed = []
    for seed in SEEDS:
        places = {fold: f"fold{fold}-seed{seed}" for fold in FOLDS}
        if seed == 1:
            places[0] = "all-seed1"
        recipe = replace(PRETRAINED, seed=seed)
        for fold, place in places.items():
            listed.append(Job(f"pretrained/{place}", HeldOut(fold), recipe, pretrained=True))
        recipe = replace(SCRATCH, seed=seed)
        listed += [Job(f"scratch/{place}", HeldOut(fold), recipe) for fold, place in places.items()]
        # Last, so that several at once do not wait for their teachers.
        for fold, place in places.items():
            name, recipe = f"distilled/{place}" if fold else DEFAULT, replace(DISTILLED, seed=seed)
            teachers = (f"pretrained/{place}", f"scratch/{place}")
            listed.append(Job(name, HeldOut(fold), recipe, teachers=teachers, deployed=True))
    for number, strangers in enumerate(ROTATIONS, start=1):
        held_out = HeldOut(fold=number, slugs=strangers)
        listed.append(Job(f"openset/rotation{number}", held_out, SCRATCH))
    return listed


def commands(job: Job, options: list[str], backbone: Path) -> list[list[str]]:
    """Return the arguments of `model-tools` that make what is missing of a network but its thresholds.

    Parameters
    ----------
    options : list of str
        Where data and cache are, for all of them.
    backbone : Path
        The pretrained weights.
    """
    train = ["train", "--run", str(job.run), "--fold", str(job.held_out.fold), *options]
    train += ["--seed", str(job.recipe.seed)]
    if job.held_out.slugs:
        train += ["--leave-out", *job.held_out.slugs]
    if job.pretrained:
        train += ["--weights", str(backbone)]
    if job.teachers:
        train += ["--teachers", *(str(Path("runs") / teacher) for teacher in job.teachers)]
    quantize = ["quantize", str(job.run), "--out", str(job.model), *options]
    if job.name != DEFAULT:
        quantize.append("--keep-float")
    if job.quantized:
        return []
    return [quantize] if job.trained else [train, quantize]


def calibration(job: Job, options: list[str]) -> list[str]:
    """Return the arguments of `model-tools` that give a network its thresholds."""
    peers = [str(other.model) for other in jobs() if other.name in job.peers]
    budget = ["--false-alarms-per-hour", f"{FALSE_ALARMS_PER_HOUR:g}", "--best-effort"]
    return ["calibrate", str(job.model), *budget, "--peers", *peers, *options]
