"""One slice of the phantom's heart: outlines, exact areas, labels and intensities.

With s = 0 at the base plane and 1 at the epicardial apex, lengths in mm:

    epicardium of the LV    disc of radius R(s) = R0 sqrt(1 - s^2)                    (half an ellipsoid)
    endocardium of the LV   disc of radius r(s) = r0 sqrt(1 - (s / 0.9)^2), s < 0.9
    RV blood pool           annular sector around the epicardium: angles within 60 degrees of the image's left side,
                            from R(s) to R(s) + W(s), W(s) = W0 (1 - s / 0.8), s < 0.8
    RV as a crescent        instead: the disc through the epicardium at 75 degrees to both sides of the image's left
                            and through the point at R(s) + W(s) on that side, without the epicardium's disc
    outflow tract           near the base plane the ring of myocardium is open over an angle towards the upper left; in
                            the opening the LV blood pool reaches to the middle of the wall, and what is left of the
                            wall there is background

From ED (a = 0) to ES (a = 1) r0 and W0 shrink, and R0 keeps the volume of myocardium about alike. Papillary muscles are
dark in the images and belong to the LVBP.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cmr_viewer.domain.anatomy import Label

LV_R0_ED_MM, LV_R0_ES_MM = 25.0, 16.0
EPI_R0_ED_MM, EPI_R0_ES_MM = 34.0, 32.0
RV_W0_ED_MM, RV_W0_ES_MM = 24.0, 14.0
RV_HALF_ANGLE, CRESCENT_HALF_ANGLE = np.deg2rad(60.0), np.deg2rad(75.0)
ENDO_END, RV_END = 0.9, 0.8
OUTFLOW_DIRECTION = np.deg2rad(-75.0)
"""Middle of the opening, from the image's left towards its bottom; negative is towards the top."""


@dataclass(frozen=True)
class Anatomy:
    """What a heart is like.

    Attributes:
        size: All radii and the width of the RV over those of the default heart; areas grow with its square.
        rv: Width of the RV over that of a default heart of the same size.
        taper: Exponent of how the LV tapers: 1 for half an ellipsoid, more for a more pointed apex; both radii are
            (1 - s^2)^(taper / 2) of those at the base, s / 0.9 in place of s for the endocardium.
        crescent: The RV is a crescent of two discs instead of an annular sector.
        outflow_deg: Angle over which the ring of myocardium is open; 0 for a closed ring.
        outflow_mm: How far from the base plane it is open.
        papillary: Radius of the papillary muscles over that of the default; 0 for none.
    """

    size: float = 1.0
    rv: float = 1.0
    taper: float = 1.0
    crescent: bool = False
    outflow_deg: float = 0.0
    outflow_mm: float = 12.0
    papillary: float = 1.0


@dataclass(frozen=True)
class Contrast:
    """Intensities of the structures, as vendors, sequences and coils make them different.

    Attributes:
        lvbp: LV blood.
        lvm: Myocardium.
        rvbp: RV blood.
        papillary: Papillary muscles.
        lung: Lung, and air outside of the body.
        fat: Rim of the body.
        tissue: The body below the heart.
        atrium: Atria, above the base.
        vessel: Great vessels, above the base.
        liver: Below the apex.
        gain: Factor of all, noise included; more than 4000 in the end is clipped.
    """

    lvbp: float = 700.0
    lvm: float = 170.0
    rvbp: float = 680.0
    papillary: float = 200.0
    lung: float = 60.0
    fat: float = 520.0
    tissue: float = 210.0
    atrium: float = 650.0
    vessel: float = 640.0
    liver: float = 260.0
    gain: float = 1.0


BALANCED = Contrast()
FAINT_BLOOD = Contrast(lvbp=460, lvm=230, rvbp=430, papillary=250, atrium=440, vessel=450, tissue=240)
"""Blood hardly brighter than muscle, as with gradient echo and little inflow."""
BRIGHT_FAT = Contrast(lvbp=560, lvm=140, rvbp=540, fat=1000, tissue=300, liver=340, lung=30)
"""Fat far brighter than blood, as near a surface coil."""
SMALL_NUMBERS = Contrast(lvm=210, gain=0.15)
"""Stored with few levels."""
LARGE_NUMBERS = Contrast(lvbp=760, lvm=120, lung=20, gain=3.5)
"""Stored with many levels, strong contrast."""
CONTRASTS = (BALANCED, FAINT_BLOOD, BRIGHT_FAT, SMALL_NUMBERS, LARGE_NUMBERS)


@dataclass(frozen=True)
class CrossSection:
    """Outlines in one slice at one phase; radii are 0 outside the heart.

    Attributes:
        endo: Radius of the endocardium, mm.
        epi: Radius of the epicardium, mm.
        rv: Width of the RV at the image's left, mm.
        open_deg: Angle over which the ring of myocardium is open; 0 if it is closed.
        crescent: See `Anatomy`.
    """

    endo: float
    epi: float
    rv: float
    open_deg: float = 0.0
    crescent: bool = False

    @classmethod
    def at(cls, s: float, a: float, depth_mm: float, anatomy: Anatomy) -> "CrossSection":
        """The heart `depth_mm` below the base plane, which is `s` of its length, at contraction `a`."""
        if not 0.0 <= s < 1.0:
            return cls(0.0, 0.0, 0.0)
        r0 = LV_R0_ED_MM + a * (LV_R0_ES_MM - LV_R0_ED_MM)
        e0 = EPI_R0_ED_MM + a * (EPI_R0_ES_MM - EPI_R0_ED_MM)
        w0 = RV_W0_ED_MM + a * (RV_W0_ES_MM - RV_W0_ED_MM)
        return cls(
            endo=anatomy.size * r0 * float(np.sqrt(max(0.0, 1.0 - (s / ENDO_END) ** 2))) ** anatomy.taper,
            epi=anatomy.size * e0 * float(np.sqrt(1.0 - s**2)) ** anatomy.taper,
            rv=anatomy.size * anatomy.rv * w0 * max(0.0, 1.0 - s / RV_END),
            open_deg=anatomy.outflow_deg if depth_mm < anatomy.outflow_mm else 0.0,
            crescent=anatomy.crescent,
        )

    @property
    def outflow(self) -> float:
        """Radius to which the LV blood pool reaches where the ring is open, mm."""
        return (self.endo + self.epi) / 2.0

    @property
    def rv_disc(self) -> tuple[float, float]:
        """Of the disc whose part outside the epicardium is the crescent: centre, in mm to the left, and radius, in mm.

        The centre's distance d follows from the points that the circle goes through: (R + W - d)^2 =
        (R cos 75 - d)^2 + (R sin 75)^2.
        """
        outer = self.epi + self.rv
        centre = (outer**2 - self.epi**2) / (2.0 * (outer - self.epi * float(np.cos(CRESCENT_HALF_ANGLE))))
        return centre, outer - centre

    def labels(self, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Label of points `y` mm down and `x` mm right of the LV's axis."""
        result = np.zeros(y.shape, np.uint8)
        if self.epi == 0.0:
            return result
        radius, angle = np.hypot(y, x), np.arctan2(y, -x)
        if self.crescent:
            centre, disc = self.rv_disc
            result[np.hypot(y, x + centre) < disc] = Label.RVBP
        else:
            result[(radius < self.epi + self.rv) & (np.abs(angle) < RV_HALF_ANGLE)] = Label.RVBP
        result[radius < self.epi] = Label.LVM
        if self.open_deg > 0.0:
            from_middle = np.abs(np.angle(np.exp(1j * (angle - OUTFLOW_DIRECTION))))
            opening = from_middle < np.deg2rad(self.open_deg) / 2.0
            result[opening & (radius < self.epi)] = Label.BACKGROUND
            result[opening & (radius < self.outflow)] = Label.LVBP
        result[radius < self.endo] = Label.LVBP
        return result

    def areas_mm2(self) -> NDArray[np.float64]:
        """(4,) exact area of each label; 0 for background."""
        opening = np.deg2rad(self.open_deg)
        lvm = (np.pi * self.epi**2 - np.pi * self.endo**2) * (1.0 - opening / (2.0 * np.pi))
        lvbp = np.pi * self.endo**2 + opening / 2.0 * (self.outflow**2 - self.endo**2)
        rvbp = RV_HALF_ANGLE * ((self.epi + self.rv) ** 2 - self.epi**2)
        if self.crescent and self.rv > 0.0:
            centre, disc = self.rv_disc
            rvbp = np.pi * disc**2 - overlap_of_discs_mm2(self.epi, disc, centre)
        return np.array([0.0, lvbp, lvm, rvbp])

    def intensities(
        self,
        labels: NDArray[np.uint8],
        y: NDArray[np.float64],
        x: NDArray[np.float64],
        *,
        s: float,
        a: float,
        contrast: Contrast,
        papillary: float,
    ) -> NDArray[np.float64]:
        """Plausible balanced-SSFP intensities: bright blood and fat, grey muscle, dark lung."""
        image = np.full(labels.shape, contrast.lung)
        body = (x / 75.0) ** 2 + (y / 82.0) ** 2
        image[(body > 0.72) & (body < 1.0)] = contrast.fat
        image[(body <= 0.72) & (y > 38.0)] = contrast.tissue
        heart = np.array([0.0, contrast.lvbp, contrast.lvm, contrast.rvbp])
        image = np.where(labels > 0, heart[labels], image)
        if s < 0.0:
            # Above the valves: great vessels and atria, bright and hardly beating.
            image[np.hypot(y - 4.0, x + 4.0) < 17.0] = contrast.atrium
            image[np.hypot(y + 26.0, x + 22.0) < 13.0] = contrast.vessel
        elif s >= 1.0:
            image[np.hypot(y - 20.0, x) < 30.0] = contrast.liver
        elif self.endo > 8.0 and 0.2 < s < 0.75:
            for angle in (0.6, 2.4):
                centre = 0.68 * self.endo
                muscle = np.hypot(y - centre * np.sin(angle), x - centre * np.cos(angle))
                image[muscle < papillary * (3.0 + a)] = contrast.papillary
        return image


def overlap_of_discs_mm2(first: float, second: float, distance: float) -> float:
    """Area that two discs share whose circles cross, from their radii and the distance of their centres."""
    one = first**2 * np.arccos((distance**2 + first**2 - second**2) / (2.0 * distance * first))
    other = second**2 * np.arccos((distance**2 + second**2 - first**2) / (2.0 * distance * second))
    kite = (first + second - distance) * (distance + first - second) * (distance - first + second)
    return float(one + other - 0.5 * np.sqrt(kite * (distance + first + second)))
