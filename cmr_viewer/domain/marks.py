"""What of a frame a reader's step changes, beside the pixels."""

from dataclasses import dataclass, replace

from cmr_viewer.domain.anatomy import Region
from cmr_viewer.domain.annotation import Prediction, Provenance


@dataclass(frozen=True, eq=False)
class Marks:
    """What of a frame an undo step sets back, beside the pixels.

    Attributes:
        reader_region: The reader's region, or None.
        base: The prediction that the label map is or started from.
        origin: Id of the model that the label map started from, or None.
        edited: Whether the label map differs from `base`.
        imported: Where the label map was imported from; empty where it was not.
        made: How the imported label map came to be, later corrections included; None where it was not imported, or
            nothing tells.
    """

    reader_region: Region | None
    base: Prediction | None
    origin: str | None
    edited: bool
    imported: str = ""
    made: Provenance | None = None

    def corrected(self) -> "Marks":
        """The marks after the reader changed the label map by hand."""
        automatic = self.made is Provenance.AUTOMATIC
        return replace(self, edited=True, made=Provenance.SEMIAUTOMATIC if automatic else self.made)
