# ruff: noqa: E501 - one row per action reads as a table
"""Actions: the source of menus, buttons, keys, tooltips and the sheet of keys. `features.table` collects all."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction, QKeySequence

from cmr_viewer.ui.window.theme import icon


class When(Enum):
    """The condition under which an action is available."""

    ALWAYS = "always"
    STUDY = "a study is open"
    MASK = "the frame has a label map"
    REGION = "the frame has a region"
    UNDO = "there is something to undo"
    REDO = "there is something to redo"
    PROPOSAL = "there is a suggestion"
    IDLE = "no model is training"
    TRAINING = "a model is training"
    OPENING = "a study is loading"
    CHOICES = "the study has several stacks or repeated slices"
    SLICES = "the study has several slices"
    LONG_AXIS = "the study has long-axis views"
    VOLUME = "the study is a volume file, such as NIfTI, MHA or NRRD"


class Menu(Enum):
    """The menus, in their order."""

    FILE = "&File"
    STUDY = "S&tudy"
    EDIT = "&Edit"
    TOOLS = "T&ools"
    GO = "&Go"
    VIEW = "&View"
    REVIEW = "Rev&iew"
    MODELS = "&Models"
    HELP = "&Help"


@dataclass(frozen=True)
class ActionSpec:
    """One action.

    Attributes:
        id: Its name in code and settings.
        text: Text in the menu.
        keys: Its keys as Qt's portable text, the shown one first.
        tip: What it does, in a sentence.
        menu: Its menu.
        when: When it is available.
        icon: Name in `resources/icons`, or empty.
        checkable: Whether it is a switch.
        section: Groups actions in the menu, in this order.
        short: Text on buttons; empty for the menu's text.
        first: Whether it comes before the others of its section.
    """

    id: str
    text: str
    keys: tuple[str, ...]
    tip: str
    menu: Menu
    when: When = When.STUDY
    icon: str = ""
    checkable: bool = False
    section: int = 0
    short: str = ""
    first: bool = False

    @property
    def plain_text(self) -> str:
        """The text without mnemonic and dots."""
        return self.text.replace("&", "").rstrip("…")


# fmt: off
WINDOW_ACTIONS: tuple[ActionSpec, ...] = (
    ActionSpec("open_folder", "Open &folder…", ("Ctrl+O",), "Open a folder of DICOM files", Menu.FILE, When.ALWAYS, "folder", short="Folder"),
    ActionSpec("open_file", "Open f&ile…", ("Ctrl+Shift+O",), "Open a NIfTI, MHA or NRRD file", Menu.FILE, When.ALWAYS, "file", short="File"),
    ActionSpec("open_demo", "Open the &demo study", (), "Open the study that comes with the program", Menu.FILE, When.ALWAYS, "demo", short="Demo"),
    ActionSpec("cancel_opening", "Ca&ncel opening", ("Esc",), "Stop loading; the study that is open stays open", Menu.FILE, When.OPENING, "stop"),
    ActionSpec("close_study", "&Close study", ("Ctrl+W",), "Close the study; your work is saved", Menu.FILE, section=4),
    ActionSpec("settings", "&Settings…", ("Ctrl+,",), "Set the reader's name, theme, automatic retraining and colours", Menu.FILE, When.ALWAYS, "settings", section=5),
    ActionSpec("quit", "&Quit", ("Ctrl+Q",), "Close the program; your work is saved", Menu.FILE, When.ALWAYS, section=5),
    ActionSpec("choose_stack", "&Stacks in this study…", ("Ctrl+T",), "Choose another stack, or another acquisition of a slice", Menu.STUDY, When.CHOICES, "stacks", short="Stacks"),
    ActionSpec("turn_round", "S&wap base and apex", ("Ctrl+B",), "Use this if the base is at the wrong end; regions and label maps stay with their frames", Menu.STUDY, When.SLICES, "turn_round", short="Swap base and apex"),
    ActionSpec("correct_spacing", "Correct s&pacing…", (), "Set the distances between rows, columns and slices if the file has none or wrong ones", Menu.STUDY, icon="spacing", short="Spacing"),
    ActionSpec("slice_axis", "Change s&lice axis", (), "Use the next axis of the file as the slice axis if the detected one is wrong", Menu.STUDY, When.VOLUME, short="Slice axis"),
    ActionSpec("any_size", "Allow any heart si&ze", (), "Show volumes outside the human range, for a small animal or a newborn; choose again to withhold them", Menu.STUDY, short="Any size"),
    ActionSpec("study_notes", "&Notes on this study", ("F3",), "Read all notes from loading this study", Menu.STUDY, icon="notes", section=1, short="Notes"),
    ActionSpec("undo", "&Undo", ("Ctrl+Z",), "Undo the last change", Menu.EDIT, When.UNDO, "undo"),
    ActionSpec("redo", "&Redo", ("Ctrl+Shift+Z", "Ctrl+Y"), "Redo the change that was undone last", Menu.EDIT, When.REDO, "redo"),
    ActionSpec("brush", "&Brush", ("B",), "Paint with the left button, erase with the right. When off, the left button moves the image", Menu.EDIT, icon="brush", checkable=True, section=1, short="Brush"),
    ActionSpec("label_lvbp", "Paint &LV blood pool", ("1",), "Paint LV blood pool", Menu.EDIT, checkable=True, section=1, short="LV pool"),
    ActionSpec("label_lvm", "Paint LV &myocardium", ("2",), "Paint LV myocardium", Menu.EDIT, checkable=True, section=1, short="Myocardium"),
    ActionSpec("label_rvbp", "Pai&nt RV blood pool", ("3",), "Paint RV blood pool", Menu.EDIT, checkable=True, section=1, short="RV pool"),
    ActionSpec("label_erase", "&Erase", ("0",), "Erase with the left button", Menu.EDIT, icon="eraser", checkable=True, section=1, short="Erase"),
    ActionSpec("brush_smaller", "&Smaller brush", ("[",), "Make the brush smaller", Menu.EDIT, section=2),
    ActionSpec("brush_larger", "L&arger brush", ("]",), "Make the brush larger", Menu.EDIT, section=2),
    ActionSpec("copy_to_next_slice", "&Copy to next slice", ("C",), "Copy the label map to the next slice towards the apex and go there", Menu.EDIT, When.MASK, "copy", section=3),
    ActionSpec("clear_frame", "Clear &frame", ("Del",), "Delete all labels in this frame", Menu.EDIT, When.MASK, "trash", section=3),
    ActionSpec("slice_up", "Slice towards &base", ("Up",), "Go one slice towards the base", Menu.GO),
    ActionSpec("slice_down", "Slice towards &apex", ("Down",), "Go one slice towards the apex", Menu.GO),
    ActionSpec("phase_previous", "&Previous phase", ("Left",), "Go one phase back", Menu.GO, icon="chevron_left"),
    ActionSpec("phase_next", "&Next phase", ("Right",), "Go one phase forward", Menu.GO, icon="chevron_right"),
    ActionSpec("play", "P&lay cine", ("Space", "P"), "Play the slice through the cardiac cycle at true speed", Menu.GO, icon="play", checkable=True, section=1),
    ActionSpec("go_ed", "Go to &end-diastole", ("D",), "Go to end-diastole", Menu.GO, section=2),
    ActionSpec("go_es", "Go to end-&systole", ("S",), "Go to end-systole", Menu.GO, section=2),
    ActionSpec("set_ed", "Set end-d&iastole here", ("Alt+D",), "Set end-diastole to this phase", Menu.GO, section=3),
    ActionSpec("set_es", "Set end-s&ystole here", ("Alt+S",), "Set end-systole to this phase", Menu.GO, section=3),
    ActionSpec("hide_masks", "&Hide masks", ("H",), "Hide or show outlines and fills", Menu.VIEW, icon="eye", checkable=True),
    ActionSpec("exact_edges", "E&xact pixel edges", ("X",), "Draw outlines along pixel edges instead of smoothed", Menu.VIEW, checkable=True, short="Pixel edges"),
    ActionSpec("zoom_heart", "&Zoom to the heart", ("Z",), "Zoom to the part of the image that moves", Menu.VIEW, icon="heart_zoom", section=1),
    ActionSpec("zoom_fit", "Whole &frame", ("F",), "Show the whole frame", Menu.VIEW, icon="fit", section=1),
    ActionSpec("zoom_in", "Zoom &in", ("Ctrl++", "Ctrl+="), "Zoom in", Menu.VIEW, section=1),
    ActionSpec("zoom_out", "Zoom &out", ("Ctrl+-",), "Zoom out", Menu.VIEW, section=1),
    ActionSpec("window_auto", "Automatic &window and level", ("W",), "Reset window and level to suit the study", Menu.VIEW, icon="contrast", section=1),
    ActionSpec("grid", "&Grid of all phases", ("G",), "Show thumbnails of all phases as a grid, or of this phase as a strip", Menu.VIEW, icon="grid", checkable=True, section=2),
    ActionSpec("page_frame", "Page: Frame", ("Ctrl+1",), "Show the region and tools for the current frame", Menu.VIEW, When.ALWAYS, section=4),
    ActionSpec("page_measures", "Page: Measures", ("Ctrl+2",), "Show volumes, volume curve and wall of the study", Menu.VIEW, When.ALWAYS, section=4),
    ActionSpec("page_review", "Page: Review", ("Ctrl+3",), "Show the review queue, the reads and the effort", Menu.VIEW, When.ALWAYS, section=4),
    ActionSpec("page_models", "Page: Models", ("Ctrl+4",), "Show the models in use and retrain them", Menu.VIEW, When.ALWAYS, section=4),
    ActionSpec("full_screen", "F&ull screen", ("F11",), "Show the window in full screen", Menu.VIEW, When.ALWAYS, checkable=True, section=5),
    ActionSpec("theme_system", "S&ystem theme", (), "Use the light or dark theme of the operating system", Menu.VIEW, When.ALWAYS, checkable=True, section=6),
    ActionSpec("theme_light", "Light them&e", (), "Use a light window; images stay on black", Menu.VIEW, When.ALWAYS, checkable=True, section=6),
    ActionSpec("theme_dark", "&Dark theme", (), "Use a dark window, for dark reading rooms", Menu.VIEW, When.ALWAYS, checkable=True, section=6),
    ActionSpec("accept", "A&ccept frame", ("Return", "Enter"), "Accept the region and label map of this frame", Menu.REVIEW, When.REGION, "check", section=1, short="Accept frame"),
    ActionSpec("accept_slice", "Accept &slice", ("Shift+Return",), "Accept this slice at all phases", Menu.REVIEW, section=1),
    ActionSpec("accept_phase", "Accept &phase", ("Ctrl+Shift+Return",), "Accept this phase in all slices", Menu.REVIEW, section=1),
    ActionSpec("accept_all", "Accept &whole study", ("Ctrl+Return",), "Accept every segmented frame", Menu.REVIEW, section=1),
    ActionSpec("next_review", "Ne&xt to review", ("N",), "Go to the frame that most needs review", Menu.REVIEW, icon="next", section=1, short="Next"),
    ActionSpec("analyse", "Analyse m&issing frames", ("Ctrl+R",), "Find missing regions and label maps, for example after Cancel", Menu.REVIEW, icon="train", section=2),
    ActionSpec("proposal_show", "Sh&ow suggestion", ("V",), "Show the suggestion with dashed outlines, together with your label map", Menu.REVIEW, When.PROPOSAL, checkable=True, section=3, short="Show"),
    ActionSpec("proposal_take", "Use sugges&tion", ("T",), "Replace your label map with the suggestion; you can undo this", Menu.REVIEW, When.PROPOSAL, section=3, short="Use"),
    ActionSpec("proposal_keep", "&Keep mine", ("K",), "Keep your label map and discard the suggestion", Menu.REVIEW, When.PROPOSAL, section=3, short="Keep mine"),
    ActionSpec("command_palette", "&Find an action…", ("Ctrl+K",), "Find any action or study by typing part of its name", Menu.HELP, When.ALWAYS, "search"),
    ActionSpec("tour", "&Tour of the program", (), "Learn the parts of the window in two minutes", Menu.HELP, When.ALWAYS),
    ActionSpec("messages", "&Messages", ("F2",), "Show all warnings and messages since the program started", Menu.HELP, When.ALWAYS, "bell"),
    ActionSpec("open_logs", "Open &log folder", (), "Open the folder that contains the log of each run", Menu.HELP, When.ALWAYS, section=1),
    ActionSpec("about", "&About CMR Viewer", (), "Show the version, licence and purpose of the program", Menu.HELP, When.ALWAYS, "info", section=1),
)
# fmt: on
"""What the window does without any feature; each feature brings its own."""


def in_order(specs: Iterable[ActionSpec]) -> tuple[ActionSpec, ...]:
    """Actions in the order of the menus; those of a section in the order in which they come, but for `first`."""
    return tuple(sorted(specs, key=lambda one: (list(Menu).index(one.menu), one.section, not one.first)))


_MOUSE: tuple[tuple[str, str, str], ...] = (
    ("Wheel", "Slice", ""),
    ("Shift + wheel", "Phase", ""),
    ("Ctrl + wheel, pinch", "Zoom at the pointer", ""),
    ("Alt + wheel", "Brush size", ""),
    ("Left, right click", "Click mode: inside, outside the chosen label; Shift + left is also outside", "click"),
    ("Left drag", "Paint; without the brush, move the image", ""),
    ("Right drag", "Erase; without the brush, window and level", ""),
    ("Ctrl + right drag", "Window and level, even with the brush", ""),
    ("Middle drag", "Move the image", ""),
    ("Double click", "Without the brush: zoom to the heart and back", ""),
    ("Contours: left drag", "On a point: move it; on the line: pull it; elsewhere: redraw that part", "contour"),
    ("Contours: Shift + left drag or clicks", "Draw a new contour; click its first point to close it", "contour"),
    ("Contours: Ctrl + click, double click", "Add a point", "contour"),
    ("Contours: right click a point", "Delete it", "contour"),
    ("Click a slice line in a long-axis view", "Go to that slice", "long_axis"),
    ("Montage: click, double click", "Select the frame; open it alone", "layout_montage"),
    ("Montage: wheel, Ctrl + wheel", "Scroll; resize the thumbnails", "layout_montage"),
)
"""How, what, and the action without which the mouse does not do it; empty for none."""


def mouse_of(specs: Sequence[ActionSpec]) -> list[tuple[str, str]]:
    """What the mouse does over the frame, (how, what), for the sheet of keys."""
    known = {"", *(spec.id for spec in specs)}
    return [(how, what) for how, what, needed in _MOUSE if needed in known]


def keys_of(spec: ActionSpec, chosen: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Keys of an action: the reader's own if set, else those of the table."""
    return tuple(chosen.get(spec.id, spec.keys))


def shown_keys(keys: Sequence[str]) -> str:
    """Keys in the notation of this platform; empty without keys."""
    shown = [QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText) for key in keys]
    return " or ".join(dict.fromkeys(shown))


def tip_of(spec: ActionSpec, keys: Sequence[str]) -> str:
    """The tip followed by its keys."""
    return f"{spec.tip} ({shown_keys(keys)})" if keys else spec.tip


def build_actions(
    parent: QObject, specs: Iterable[ActionSpec], chosen_keys: Mapping[str, Sequence[str]] | None = None
) -> dict[str, QAction]:
    """Make a Qt action from each row of the table, by id.

    Args:
        parent: Owner; a window, so that the keys work all over it.
        specs: The table.
        chosen_keys: The reader's own keys by action id.
    """
    actions = {}
    for spec in specs:
        action = QAction(spec.text, parent)
        action.setObjectName(spec.id)
        action.setCheckable(spec.checkable)
        action.setIconText(spec.short or spec.plain_text)
        if spec.icon:
            action.setIcon(icon(spec.icon))
        give_keys(action, spec, keys_of(spec, chosen_keys or {}))
        actions[spec.id] = action
    return actions


def give_keys(action: QAction, spec: ActionSpec, keys: Sequence[str]) -> None:
    """Set the keys of an action and add them to its tip."""
    action.setShortcuts([QKeySequence(key) for key in keys])
    action.setToolTip(tip_of(spec, keys))
    action.setStatusTip("")
