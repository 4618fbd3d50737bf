"""How often the gate lets in a candidate that is not better, and one that is: sites simulated patient by patient.

    python benchmarks/gate_curves.py [--resamples 10000] [--seed 13] [--figure FILE.svg]
    python benchmarks/gate_curves.py --gains FILE.json [--gains FILE.json ...]

A site collects corrected patients up to 32, three frames each, and the gate looks at 4, 8, 16 and 32 of them; earlier
patients stay in. Printed are tables in Markdown: the share of sites at which a candidate is ever let in, for shapes of
gain with mean zero and for true gains, beside the rule before this one (mean gain over the frames of a quarter of
the patients above one standard error, after every 10 corrections) and beside other tests at the same levels.

FILE.json is a list of {"patient": ..., "gain": [0.02, ...]} with the gain of each frame (0.01 is one point), for
example of real learning runs. Its patients are drawn with replacement; its null is the same with a random sign for
each patient.
"""

import argparse
import itertools
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cmr_viewer.domain.anatomy import STRUCTURES, Region
from cmr_viewer.domain.role import Role
from cmr_viewer.promote.gains import CLASSIFIER_CLIP, CLIP, p_value
from cmr_viewer.promote.gate import (
    LEAST_GAIN,
    LOOKS,
    LOSS_LEVEL,
    SPENT,
    Assessment,
    JudgedFrame,
    decide,
    level_of,
)

Array = NDArray[np.float64]
PATIENTS = LOOKS[-1]
FRAMES = 3
CLASSIFIER_FRAMES = 20

OLD_EVERY = 10
"""The rule before: corrected frames between two looks."""
OLD_SHARE = 0.25
"""The share of the patients that judged."""


@dataclass(frozen=True, eq=False)
class Sites:
    """Sums over the frames of each patient, (site, patient), labels (site, patient, label)."""

    clipped: Array
    mean: Array
    total: Array
    squares: Array
    count: Array
    labels_clipped: Array | None = None
    labels_total: Array | None = None
    clip: float = CLIP


def of_frames(gains: Array, rng: np.random.Generator) -> Sites:
    """Sites from (site, patient, frame) gains; each label deviates from its frame by 3 points, all labels by zero."""
    apart = 0.03 * rng.standard_normal((*gains.shape, 3))
    labels = gains[..., None] + apart - apart.mean(axis=-1, keepdims=True)
    return Sites(
        np.clip(gains, -CLIP, CLIP).mean(axis=2),
        gains.mean(axis=2),
        gains.sum(axis=2),
        (gains**2).sum(axis=2),
        np.full(gains.shape[:2], gains.shape[2], dtype=float),
        np.clip(labels, -CLIP, CLIP).mean(axis=2),
        labels.sum(axis=2),
    )


def of_regions(gains: Array) -> Sites:
    """Sites of a classifier, from (site, patient, frame) gains of -1, 0 and 1."""
    mean = gains.mean(axis=2)
    count = np.full(mean.shape, gains.shape[2], dtype=float)
    squares = (gains**2).sum(axis=2)
    return Sites(
        np.clip(mean, -CLASSIFIER_CLIP, CLASSIFIER_CLIP), mean, gains.sum(axis=2), squares, count, clip=CLASSIFIER_CLIP
    )


def of_file(path: Path, sites: int, rng: np.random.Generator, signs: bool) -> Sites:
    """Sites drawn from the patients of a file, with replacement."""
    patients = [np.asarray(entry["gain"], dtype=np.float64) for entry in json.loads(path.read_text("utf-8"))]
    drawn = rng.integers(len(patients), size=(sites, PATIENTS))
    sign = rng.choice((-1.0, 1.0), size=drawn.shape) if signs else np.ones(drawn.shape)

    def taken(of: Callable[[Array], float]) -> Array:
        return np.array([of(gains) for gains in patients])[drawn]

    return Sites(
        sign * taken(lambda g: float(np.clip(g, -CLIP, CLIP).mean())),
        sign * taken(lambda g: float(g.mean())),
        sign * taken(lambda g: float(g.sum())),
        taken(lambda g: float((g**2).sum())),
        taken(lambda g: float(g.size)),
    )


# --- shapes of gain: (site, patient, frame) -------------------------------------------------------------------------


def ranks(rng: np.random.Generator, sites: int, within: float, frames: int = FRAMES) -> Array:
    """Uniform numbers of frames whose normal scores correlate within a patient."""
    shared, own = rng.standard_normal((sites, PATIENTS, 1)), rng.standard_normal((sites, PATIENTS, frames))
    made: Array = stats.norm.cdf(np.sqrt(within) * shared + np.sqrt(1 - within) * own)
    return made


def normal(u: Array, mean: float, sd: float) -> Array:
    made: Array = mean + sd * stats.norm.ppf(u)
    return made


def base(rng: np.random.Generator, n: int, part: float = 1.0, small: bool = True) -> Array:
    """Like the base specialist measured on another vendor: +5.9 points, SE 1.7 of 60; 13 of 202 frames fill."""
    gains = normal(ranks(rng, n, 0.1), 0.014 * part if small else 0.0, 0.03)
    gains = gains + np.where(ranks(rng, n, 0.3) > 1 - 0.064 * part, 0.75, 0.0)
    return gains - np.where(rng.random(gains.shape) < 0.005, 0.4, 0.0)


def sparse(u: Array, rng: np.random.Generator) -> Array:
    return np.where(u > 0.97, 0.7, np.where(u < 0.03, -0.7, 0.0)) + 0.015 * rng.standard_normal(u.shape)


def skewed(u: Array, rng: np.random.Generator, share: float, gain: float) -> Array:
    """Most frames gain, a share loses what makes the mean zero."""
    return np.where(u > 1 - share, -gain * (1 - share) / share, gain) + 0.01 * rng.standard_normal(u.shape)


def regions(rng: np.random.Generator, n: int, right: float, wrong: float) -> Array:
    u = ranks(rng, n, 0.2, CLASSIFIER_FRAMES)
    return np.where(u > 1 - right, 1.0, np.where(u < wrong, -1.0, 0.0))


def folds(rng: np.random.Generator, n: int, apart: float) -> Array:
    """The models of four folds differ in truth; patients of a fold are judged by the same one."""
    effects = apart * rng.standard_normal((n, 4, 1))
    return normal(ranks(rng, n, 0.1), 0, 0.03) + effects[:, np.arange(PATIENTS) % 4]


def one_slice(rng: np.random.Generator, n: int) -> Array:
    gains = regions(rng, n, 0.02, 0.02)
    gains[:, :, :2] = np.where(rng.random((n, PATIENTS, 1)) < 0.8, 1.0, 0.0)
    return gains


Shape = Callable[[np.random.Generator, int], Array]

NULLS: Mapping[str, Callable[[float], Shape]] = {
    "small, normal, SD 3": lambda w: lambda r, n: normal(ranks(r, n, w), 0, 0.03),
    "large, normal, SD 10": lambda w: lambda r, n: normal(ranks(r, n, w), 0, 0.10),
    "heavy tails, t with 2 df": lambda w: lambda r, n: 0.02 * stats.t.ppf(ranks(r, n, w), 2),
    "3 % of frames +70, 3 % -70, others SD 1.5": lambda w: lambda r, n: sparse(ranks(r, n, w), r),
    "many -1.25, 20 % +5 (0 clipped)": lambda w: lambda r, n: np.where(ranks(r, n, w) > 0.8, 0.05, -0.0125),
    "many +1.25, 20 % -5 (0 clipped)": lambda w: lambda r, n: np.where(ranks(r, n, w) > 0.8, -0.05, 0.0125),
    "many +0.6, 10 % -5 (0 clipped)": lambda w: lambda r, n: np.where(ranks(r, n, w) > 0.9, -0.05, 0.05 / 9),
    "many +2.1, 30 % -5 (0 clipped)": lambda w: lambda r, n: np.where(ranks(r, n, w) > 0.7, -0.05, 0.15 / 7),
    "many -1, 6.5 % +14 (0 unclipped)": lambda w: lambda r, n: -skewed(ranks(r, n, w), r, 0.065, 0.01),
    "many -2, 3 % +65 (0 unclipped)": lambda w: lambda r, n: -skewed(ranks(r, n, w), r, 0.03, 0.02),
}

RARE_LOSSES: Mapping[str, Shape] = {
    "many +1, 6.5 % -14": lambda r, n: skewed(ranks(r, n, 0.1), r, 0.065, 0.01),
    "many +2, 3 % -65": lambda r, n: skewed(ranks(r, n, 0.1), r, 0.03, 0.02),
    "many +0.7, 1 % -69": lambda r, n: skewed(ranks(r, n, 0.1), r, 0.01, 0.007),
}

FOLDS: Mapping[str, Shape] = {
    "small, normal, SD 3; folds apart by 0.25": lambda r, n: folds(r, n, 0.0025),
    "small, normal, SD 3; folds apart by 0.5": lambda r, n: folds(r, n, 0.005),
}

GAINS: Mapping[str, Shape] = {
    "base as measured, +5.9": base,
    "half of it, +3.0": lambda r, n: base(r, n, 0.5),
    "only its empty frames fill, +4.6": lambda r, n: base(r, n, small=False),
    "apex, +2.2, normal": lambda r, n: normal(ranks(r, n, 0.1), 0.022, 0.071),
    "apex, +2.2, heavy tails": lambda r, n: 0.022 + 0.04 * stats.t.ppf(ranks(r, n, 0.1), 3),
    "middle, +0.7": lambda r, n: normal(ranks(r, n, 0.1), 0.007, 0.0125),
    "everywhere +1, SD 3": lambda r, n: normal(ranks(r, n, 0.1), 0.010, 0.03),
    "everywhere +2, SD 3": lambda r, n: normal(ranks(r, n, 0.1), 0.020, 0.03),
}

REGIONS: Mapping[str, Shape] = {
    "null: 5 % of frames right, 5 % wrong": lambda r, n: regions(r, n, 0.05, 0.05),
    "null: 15 % of frames right, 15 % wrong": lambda r, n: regions(r, n, 0.15, 0.15),
    "+2: 5 % right, 3 % wrong": lambda r, n: regions(r, n, 0.05, 0.03),
    "+5: 8 % right, 3 % wrong": lambda r, n: regions(r, n, 0.08, 0.03),
    "+8: one basal slice at ED and ES, 4 of 5 patients": one_slice,
}


# --- rules: (site, look) whether it lets the candidate in ------------------------------------------------------------

Test = Callable[[Array, float], Array]


def lets_in(sites: Sites, looks: tuple[int, ...] = LOOKS, test: Test = p_value) -> NDArray[np.bool_]:
    """The gate at a series of looks, with its vetoes, as `cmr_viewer.promote.gate.decide`."""
    made = []
    for at, look in enumerate(looks):
        gains = sites.clipped[:, :look]
        good = test(gains, sites.clip) <= level_of(look, looks[:at])
        good &= (gains.mean(axis=1) >= LEAST_GAIN) & (sites.mean[:, :look].mean(axis=1) > 0)
        if sites.labels_clipped is not None:
            losses = -np.moveaxis(sites.labels_clipped[:, :look], 1, 2)
            loses = (p_value(losses, sites.clip) <= LOSS_LEVEL) & (losses.mean(axis=2) >= LEAST_GAIN)
            good &= ~loses.any(axis=1)
        made.append(good)
    return np.stack(made, axis=1)


def old_lets_in(sites: Sites, rng: np.random.Generator) -> tuple[list[int], NDArray[np.bool_]]:
    """The rule before: patients at its looks, and (site, look)."""
    held = rng.random(sites.mean.shape) < OLD_SHARE
    corrected = sites.count.cumsum(axis=1).mean(axis=0)
    looks = sorted({int(np.searchsorted(corrected, k)) + 1 for k in np.arange(OLD_EVERY, corrected[-1], OLD_EVERY)})
    made = []
    for look in looks:
        judge = held[:, :look]
        count = (sites.count[:, :look] * judge).sum(axis=1)
        frames = np.maximum(count, 2)
        mean = (sites.total[:, :look] * judge).sum(axis=1) / frames
        variance = ((sites.squares[:, :look] * judge).sum(axis=1) - frames * mean**2) / (frames - 1)
        good = (judge.sum(axis=1) >= 2) & (count >= 6) & (mean >= 0.005)
        good &= mean > np.sqrt(np.maximum(variance, 0) / frames)
        if sites.labels_total is not None:
            labels = (sites.labels_total[:, :look] * judge[..., None]).sum(axis=1) / frames[:, None]
            good &= (labels >= -0.01).all(axis=1)
        made.append(good)
    return looks, np.stack(made, axis=1)


def t_test(gains: Array, _: float) -> Array:
    spread = np.maximum(gains.std(axis=1, ddof=1), 1e-9)
    p: Array = stats.t.sf(gains.mean(axis=1) / spread * np.sqrt(gains.shape[1]), gains.shape[1] - 1)
    return p


def floored_t_test(gains: Array, _: float) -> Array:
    spread = np.maximum(gains.std(axis=1, ddof=1), 0.01)
    p: Array = stats.t.sf(gains.mean(axis=1) / spread * np.sqrt(gains.shape[1]), gains.shape[1] - 1)
    return p


def signed_rank(gains: Array, _: float) -> Array:
    method = "exact" if gains.shape[1] <= 16 else "asymptotic"
    p: Array = stats.wilcoxon(gains, axis=1, alternative="greater", method=method).pvalue
    return p


TESTS: Mapping[str, Test] = {
    "the gate's": p_value,
    "Student's t": t_test,
    "t, SD at least 1 point": floored_t_test,
    "signed rank": signed_rank,
}

ALL_SERIES = [looks for size in range(1, 5) for looks in itertools.combinations(LOOKS, size)]


def check_against_decide(gains: Array, sites: Sites) -> int:
    """Compare the gate here with `decide`, on sites whose labels are all equal to their frame; the number compared."""
    compared = 0
    for site, at in itertools.product(range(gains.shape[0]), range(len(LOOKS))):
        frames = tuple(
            JudgedFrame(
                f"p{patient}",
                "s",
                0,
                index,
                Region.BASE,
                dict.fromkeys((label.name for label in STRUCTURES), 0.0),
                dict.fromkeys((label.name for label in STRUCTURES), float(gains[site, patient, index])),
                {},
                {},
            )
            for patient in range(LOOKS[at])
            for index in range(gains.shape[2])
        )
        decision = decide(Assessment(Role.BASE, "new", "old", "Dice", frames, ()), LOOKS[:at])
        if decision.promote != bool(lets_in(sites)[site, at]):
            raise SystemExit(f"The gate here differs from decide: site {site}, {LOOKS[at]} patients, {decision.reason}")
        compared += 1
    return compared


# --- tables ---------------------------------------------------------------------------------------------------------


def ever(good: NDArray[np.bool_]) -> float:
    return float(good.any(axis=1).mean())


def row(name: str, *cells: object) -> None:
    print("|", " | ".join([name, *(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in cells)]), "|")


def head(*cells: str) -> None:
    print()
    print("|", " | ".join(cells), "|")
    print("|" + "---|" * len(cells))


def null_row(name: str, sites: Sites, rng: np.random.Generator) -> tuple[float, float]:
    good = lets_in(sites)
    series = {looks: ever(lets_in(sites, looks)) for looks in ALL_SERIES}
    worst = max(series, key=lambda looks: series[looks])
    fresh = 1 - float(np.prod(1 - good.mean(axis=0)))
    old = ever(old_lets_in(sites, rng)[1])
    row(name, ever(good), fresh, series[worst], ", ".join(map(str, worst)), old)
    return ever(good), old


def gain_row(name: str, sites: Sites, rng: np.random.Generator) -> list[float]:
    good = lets_in(sites)
    by = [ever(good[:, : k + 1]) for k in range(len(LOOKS))]
    looks, old = old_lets_in(sites, rng)
    old_16 = ever(old[:, [k for k, look in enumerate(looks) if look <= 16]])
    mean, error = 100 * float(sites.mean.mean()), 100 * float(sites.mean.std()) / np.sqrt(60)
    measured = f"{mean:+.1f} +- {error:.1f}"
    row(name, measured, f"{100 * sites.clipped.mean():+.2f}", f"{100 * (sites.mean > 0).mean():.0f} %", *by, old_16)
    return by


NULL_HEAD = ("shape (mean 0)", "ever let in", "independent looks", "worst series", "its looks", "old rule")
GAIN_HEAD = ("shape", "gain +- SE of 60", "clipped", "patients better", "by 4", "by 8", "by 16", "by 32", "old by 16")


def simulate(count: int, seed: int) -> tuple[dict[str, tuple[float, float]], dict[str, list[float]]]:
    """Print all tables of simulated shapes; what the figure shows."""
    rng = np.random.default_rng(seed)
    nulls, gains = {}, {}
    print(f"Looks {LOOKS}, spent {dict(SPENT)}; {count} sites for each row, seed {seed}")
    head(*NULL_HEAD)
    for name, shape in NULLS.items():
        for within in (0.1, 0.3):
            label = f"{name}, within {within}"
            nulls[label] = null_row(label, of_frames(shape(within)(rng, count), rng), rng)
    head(*GAIN_HEAD)
    for name, of in GAINS.items():
        gains[name] = gain_row(name, of_frames(of(rng, count), rng), rng)
    head(*GAIN_HEAD)
    for name, of in RARE_LOSSES.items():
        gain_row(name, of_frames(of(rng, count), rng), rng)
    head(*GAIN_HEAD)
    for name, of in REGIONS.items():
        gain_row(name, of_regions(of(rng, count)), rng)
    compare_tests(count, rng)
    head(*NULL_HEAD)
    for name, of in FOLDS.items():
        null_row(name, of_frames(of(rng, count), rng), rng)
    flat = [base(rng, 25), NULLS["large, normal, SD 10"](0.3)(rng, 25), GAINS["everywhere +1, SD 3"](rng, 25)]
    compared = sum(check_against_decide(made, _equal_labels(made)) for made in flat)
    print(f"\n{compared} decisions here and of cmr_viewer.promote.gate.decide are the same.")
    return nulls, gains


def _equal_labels(gains: Array) -> Sites:
    clipped, total = np.clip(gains, -CLIP, CLIP).mean(axis=2), gains.sum(axis=2)
    count = np.full(total.shape, gains.shape[2], dtype=float)
    labels = np.repeat(clipped[..., None], 3, axis=2)
    return Sites(clipped, gains.mean(axis=2), total, (gains**2).sum(axis=2), count, labels)


def compare_tests(count: int, rng: np.random.Generator) -> None:
    """The same looks, levels and vetoes with other tests."""
    nulls = {
        f"{name}, within {within}": of_frames(shape(within)(rng, count), rng)
        for name, shape in NULLS.items()
        for within in (0.1, 0.3)
    }
    gains = [of_frames(of(rng, count), rng) for of in (base, GAINS["apex, +2.2, normal"], GAINS["middle, +0.7"])]
    head("test", "worst null, ever let in", "its shape", "base by 16", "apex by 16", "middle by 16")
    for name, test in TESTS.items():
        let = {shape: ever(lets_in(sites, test=test)) for shape, sites in nulls.items()}
        worst = max(let, key=lambda shape: let[shape])
        row(name, let[worst], worst, *(ever(lets_in(sites, test=test)[:, :3]) for sites in gains))


def replay(path: Path, count: int, seed: int) -> None:
    """Print the tables of measured gains."""
    rng = np.random.default_rng(seed)
    entries = json.loads(path.read_text("utf-8"))
    print(f"\n{path.name}: {len(entries)} patients, {sum(len(e['gain']) for e in entries)} frames; {count} sites")
    head(*GAIN_HEAD)
    gain_row("as measured", of_file(path, count, rng, signs=False), rng)
    head(*NULL_HEAD)
    null_row("random sign for each patient", of_file(path, count, rng, signs=True), rng)


def draw(path: Path, nulls: Mapping[str, tuple[float, float]], gains: Mapping[str, list[float]]) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "gate"
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
    names = sorted(nulls, key=lambda name: nulls[name][0])
    left.barh(names, [nulls[name][1] for name in names], color="#c8ccd2", label="old rule")
    left.barh(names, [nulls[name][0] for name in names], color="#2a6fb0", height=0.5, label="gate")
    left.axvline(0.10, color="black", linewidth=0.8, linestyle="--")
    left.set(title="Ever let in without a gain, up to 32 patients", xlim=(0, 0.6))
    left.tick_params(axis="y", labelsize=6)
    left.legend(loc="lower right", fontsize=8)
    for name, by in gains.items():
        right.plot(LOOKS, by, marker="o", label=name)
    right.set(title="Let in with a true gain", xlabel="patients so far", ylim=(0, 1.02), xscale="log")
    right.set_xticks(LOOKS, [str(look) for look in LOOKS])
    right.minorticks_off()
    right.legend(fontsize=7)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resamples", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--gains", type=Path, action="append", default=[])
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    for path in options.gains:
        replay(path, options.resamples, options.seed)
    if not options.gains:
        nulls, gains = simulate(options.resamples, options.seed)
        if options.figure:
            draw(options.figure, nulls, gains)


if __name__ == "__main__":
    main()
