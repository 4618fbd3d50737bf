"""What the program computes itself beside what a library computes: time and agreement, as a table in Markdown.

    .venv/bin/python benchmarks/libraries.py [--runs 21] [--only WORD]
    OPENBLAS_NUM_THREADS=2 .venv/bin/python benchmarks/libraries.py --only grid

Frames are 256 x 256 with a made heart of usual size, the same in each run. Times are medians in ms, after one call that
is not counted; a ratio above 1 says that the program's own code is faster. Where that has been replaced, it stands here
as it was. DICOM files are the demo study's, warm. NumPy has one thread, as in the program, unless the environment says
otherwise.

docs/decisions/0021-libraries.md holds the table and what followed from it.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from scipy import interpolate, ndimage, spatial

from cmr_viewer.domain.anatomy import Label

ROOT = Path(__file__).resolve().parent.parent
SHAPE = (256, 256)
SPACING = (1.3, 1.4)


class Case(NamedTuple):
    """One thing that is computed in two ways.

    Attributes:
        what: What is computed.
        ours: The program's own code.
        library: Which function of which library does it.
        theirs: The same by that function.
        agree: How far the results agree, in words, of `ours()` and `theirs()`.
    """

    what: str
    ours: Callable[[], Any]
    library: str
    theirs: Callable[[], Any]
    agree: Callable[[Any, Any], str]


def heart(row: float = 120.0, col: float = 130.0, radius: float = 20.0) -> np.ndarray:
    """A label map with a waving blood pool, a ring of myocardium and a right ventricle beside it."""
    rows, cols = np.mgrid[: SHAPE[0], : SHAPE[1]]
    angle, away = np.arctan2(rows - row, cols - col), np.hypot(rows - row, cols - col)
    edge = radius * (1.0 + 0.1 * np.sin(5 * angle))
    labels = np.zeros(SHAPE, np.uint8)
    labels[np.hypot(rows - row, (cols - col + 1.6 * radius) / 1.2) < 1.3 * radius] = int(Label.RVBP)
    labels[away < edge + 8.0] = int(Label.LVM)
    labels[away < edge] = int(Label.LVBP)
    return labels


def image_of(labels: np.ndarray, seed: int = 0) -> np.ndarray:
    """Bright blood, dark muscle, noise; blurred as by a scanner."""
    grey = np.choose(labels, [90.0, 200.0, 50.0, 180.0])
    noise = np.random.default_rng(seed).normal(0.0, 8.0, labels.shape)
    return ndimage.gaussian_filter(grey, 1.0) + noise


def pixels_differ(a: np.ndarray, b: np.ndarray) -> str:
    return f"{int((np.asarray(a) != np.asarray(b)).sum())} pixels differ"


def largest_difference(a: Any, b: Any) -> str:
    return f"largest difference {float(np.abs(np.asarray(a, float) - np.asarray(b, float)).max()):.2g}"


# -- lines and pixels --------------------------------------------------------------------------------------------------


def outlines() -> Iterator[Case]:
    from skimage import draw, measure, morphology

    from cmr_viewer.domain.polygons import fill_polygon, trace
    from cmr_viewer.review.edit import paint_line
    from cmr_viewer.review.frame_contours import exact_line

    labels = heart()
    pool, wall = labels == int(Label.LVBP), labels == int(Label.LVM)

    def same_points(corners: Any, lines: Any) -> str:
        ours = {tuple(p) for line in corners for p in (line + np.roll(line, -1, axis=0)) / 2}
        theirs = {tuple(p) for line in lines for p in line}
        return f"{len(corners)} and {len(lines)} lines, {len(ours ^ theirs)} of {len(ours)} edges differ"

    yield Case(
        "outlines of a ring, along pixel edges",
        lambda: trace(wall),
        "skimage.measure.find_contours",
        lambda: measure.find_contours(np.pad(wall, 1).astype(np.uint8), 0.5),
        lambda a, b: same_points(a, [line - 1 for line in b]),
    )
    line = exact_line(trace(pool)[0])
    yield Case(
        "pixels inside a contour of 130 points",
        lambda: fill_polygon(line[:, ::-1], SHAPE),
        "skimage.draw.polygon2mask",
        lambda: draw.polygon2mask(SHAPE, line),
        pixels_differ,
    )
    two = [np.array([[r, c], [r + 40, c], [r + 40, c + 40], [r, c + 40]], float) for r, c in ((80, 80), (80, 120))]

    def shared(masks: Sequence[np.ndarray]) -> int:
        return int((masks[0] & masks[1]).sum())

    yield Case(
        "two squares with one side in common, on pixel centres",
        lambda: [fill_polygon(corners[:, ::-1], SHAPE) for corners in two],
        "skimage.draw.polygon2mask",
        lambda: [draw.polygon2mask(SHAPE, corners) for corners in two],
        lambda a, b: f"{shared(a)} pixels in both squares, library {shared(b)}",
    )
    empty = np.zeros(SHAPE, np.uint8)

    def disk() -> np.ndarray:
        mask = np.zeros(SHAPE, bool)
        mask[draw.disk((120.3, 130.4), 6.0, shape=SHAPE)] = True
        return mask

    def dab() -> np.ndarray:
        mask = empty.copy()
        paint_line(empty, (120.3, 130.4), (120.3, 130.4), 6.0, Label.LVBP).apply(mask)
        return mask > 0

    yield Case("one dab of the brush", dab, "skimage.draw.disk", disk, pixels_differ)

    def with_box() -> np.ndarray:
        box = ndimage.find_objects(wall.astype(np.uint8))[0]
        hull = wall.copy()
        hull[box] = morphology.convex_hull_image(wall[box], offset_coordinates=False)
        return hull

    yield Case(
        "convex hull of a mask's pixel centres",
        lambda: qhull_mask(wall),
        "skimage.morphology.convex_hull_image",
        with_box,
        pixels_differ,
    )


def qhull_mask(mask: np.ndarray) -> np.ndarray:
    """The convex hull as the program found it itself: half planes of Qhull's sides."""
    points = np.argwhere(mask & ~ndimage.binary_erosion(mask))
    (row0, col0), (row1, col1) = points.min(axis=0), points.max(axis=0) + 1
    rows, cols = np.mgrid[row0:row1, col0:col1]
    inside = np.ones(rows.shape, bool)
    for along_row, along_col, offset in spatial.ConvexHull(points).equations:
        inside &= along_row * rows + along_col * cols + offset <= 1e-9
    result = mask.copy()
    result[row0:row1, col0:col1] |= inside
    return result


# -- splines -----------------------------------------------------------------------------------------------------------


def splines() -> Iterator[Case]:
    from cmr_viewer.domain.polygons import trace
    from cmr_viewer.review import spline
    from cmr_viewer.review.frame_contours import exact_line

    angle = np.arange(12) / 12 * 2 * np.pi
    clicked = np.stack([120 + 20 * np.sin(angle), 130 + (20 + 3 * np.cos(3 * angle)) * np.cos(angle)], axis=1)
    yield Case(
        "periodic cubic spline through 12 points",
        lambda: solved_spline(clicked),
        "scipy.interpolate.CubicSpline",
        lambda: spline.contour_through(clicked).points,
        lambda a, b: f"farthest apart {float(spatial.cKDTree(a).query(b)[0].max()):.2g} px (points 0.3 px apart)",
    )
    contour = spline.contour_along(exact_line(trace(heart() == int(Label.LVBP))[0]))
    along, knots = spline._along(contour.points), contour.knots

    yield Case(
        f"cubic through {len(knots)} knots while one is dragged",
        lambda: weights(along, knots) @ contour.knot_points,
        "scipy.interpolate.CubicHermiteSpline",
        lambda: spline._cubic(along, knots, contour.knot_points),
        largest_difference,
    )
    pool = heart() == int(Label.LVBP)
    corners = trace(pool)[0]
    from skimage.draw import polygon2mask

    def smoothing() -> np.ndarray:
        middles = (corners + np.roll(corners, -1, axis=0)) / 2
        closed = np.concatenate([middles, middles[:1]])
        spline_of_line, _ = interpolate.splprep(closed.T, s=0.1 * len(middles), per=True)
        fine = np.linspace(0.0, 1.0, len(middles), endpoint=False)
        return np.stack(interpolate.splev(fine, spline_of_line), axis=1)

    yield Case(
        "smooth line around a mask",
        lambda: exact_line(corners),
        "scipy.interpolate.splprep",
        smoothing,
        lambda a, b: (
            f"{int((polygon2mask(SHAPE, a) != pool).sum())} pixels on the wrong side, "
            f"library {int((polygon2mask(SHAPE, b) != pool).sum())}"
        ),
    )


def solved_spline(corners: np.ndarray) -> np.ndarray:
    """The periodic spline as the program found it itself: one system of equations for the slopes."""
    after = np.hypot(*(np.roll(corners, -1, axis=0) - corners).T)
    before, rows = np.roll(after, 1), np.arange(len(corners))
    system = np.zeros((len(corners), len(corners)))
    np.add.at(system, (rows, rows - 1), after)
    np.add.at(system, (rows, rows), 2 * (before + after))
    np.add.at(system, (rows, (rows + 1) % len(corners)), before)
    to_here = (corners - np.roll(corners, 1, axis=0)) / before[:, None]
    from_here = (np.roll(corners, -1, axis=0) - corners) / after[:, None]
    slopes = np.linalg.solve(system, 3 * (after[:, None] * to_here + before[:, None] * from_here))
    parts = []
    for k, number in enumerate(np.maximum(2, np.ceil(3.0 * after)).astype(int)):
        t = (np.arange(number) / number)[:, None]
        to = (k + 1) % len(corners)
        ends = (1 + 2 * t) * (1 - t) ** 2 * corners[k] + t * t * (3 - 2 * t) * corners[to]
        parts.append(ends + after[k] * (t * (1 - t) ** 2 * slopes[k] + t * t * (t - 1) * slopes[to]))
    return np.concatenate(parts)


def weights(along: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """(point, knot) share of each knot in the cubic, as the program found it itself."""
    length, count, at, ends = float(along[-1]), len(knots), along[:-1], along[knots]
    segment = (np.searchsorted(ends, at, side="right") - 1) % count
    widths = (np.roll(ends, -1) - ends) % length
    width, slope = widths[segment], widths + np.roll(widths, 1)
    t = ((at - ends[segment]) % length) / width
    following = (segment + 1) % count
    first = t * (1 - t) ** 2 * width / slope[segment]
    last = t * t * (t - 1) * width / slope[following]
    result = np.zeros((len(at), count))
    for places, values in (
        (segment, (1 + 2 * t) * (1 - t) ** 2 - last),
        (following, t * t * (3 - 2 * t) + first),
        ((segment - 1) % count, -first),
        ((segment + 2) % count, last),
    ):
        np.add.at(result, (np.arange(len(at)), places), values)
    return result


# -- masks -------------------------------------------------------------------------------------------------------------


def masks() -> Iterator[Case]:
    import SimpleITK as sitk  # noqa: N813
    from skimage import measure, metrics, morphology

    from cmr_viewer.domain.label_map import hausdorff_mm
    from cmr_viewer.evaluate.scores import surface_distances
    from cmr_viewer.review.shape import signed_distance_mm
    from cmr_viewer.segment.segmenter import largest_component

    first, second = heart() == int(Label.LVBP), heart(123.0, 128.0, 21.0) == int(Label.LVBP)
    scattered = first.copy()
    scattered[20:24, 30:36] = scattered[200:203, 40:49] = True

    def by_regions() -> np.ndarray:
        pieces = measure.label(scattered, connectivity=2)
        return np.asarray(pieces == max(measure.regionprops(pieces), key=lambda one: one.area).label)

    yield Case(
        "largest component",
        lambda: largest_component(scattered),
        "skimage.measure.label, regionprops",
        by_regions,
        pixels_differ,
    )
    wall = heart() == int(Label.LVM)
    yield Case(
        "holes of a mask (scipy.ndimage)",
        lambda: ndimage.binary_fill_holes(wall),
        "skimage.morphology.remove_small_holes",
        lambda: morphology.remove_small_holes(wall, max_size=first.size // 4, connectivity=1),
        lambda a, b: pixels_differ(a, b) + "; it goes by size, not by what surrounds",
    )
    cross = ndimage.generate_binary_structure(2, 1)
    yield Case(
        "a mask one pixel larger (scipy.ndimage)",
        lambda: ndimage.binary_dilation(first),
        "skimage.morphology.dilation",
        lambda: morphology.dilation(first, cross),
        pixels_differ,
    )

    def by_points() -> float:
        points = [np.argwhere(m & ~ndimage.binary_erosion(m)) * np.asarray(SPACING) for m in (first, second)]
        return max(spatial.distance.directed_hausdorff(a, b)[0] for a, b in (points, points[::-1]))

    yield Case(
        "Hausdorff distance in mm",
        lambda: hausdorff_mm(first, second, SPACING),
        "scipy.spatial.distance.directed_hausdorff",
        by_points,
        largest_difference,
    )
    yield Case(
        "Hausdorff distance in pixels",
        lambda: hausdorff_mm(first, second, (1.0, 1.0)),
        "skimage.metrics.hausdorff_distance",
        lambda: metrics.hausdorff_distance(*(m & ~ndimage.binary_erosion(m) for m in (first, second))),
        lambda a, b: largest_difference(a, b) + "; it knows no spacing",
    )

    def by_tree() -> float:
        points = [np.argwhere(m & ~ndimage.binary_erosion(m)) * np.asarray(SPACING) for m in (first, second)]
        return float(np.percentile(spatial.cKDTree(points[1]).query(points[0])[0], 95))

    def by_distance_map() -> float:
        found = surface_distances(first, second, SPACING)
        return float(np.percentile(found.first_to_second_mm, 95)) if found else 0.0

    yield Case(
        "surface distances, 95th percentile", by_distance_map, "scipy.spatial.cKDTree", by_tree, largest_difference
    )

    def maurer() -> np.ndarray:
        image = sitk.GetImageFromArray(first.astype(np.uint8))
        image.SetSpacing(SPACING[::-1])
        field = sitk.SignedMaurerDistanceMap(image, squaredDistance=False, useImageSpacing=True)
        return sitk.GetArrayFromImage(field)

    yield Case(
        "signed distance to an outline in mm (scipy.ndimage)",
        lambda: signed_distance_mm(first, SPACING),
        "SimpleITK.SignedMaurerDistanceMap",
        maurer,
        lambda a, b: largest_difference(a, b) + " mm: it measures from pixel centres, not from edges",
    )


# -- images ------------------------------------------------------------------------------------------------------------


def images() -> Iterator[Case]:
    from skimage import exposure, registration, segmentation, transform

    from cmr_viewer.domain.measures.wall import _smoothed, sample
    from cmr_viewer.prepare.grid import Grid, Placement
    from cmr_viewer.review.click import random_walk
    from cmr_viewer.review.motion import SMALL_STEP, find_motion, grey_between

    labels = heart()
    image = image_of(labels)
    grey = grey_between(image)
    yield Case(
        "pixels between two percentiles",
        lambda: grey_between(image),
        "skimage.exposure.rescale_intensity",
        lambda: exposure.rescale_intensity(image, tuple(np.percentile(image, (1.0, 99.0))), (0.0, 1.0)),
        largest_difference,
    )
    place = Placement(Grid(1.25, 128, 128), SHAPE, SPACING, (120.4, 130.7))
    steps = place._steps()

    def warped() -> np.ndarray:
        start = [c - s * (n - 1) / 2 for c, s, n in zip(place.centre, steps, (128, 128), strict=True)]
        return ndimage.affine_transform(image, steps, start, (128, 128), order=1, mode="constant")

    yield Case(
        "a frame on a network's grid",
        lambda: place.to_grid(image),
        "scipy.ndimage.affine_transform",
        warped,
        largest_difference,
    )
    logits = np.random.default_rng(1).normal(size=(4, 128, 128)).astype(np.float32)
    yield Case(
        "four channels back on the frame",
        lambda: place.on_frame(logits),
        "scipy.ndimage.affine_transform",
        lambda: np.stack(
            [
                ndimage.affine_transform(
                    one,
                    [1 / s for s in steps],
                    [(n - 1) / 2 - c / s for c, s, n in zip(place.centre, steps, (128, 128), strict=True)],
                    SHAPE,
                    order=1,
                    mode="grid-constant",
                )
                for one in logits
            ]
        ),
        lambda a, b: f"median difference {float(np.median(np.abs(a - b))):.2g}; edges fade out instead of ending",
    )
    yield Case(
        "nnU-Net's resampling, cubic",
        lambda: zoomed(image, (231, 217)),
        "skimage.transform.resize",
        lambda: transform.resize(image, (231, 217), order=3, mode="edge", anti_aliasing=False, clip=True),
        largest_difference,
    )
    rows, cols = np.meshgrid(np.linspace(90, 150, 360), np.linspace(100, 160, 200), indexing="ij")
    pool = labels == int(Label.LVBP)
    yield Case(
        "a mask between pixel centres, 72,000 points",
        lambda: sample(pool, rows, cols),
        "scipy.ndimage.map_coordinates",
        lambda: ndimage.map_coordinates(pool.astype(float), [rows, cols], order=1),
        largest_difference,
    )
    radii = 20.0 + np.random.default_rng(2).normal(size=360)
    yield Case(
        "360 radii smoothed around a circle",
        lambda: _smoothed(radii, np.ones(360, bool)),
        "scipy.ndimage.gaussian_filter1d",
        lambda: ndimage.gaussian_filter1d(radii, 5.0, mode="wrap"),
        largest_difference,
    )
    moved = image_of(heart(121.5, 128.5, 18.5), 3)
    both = grey_between(np.stack([image, moved]))

    def end_error(motion: np.ndarray) -> float:
        wall = ndimage.binary_dilation(labels > 0, iterations=4)
        carried = ndimage.map_coordinates(both[0], np.indices(SHAPE) + motion, order=1)
        return float(np.abs(carried - both[1])[wall].mean())

    for name, theirs in (
        ("skimage.registration.optical_flow_ilk", lambda: registration.optical_flow_ilk(both[1], both[0])),
        ("skimage.registration.optical_flow_tvl1", lambda: registration.optical_flow_tvl1(both[1], both[0])),
    ):
        yield Case(
            "motion between two phases (SimpleITK's demons)",
            lambda: find_motion(both[1], both[0], SMALL_STEP),
            name,
            theirs,
            lambda a, b: f"grey left over {end_error(a):.3f}, library {end_error(b):.3f}",
        )
    marks = np.full(SHAPE, -1, np.int8)
    marks[~ndimage.binary_dilation(labels > 0, iterations=10)] = 0
    marks[ndimage.binary_erosion(pool, iterations=8)] = int(Label.LVBP)
    marks[115:125, 154:156] = int(Label.LVM)
    marks[110:130, 90:95] = int(Label.RVBP)
    prior = np.full((4, *SHAPE), 0.25, np.float32)
    box = (slice(75, 170), slice(60, 175))

    def ours(weight: float) -> np.ndarray:
        belief = np.full(SHAPE, weight, np.float32)[box]
        found = random_walk(grey[box], marks[box], prior[:, *box], edge=0.12, belief=belief)
        return np.asarray(found.argmax(axis=0))

    seeds = marks[box].astype(int) + 1
    yield Case(
        "random walker on 95 x 115 pixels, without priors",
        lambda: ours(1e-9),
        "skimage.segmentation.random_walker",
        lambda: segmentation.random_walker(grey[box], seeds, beta=10 * grey[box].std() / 0.12**2, mode="cg_j") - 1,
        lambda a, b: pixels_differ(a, b) + "; it takes no priors",
    )


def snapping() -> Iterator[Case]:
    from skimage.segmentation import active_contour

    from cmr_viewer.review.snap import snapped

    rows, cols = np.mgrid[: SHAPE[0], : SHAPE[1]]
    away = np.hypot(rows - 120.3, cols - 130.7)
    angle = np.arange(200) / 200 * 2 * np.pi
    for radius, off, noise in ((20.0, 2.0, 0.0), (20.0, -2.0, 4.0), (40.0, 2.0, 4.0)):
        image = ndimage.gaussian_filter(60 + 120 * np.clip(radius - away + 0.5, 0, 1), 1.5)
        image += np.random.default_rng(4).normal(0.0, noise, SHAPE)
        drawn = np.array([[120.3, 130.7]]) + (radius + off) * np.stack([np.sin(angle), np.cos(angle)], axis=1)
        blurred = ndimage.gaussian_filter(image / 180, 1.0)

        def farthest(line: np.ndarray, radius: float = radius) -> float:
            return float(np.abs(np.hypot(line[:, 0] - 120.3, line[:, 1] - 130.7) - radius).max())

        yield Case(
            f"a contour {off:+g} px off snaps to a disc of {radius:g} px, noise {noise:g} of 120",
            lambda drawn=drawn, image=image: snapped(drawn, image, SPACING, bright_inside=True),
            "skimage.segmentation.active_contour",
            lambda drawn=drawn, blurred=blurred: active_contour(
                blurred, drawn, alpha=0.01, beta=1.0, gamma=0.01, w_edge=1, max_num_iter=500
            ),
            lambda a, b, farthest=farthest: f"farthest off {farthest(a):.2f} px, library {farthest(b):.2f} px",
        )


def zoomed(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """nnU-Net's resampling as the program did it itself."""
    factors = [1 / (old / new) for old, new in zip(array.shape, shape, strict=True)]
    made = ndimage.zoom(array, factors, order=3, mode="nearest", grid_mode=True)
    return np.clip(made, array.min(), array.max())


# -- files -------------------------------------------------------------------------------------------------------------


def files() -> Iterator[Case]:
    import io

    import pydicom
    from pydicom.encaps import encapsulate, generate_frames
    from pydicom.pixels import pixel_array

    from cmr_viewer.load.dicom.compressed import frame_fragments
    from cmr_viewer.load.dicom.pixels import read_frame
    from cmr_viewer.load.dicom.scan import read_headers

    paths = sorted((ROOT / "resources" / "demo").glob("*.dcm"))[:100]
    wanted = [
        *("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "ImagePositionPatient", "ImageOrientationPatient"),
        *("PixelSpacing", "TriggerTime", "InstanceNumber", "Rows", "Columns", "BitsAllocated", "PixelRepresentation"),
    ]

    def positions() -> list[tuple[float, ...]]:
        return [header.position for path in paths for header in read_headers(path) or []]  # type: ignore[union-attr,misc]

    def positions_by_pydicom() -> list[tuple[float, ...]]:
        found = []
        for path in paths:
            dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=wanted)
            found.append(tuple(float(v) for v in dataset.ImagePositionPatient))
        return found

    yield Case(f"headers of {len(paths)} files", positions, "pydicom.dcmread", positions_by_pydicom, largest_difference)
    headers = [read_headers(path)[0] for path in paths]  # type: ignore[index]
    yield Case(
        f"pixels of {len(paths)} frames, headers known",
        lambda: [read_frame(header) for header in headers],
        "pydicom.pixels.pixel_array",
        lambda: [pixel_array(path) for path in paths],
        largest_difference,
    )
    frames = [np.random.default_rng(n).bytes(20_000 + 2 * n) for n in range(300)]
    whole = encapsulate(frames, has_bot=True)

    def fragments() -> list[bytes]:
        file = io.BytesIO(whole)
        return [
            b"".join(whole[part.at : part.at + part.length] for part in frame)
            for frame in frame_fragments(file, 0, len(whole), 300)
        ]

    yield Case(
        "300 compressed frames of one file, apart",
        fragments,
        "pydicom.encaps.generate_frames",
        lambda: list(generate_frames(whole, number_of_frames=300)),
        lambda a, b: f"{sum(x != y for x, y in zip(a, b, strict=True))} frames differ",
    )


def median_ms(call: Callable[[], Any], runs: int) -> float:
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1000.0 * statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=21)
    parser.add_argument("--only", default="", help="cases whose name or library contains this")
    given = parser.parse_args()
    print(f"{platform.machine()}, Python {platform.python_version()}, median of {given.runs} runs\n")
    print("| what | library | ours ms | library ms | library / ours | agreement |\n|---|---|---|---|---|---|")
    for part in (outlines, splines, masks, images, snapping, files):
        for case in part():
            if given.only.lower() not in f"{case.what} {case.library}".lower():
                continue
            agreement = case.agree(case.ours(), case.theirs())
            ours, theirs = median_ms(case.ours, given.runs), median_ms(case.theirs, given.runs)
            print(f"| {case.what} | {case.library} | {ours:.3g} | {theirs:.3g} | {theirs / ours:.2g} | {agreement} |")


if __name__ == "__main__":
    main()
