"""How long a person's hand and head take: the keystroke-level model.

Source:
    Card, Moran and Newell, The keystroke-level model for user performance time with interactive systems, Communications
    of the ACM 23(7), 1980. K, P (as a function of distance and size), H, D and M are theirs; B is a press or a release
    of a mouse button, after the same authors' The psychology of human-computer interaction, 1983.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import hypot, log2

Place = tuple[float, float]
"""(x, y) on the screen, in pixels."""

KEY_S = 0.2
BUTTON_S = 0.1
HOMING_S = 0.4
MENTAL_S = 1.35
SCREEN_PX_PER_CM = 96 / 2.54
"""A screen of 96 pixels an inch."""


def pointing_s(distance_px: float, size_px: float) -> float:
    """Seconds to bring the pointer to a target of a size: Fitts' law, 0.8 s at the fastest."""
    return max(0.8, 0.8 + 0.1 * log2(distance_px / max(size_px, 1.0) + 0.5)) if distance_px > 0 else 0.0


def drawing_s(pieces: int, length_px: float) -> float:
    """Seconds to draw a line of straight pieces with a button down."""
    return 0.9 * pieces + 0.16 * length_px / SCREEN_PX_PER_CM


def straight_pieces(line: list[Place], tolerance_px: float) -> int:
    """How many straight pieces a line has, within a tolerance (Douglas and Peucker 1973); 1 at least."""
    if len(line) < 3:
        return 1
    (x0, y0), (x1, y1) = line[0], line[-1]
    length = hypot(x1 - x0, y1 - y0)

    def away(point: Place) -> float:
        x, y = point[0] - x0, point[1] - y0
        return hypot(x, y) if length == 0 else abs(x * (y1 - y0) - y * (x1 - x0)) / length

    farthest = max(range(1, len(line) - 1), key=lambda number: away(line[number]))
    if away(line[farthest]) <= tolerance_px:
        return 1
    return straight_pieces(line[: farthest + 1], tolerance_px) + straight_pieces(line[farthest:], tolerance_px)


def length_of(line: list[Place]) -> float:
    """Length of a line in pixels."""
    return sum(hypot(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(line))


@dataclass
class Effort:
    """What was done, and how long it takes a person.

    Attributes:
        keys: Key presses; Shift, Ctrl and Alt held with a key count as presses.
        clicks: Presses of a mouse button without a drag.
        strokes: Drags with a button down.
        path_px: Way of the pointer on the screen.
        looks: Decisions what to do next.
        hand_s: Seconds of the hand: keys, pointing, drawing, changes between mouse and keys.
        mental_s: Seconds of the head.
    """

    keys: int = 0
    clicks: int = 0
    strokes: int = 0
    path_px: float = 0.0
    looks: int = 0
    hand_s: float = 0.0
    mental_s: float = 0.0
    on_mouse: bool = True

    def look(self) -> None:
        """Look and decide."""
        self.looks += 1
        self.mental_s += MENTAL_S

    def press_keys(self, count: int) -> None:
        """Press keys, the hand goes to the keyboard if it is not there."""
        self._home(mouse=False)
        self.keys += count
        self.hand_s += KEY_S * count

    def point(self, distance_px: float, size_px: float) -> None:
        """Bring the pointer to a target."""
        self._home(mouse=True)
        self.path_px += distance_px
        self.hand_s += pointing_s(distance_px, size_px)

    def click(self) -> None:
        """Press and release."""
        self.clicks += 1
        self.hand_s += 2 * BUTTON_S

    def draw(self, line: list[Place], tolerance_px: float) -> None:
        """Press, draw a line, release."""
        self.strokes += 1
        length = length_of(line)
        self.path_px += length
        self.hand_s += 2 * BUTTON_S + drawing_s(straight_pieces(line, tolerance_px), length)

    def _home(self, *, mouse: bool) -> None:
        if mouse != self.on_mouse:
            self.on_mouse = mouse
            self.hand_s += HOMING_S
