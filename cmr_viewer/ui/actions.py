# ruff: noqa: E501 - one row per action reads as a table
"""The one table of what a reader can do: menus, buttons, keys, tips and the sheet of keys are made from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction, QKeySequence

from cmr_viewer.ui.theme import icon


class When(Enum):
    """What must be so for an action to be possible."""

    ALWAYS = "always"
    STUDY = "a study is open"
    MASK = "the frame has a label map"
    REGION = "the frame has a region"
    UNDO = "there is something to undo"
    REDO = "there is something to redo"
    PROPOSAL = "a new prediction, or what a tool made, is offered"
    IDLE = "no training runs"
    TRAINING = "a training runs"
    OPENING = "a study is being loaded"
    CHOICES = "the study offers several stacks, or slices that were acquired more than once"
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
    """One thing that a reader can do.

    Attributes:
        id: What code and settings call it.
        text: What the menu says.
        keys: Its keys as Qt's portable text, the one that is shown first.
        tip: What it does, in a sentence.
        menu: The menu that holds it.
        when: What must be so for it to be possible.
        icon: Name in `resources/icons`, or empty.
        checkable: Whether it is on or off.
        section: Actions of a menu with the same section stand together.
        short: What a button says; empty for the menu's text.
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


_A = ActionSpec

# fmt: off
ACTIONS: tuple[ActionSpec, ...] = (
    _A("open_folder", "Open &folder…", ("Ctrl+O",), "Open a folder of DICOM files", Menu.FILE, When.ALWAYS, "folder", short="Folder"),
    _A("open_file", "Open f&ile…", ("Ctrl+Shift+O",), "Open a NIfTI, MHA or NRRD file", Menu.FILE, When.ALWAYS, "file", short="File"),
    _A("open_demo", "Open the &demo study", (), "Open the study that comes with the program", Menu.FILE, When.ALWAYS, "demo", short="Demo"),
    _A("cancel_opening", "Ca&ncel opening", ("Esc",), "Stop loading the study; the one that is open stays", Menu.FILE, When.OPENING, "stop"),
    _A("worklist", "&Worklist", ("Ctrl+L",), "Show all studies of the workspace: sort, filter and search them", Menu.FILE, When.ALWAYS, "list", checkable=True, section=5),
    _A("next_unread", "Next unread st&udy", ("Shift+N",), "Open the next study of the worklist that nobody has begun", Menu.FILE, When.ALWAYS, "next", section=5, short="Next unread"),
    _A("flag_study", "Fla&g the study…", ("Ctrl+Shift+F",), "Put a word beside a study in the worklist, such as why somebody else should look at it", Menu.FILE, When.ALWAYS, "flag", section=5, short="Flag"),
    _A("import_labels", "I&mport contours or label maps…", ("Ctrl+I",), "Take contours or label maps of another program for this study", Menu.FILE, icon="import", section=1),
    _A("import_folder", "Import contours from a fo&lder…", ("Ctrl+Shift+I",), "Take a folder of contour files for this study", Menu.FILE, section=1),
    _A("export_labels", "&Export label maps…", ("Ctrl+E",), "Write the label maps as NIfTI on the grid of the input", Menu.FILE, icon="export", section=2),
    _A("export", "Ex&port…", ("Ctrl+Shift+E",), "Write label maps, images, contours, measures or regions, in the forms that you choose", Menu.FILE, section=2),
    _A("report", "&Report…", ("Ctrl+Shift+R",), "Write a report with pictures, measures and who changed what: PDF, HTML or CSV", Menu.FILE, icon="report", section=2, short="Report"),
    _A("close_study", "&Close study", ("Ctrl+W",), "Close the study; everything is kept", Menu.FILE, section=3),
    _A("settings", "&Settings…", ("Ctrl+,",), "Reader's name, theme, retraining and colours", Menu.FILE, When.ALWAYS, "settings", section=4),
    _A("quit", "&Quit", ("Ctrl+Q",), "Close the program; everything is kept", Menu.FILE, When.ALWAYS, section=4),
    _A("choose_stack", "&Stacks in this study…", ("Ctrl+T",), "Choose another stack, or another acquisition of a slice", Menu.STUDY, When.CHOICES, "stacks", short="Stacks"),
    _A("turn_round", "&Turn base and apex round", ("Ctrl+B",), "The base is at the other end; what was made of a frame stays with it", Menu.STUDY, When.SLICES, "turn_round", short="Turn round"),
    _A("correct_spacing", "Correct s&pacing…", (), "Say how far rows, columns and slices are apart, where the file does not or is wrong", Menu.STUDY, icon="spacing", short="Spacing"),
    _A("slice_axis", "S&lices along another axis", (), "Take the next axis of the file for that of the slices, where the wrong one was found", Menu.STUDY, When.VOLUME, short="Slice axis"),
    _A("any_size", "Heart of any si&ze", (), "Give volumes that no human heart has, as of a small animal or a newborn; again: withhold them", Menu.STUDY, short="Any size"),
    _A("study_notes", "&Notes on this study", ("F3",), "Read everything that stood out when the study was loaded", Menu.STUDY, icon="notes", section=1, short="Notes"),
    _A("patient", "Pat&ient and body size…", ("Ctrl+Shift+P",), "Say sex, age, height, weight and heart rate, and how papillary muscles are counted", Menu.STUDY, icon="patient", section=2, short="Patient"),
    _A("copy_measures", "&Copy the measures", ("Ctrl+Shift+C",), "Copy all measures as a table to the clipboard", Menu.STUDY, icon="copy", section=2, short="Copy"),
    _A("insertion_anterior", "RV insertion point &anterior here", ("Ctrl+Alt+A",), "The anterior RV insertion is under the pointer; at ED or ES", Menu.STUDY, section=3),
    _A("insertion_inferior", "RV insertion point in&ferior here", ("Ctrl+Alt+I",), "The inferior RV insertion is under the pointer; at ED or ES", Menu.STUDY, section=3),
    _A("insertion_found", "RV insertion points as f&ound", (), "Leave the RV insertion points to the label maps again", Menu.STUDY, section=3, short="Points as found"),
    _A("undo", "&Undo", ("Ctrl+Z",), "Take the last change back", Menu.EDIT, When.UNDO, "undo"),
    _A("redo", "&Redo", ("Ctrl+Shift+Z", "Ctrl+Y"), "Make the change again that was taken back", Menu.EDIT, When.REDO, "redo"),
    _A("brush", "&Brush", ("B",), "Paint with the mouse; right button erases. Off: left button moves the frame", Menu.EDIT, icon="brush", checkable=True, section=1, short="Brush"),
    _A("label_lvbp", "Paint &LV blood pool", ("1",), "Paint LV blood pool", Menu.EDIT, checkable=True, section=1, short="LV pool"),
    _A("label_lvm", "Paint LV &myocardium", ("2",), "Paint LV myocardium", Menu.EDIT, checkable=True, section=1, short="Myocardium"),
    _A("label_rvbp", "Pai&nt RV blood pool", ("3",), "Paint RV blood pool", Menu.EDIT, checkable=True, section=1, short="RV pool"),
    _A("label_erase", "&Erase", ("0",), "Erase with the left button", Menu.EDIT, icon="eraser", checkable=True, section=1, short="Erase"),
    _A("contour", "C&ontours", ("O",), "Drag, pull and draw contours: 1 LV endocardium, 2 LV epicardium, 3 RV endocardium", Menu.EDIT, icon="contour", checkable=True, section=1, short="Contours"),
    _A("brush_smaller", "&Smaller brush", ("[",), "Make the brush smaller", Menu.EDIT, section=2),
    _A("brush_larger", "L&arger brush", ("]",), "Make the brush larger", Menu.EDIT, section=2),
    _A("copy_to_next_slice", "&Copy to next slice", ("C",), "Copy the label map to the next slice towards the apex, and go there", Menu.EDIT, When.MASK, "copy", section=3),
    _A("clear_frame", "Clear the &frame", ("Del",), "Remove every label of the frame", Menu.EDIT, When.MASK, "trash", section=3),
    _A("ball_brush", "Brush through s&lices", ("Shift+B",), "Make the brush a ball: it paints the neighbouring slices too, as far as its radius reaches", Menu.TOOLS, icon="ball", checkable=True),
    _A("all_labels", "Correct &all labels", ("A",), "Tools change all labels instead of the chosen one", Menu.TOOLS, checkable=True, section=1, short="All labels"),
    _A("reach_frame", "Reach: this frame", (), "Tools correct this frame", Menu.TOOLS, checkable=True, section=1, short="Frame"),
    _A("reach_slice", "Reach: this slice, all phases", (), "Shape, ring and move correct this slice at all phases", Menu.TOOLS, checkable=True, section=1, short="Slice"),
    _A("reach_phase", "Reach: this phase, all slices", (), "Shape, ring and move correct all slices of this phase", Menu.TOOLS, checkable=True, section=1, short="Phase"),
    _A("reach_study", "Reach: the whole study", (), "Shape, ring and move correct every frame", Menu.TOOLS, checkable=True, section=1, short="Study"),
    _A("tool_fill_holes", "&Fill holes", ("Shift+H",), "Fill what the outline shuts in", Menu.TOOLS, icon="fill_holes", section=2),
    _A("tool_fill_here", "Fill &here", ("Shift+F",), "Fill the closed region under the pointer with the chosen label", Menu.TOOLS, icon="fill_here", section=2),
    _A("tool_smooth", "&Smooth", ("Shift+S",), "Smooth the outline; its area stays", Menu.TOOLS, icon="smooth", section=2),
    _A("tool_grow", "&Grow", (".",), "Move the outline outwards by a step", Menu.TOOLS, icon="grow", section=2),
    _A("tool_shrink", "Shrin&k", (",",), "Move the outline inwards by a step", Menu.TOOLS, icon="shrink", section=2),
    _A("tool_keep_largest", "Keep the larg&est piece", ("Shift+K",), "Drop all pieces of the label but the largest", Menu.TOOLS, icon="largest", section=2),
    _A("tool_remove", "&Delete label", ("Shift+Del",), "Delete the chosen label, as far as tools reach", Menu.TOOLS, icon="delete_label", section=2),
    _A("tool_ring", "Draw a &ring of myocardium", ("Shift+M",), "Draw myocardium of one thickness all round the LV blood pool", Menu.TOOLS, icon="ring", section=3),
    _A("tool_close_ring", "&Close the ring", ("Shift+R",), "Draw myocardium where it is missing around the LV blood pool", Menu.TOOLS, icon="close_ring", section=3),
    _A("tool_papillaries", "Include &papillary muscles", ("Shift+P",), "Let the LV blood pool take in what lies inside its convex hull", Menu.TOOLS, icon="papillaries", section=3),
    _A("nudge_up", "Nudge &up", ("Alt+Up",), "Move the outline a pixel up", Menu.TOOLS, icon="nudge_up", section=4),
    _A("nudge_down", "Nudge d&own", ("Alt+Down",), "Move the outline a pixel down", Menu.TOOLS, icon="nudge_down", section=4),
    _A("nudge_left", "Nudge left", ("Alt+Left",), "Move the outline a pixel to the left", Menu.TOOLS, icon="nudge_left", section=4),
    _A("nudge_right", "Nudge right", ("Alt+Right",), "Move the outline a pixel to the right", Menu.TOOLS, icon="nudge_right", section=4),
    _A("copy_base", "Copy from the slice towards the &base", ("Shift+Up",), "Take over the chosen label, or all, from the next slice towards the base", Menu.TOOLS, icon="copy_base", section=5),
    _A("copy_apex", "Copy from the slice towards the ape&x", ("Shift+Down",), "Take over the chosen label, or all, from the next slice towards the apex", Menu.TOOLS, icon="copy_apex", section=5),
    _A("copy_before", "Copy from the phase before", ("Shift+Left",), "Take over the chosen label, or all, from the phase before", Menu.TOOLS, icon="copy_before", section=5),
    _A("copy_after", "Copy from the phase after", ("Shift+Right",), "Take over the chosen label, or all, from the phase after", Menu.TOOLS, icon="copy_after", section=5),
    _A("interpolate_slices", "&Interpolate slices", ("I",), "Fill the slices of this phase that lie between corrected ones", Menu.TOOLS, icon="between_slices", section=6),
    _A("interpolate_phases", "Interpolate phases", ("Shift+I",), "Fill the phases of this slice that lie between corrected ones", Menu.TOOLS, icon="between_phases", section=6),
    _A("click", "Click i&nside or outside", ("Q",), "Segment around clicks: left is inside the chosen label, right or Shift+left is outside", Menu.TOOLS, icon="click", checkable=True, section=7, short="Click"),
    _A("propagate", "Propaga&te through the phases", ("R",), "Offer the phases of this slice that are not corrected, carried along with the heart from those that are", Menu.TOOLS, icon="propagate", section=7, short="Propagate"),
    _A("propagate_over", "Propagate this fra&me over all phases", ("Alt+R",), "Offer all other phases of this slice from this frame alone, also those that are corrected", Menu.TOOLS, When.MASK, "propagate_over", section=7),
    _A("refine_base", "Copy from the slice towards the base, refined", ("Ctrl+Up",), "Offer the label map of the next slice towards the base, fitted to this image", Menu.TOOLS, icon="refine_base", section=8),
    _A("refine_apex", "Copy from the slice towards the apex, refined", ("Ctrl+Down",), "Offer the label map of the next slice towards the apex, fitted to this image", Menu.TOOLS, icon="refine_apex", section=8),
    _A("refine_before", "Copy from the phase before, refined", ("Ctrl+Left",), "Offer the label map of the phase before, fitted to this image", Menu.TOOLS, icon="refine_before", section=8),
    _A("refine_after", "Copy from the phase after, refined", ("Ctrl+Right",), "Offer the label map of the phase after, fitted to this image", Menu.TOOLS, icon="refine_after", section=8),
    _A("slice_up", "Slice towards &base", ("Up",), "Go one slice towards the base", Menu.GO),
    _A("slice_down", "Slice towards &apex", ("Down",), "Go one slice towards the apex", Menu.GO),
    _A("phase_previous", "&Previous phase", ("Left",), "Go one phase back", Menu.GO, icon="chevron_left"),
    _A("phase_next", "&Next phase", ("Right",), "Go one phase on", Menu.GO, icon="chevron_right"),
    _A("play", "P&lay cine", ("Space", "P"), "Play the slice through the cardiac cycle at its true speed", Menu.GO, icon="play", checkable=True, section=1),
    _A("go_ed", "Go to &end-diastole", ("D",), "Go to end-diastole", Menu.GO, section=2),
    _A("go_es", "Go to end-&systole", ("S",), "Go to end-systole", Menu.GO, section=2),
    _A("set_ed", "This phase &is end-diastole", ("Alt+D",), "Set end-diastole to this phase", Menu.GO, section=3),
    _A("set_es", "This phase is end-s&ystole", ("Alt+S",), "Set end-systole to this phase", Menu.GO, section=3),
    _A("hide_masks", "&Hide masks", ("H",), "Hide or show outlines and fills", Menu.VIEW, icon="eye", checkable=True),
    _A("exact_edges", "E&xact pixel edges", ("X",), "Draw outlines along the edges of the pixels instead of smooth", Menu.VIEW, checkable=True, short="Pixel edges"),
    _A("zoom_heart", "&Zoom to the heart", ("Z",), "Zoom to what moves", Menu.VIEW, icon="heart_zoom", section=1),
    _A("zoom_fit", "Whole &frame", ("F",), "Show the whole frame", Menu.VIEW, icon="fit", section=1),
    _A("zoom_in", "Zoom &in", ("Ctrl++", "Ctrl+="), "Zoom in", Menu.VIEW, section=1),
    _A("zoom_out", "Zoom &out", ("Ctrl+-",), "Zoom out", Menu.VIEW, section=1),
    _A("window_auto", "&Window and level from the study", ("W",), "Set window and level back to what suits the study", Menu.VIEW, icon="contrast", section=1),
    _A("grid", "&Grid of all phases", ("G",), "Thumbnails: all phases as a grid, or the slices of this phase as a strip", Menu.VIEW, icon="grid", checkable=True, section=2),
    _A("long_axis", "&Long-axis views", ("L",), "Show the long-axis cines with the lines of the slices on them", Menu.VIEW, When.LONG_AXIS, "long_axis", checkable=True, section=2),
    _A("long_axis_next", "Nex&t long-axis view", ("Shift+L",), "Show the next of the long-axis cines", Menu.VIEW, When.LONG_AXIS, "chevron_right", section=2),
    _A("layout_single", "&Single frame", ("F5",), "One frame, as large as there is room", Menu.VIEW, icon="layout_single", checkable=True, section=5, short="Single"),
    _A("layout_ed_es", "ED and ES side &by side", ("F6",), "The slice at end-diastole and at end-systole; both can be corrected", Menu.VIEW, icon="layout_ed_es", checkable=True, section=5, short="ED and ES"),
    _A("layout_before_after", "Before &and after", ("F7",), "The frame as it was beside the frame as it is, and the difference in ml", Menu.VIEW, icon="layout_before_after", checkable=True, section=5, short="Before and after"),
    _A("layout_montage", "Mo&ntage", ("F8",), "Many frames at once: slices and phases, ED and ES, or all slices of a phase", Menu.VIEW, icon="layout_montage", checkable=True, section=5, short="Montage"),
    _A("page_frame", "Page: Frame", ("Ctrl+1",), "Region and correction of the frame on show", Menu.VIEW, When.ALWAYS, section=3),
    _A("page_measures", "Page: Measures", ("Ctrl+2",), "Volumes, curve and wall of the study", Menu.VIEW, When.ALWAYS, section=3),
    _A("page_review", "Page: Review", ("Ctrl+3",), "What to look at next, and what stands out", Menu.VIEW, When.ALWAYS, section=3),
    _A("page_models", "Page: Models", ("Ctrl+4",), "The models in service and their retraining", Menu.VIEW, When.ALWAYS, section=3),
    _A("full_screen", "F&ull screen", ("F11",), "Fill the screen", Menu.VIEW, When.ALWAYS, checkable=True, section=2),
    _A("theme_system", "Theme of the s&ystem", (), "Light or dark, as the system is", Menu.VIEW, When.ALWAYS, checkable=True, section=4),
    _A("theme_light", "Light them&e", (), "A light window; images stay on black", Menu.VIEW, When.ALWAYS, checkable=True, section=4),
    _A("theme_dark", "&Dark theme", (), "A dark window, for dark rooms", Menu.VIEW, When.ALWAYS, checkable=True, section=4),
    _A("region_base", "Region: &base", ("Shift+1",), "This frame is base: its specialist segments it", Menu.REVIEW),
    _A("region_middle", "Region: &middle", ("Shift+2",), "This frame is middle: its specialist segments it", Menu.REVIEW),
    _A("region_apex", "Region: &apex", ("Shift+3",), "This frame is apex: its specialist segments it", Menu.REVIEW),
    _A("region_non_cardiac", "Region: &non-cardiac", ("Shift+4",), "This frame is non-cardiac: the baseline segments it", Menu.REVIEW),
    _A("region_all_phases", "This region at a&ll phases", ("Shift+5",), "Give this slice the frame's region at all phases, as one step; else a region counts for this phase alone", Menu.REVIEW, When.REGION, short="Same region at all phases"),
    _A("accept", "A&ccept frame", ("Return", "Enter"), "Accept the frame's region and label map", Menu.REVIEW, When.REGION, "check", section=1, short="Accept frame"),
    _A("accept_slice", "Accept the &slice", ("Shift+Return",), "Accept this slice at all phases", Menu.REVIEW, section=1),
    _A("accept_phase", "Accept the &phase", ("Ctrl+Shift+Return",), "Accept this phase in all slices", Menu.REVIEW, section=1),
    _A("accept_all", "Accept the &whole study", ("Ctrl+Return",), "Accept every frame that is segmented", Menu.REVIEW, section=1),
    _A("next_review", "Ne&xt to review", ("N",), "Go to the frame that needs a look most", Menu.REVIEW, icon="next", section=1, short="Next"),
    _A("analyse", "Compute what is m&issing", ("Ctrl+R",), "Find regions and label maps that are missing, such as after Cancel", Menu.REVIEW, icon="train", section=2),
    _A("proposal_show", "Sh&ow what is offered", ("V",), "Show what is offered, dashed, beside your label map", Menu.REVIEW, When.PROPOSAL, checkable=True, section=3, short="Show"),
    _A("proposal_take", "&Take what is offered", ("T",), "Replace your label map with what is offered; can be undone", Menu.REVIEW, When.PROPOSAL, section=3, short="Take"),
    _A("proposal_keep", "&Keep mine", ("K",), "Keep your label map and drop what is offered", Menu.REVIEW, When.PROPOSAL, section=3, short="Keep mine"),
    _A("read_begin", "Begin a secon&d read…", ("Ctrl+Alt+B",), "Let somebody else read the study again, blinded or not", Menu.REVIEW, icon="reads", section=4, short="Second read"),
    _A("read_other", "Show the other &read", ("Ctrl+Alt+R",), "Go from the first read to the last other one, and back", Menu.REVIEW, section=4, short="Other read"),
    _A("read_finish", "&Finish this read", ("Ctrl+Alt+F",), "Finish the second read or the adjudication on show; nothing of it changes any more", Menu.REVIEW, icon="check", section=4, short="Finish"),
    _A("read_compare", "Compare the reads", ("Ctrl+Alt+C",), "Compare the first read with the second, frame by frame", Menu.REVIEW, section=4, short="Compare"),
    _A("comparison_export", "Export the comparison…", (), "Write the comparison of the reads as CSV or JSON", Menu.REVIEW, icon="export", section=4, short="Export"),
    _A("read_adjudicate", "Ad&judicate the reads…", ("Ctrl+Alt+J",), "Decide where the reads differ; what they agree on is taken over", Menu.REVIEW, section=5, short="Adjudicate"),
    _A("take_first", "Take it from the first read", ("Alt+1",), "Take this frame as the first reader left it, and accept it", Menu.REVIEW, section=5, short="Take first"),
    _A("take_second", "Take it from the second read", ("Alt+2",), "Take this frame as the second reader left it, and accept it", Menu.REVIEW, section=5, short="Take second"),
    _A("read_outlines", "O&utlines of the other reads", ("Shift+V",), "Show the outlines of the reads beside, dashed", Menu.REVIEW, checkable=True, section=5, short="Outlines"),
    _A("retrain_base", "Retrain the &base specialist", (), "Retrain it in the background from the accepted frames", Menu.MODELS, When.IDLE, "train", short="Retrain"),
    _A("retrain_middle", "Retrain the &middle specialist", (), "Retrain it in the background from the accepted frames", Menu.MODELS, When.IDLE, "train", short="Retrain"),
    _A("retrain_apex", "Retrain the &apex specialist", (), "Retrain it in the background from the accepted frames", Menu.MODELS, When.IDLE, "train", short="Retrain"),
    _A("cancel_training", "&Cancel training", (), "Stop the training; the active model stays", Menu.MODELS, When.TRAINING, "stop", section=1, short="Cancel"),
    _A("keys", "&Keys and mouse", ("F1",), "Show all keys", Menu.HELP, When.ALWAYS, "keys"),
    _A("change_keys", "Chang&e keys…", (), "Give actions other keys, or take those of another program", Menu.HELP, When.ALWAYS),
    _A("command_palette", "&Find an action…", ("Ctrl+K",), "Find any action or study by typing a part of its name", Menu.HELP, When.ALWAYS, "search"),
    _A("tour", "&Tour of the program", (), "See the parts of the window on the demo study, in two minutes", Menu.HELP, When.ALWAYS),
    _A("messages", "&Messages", ("F2",), "Show the warnings and messages since the start", Menu.HELP, When.ALWAYS, "bell"),
    _A("open_logs", "Open the folder of &logs", (), "Show the folder where the log of each run lies", Menu.HELP, When.ALWAYS, section=1),
    _A("about", "&About CMR Viewer", (), "Version, licence and what the program is for", Menu.HELP, When.ALWAYS, "info", section=1),
)
# fmt: on
"""Everything a reader can do, in the order of the menus."""

MOUSE: tuple[tuple[str, str], ...] = (
    ("Wheel", "Slice"),
    ("Shift + wheel", "Phase"),
    ("Ctrl + wheel, pinch", "Zoom at the pointer"),
    ("Alt + wheel", "Brush size"),
    ("Left, right click", "In click mode: inside, outside of the chosen label; Shift + left is outside too"),
    ("Left drag", "Paint; without the brush, move the frame"),
    ("Right drag", "Erase; without the brush, window and level"),
    ("Ctrl + right drag", "Window and level, with the brush too"),
    ("Middle drag", "Move the frame"),
    ("Double click", "Without the brush: zoom to the heart, and back"),
    ("Contours: left drag", "At a knot, move it; at the line, pull it; elsewhere, draw that part anew"),
    ("Contours: Shift + left drag or clicks", "Draw a new contour; a click at its first point closes it"),
    ("Contours: Ctrl + click, double click", "Add a knot"),
    ("Contours: right click a knot", "Remove it"),
    ("Click a line of a long-axis view", "Go to that slice"),
    ("Montage: click, double click", "Choose the frame; open it alone"),
    ("Montage: wheel, Ctrl + wheel", "Scroll; size of the thumbnails"),
)
"""What the mouse does over the frame, for the sheet of keys."""


def keys_of(spec: ActionSpec, chosen: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Keys of an action: the reader's where some were chosen, else the table's."""
    return tuple(chosen.get(spec.id, spec.keys))


def shown_keys(keys: Sequence[str]) -> str:
    """Keys as this platform writes them, or an empty text."""
    shown = [QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText) for key in keys]
    return " or ".join(dict.fromkeys(shown))


def tip_of(spec: ActionSpec, keys: Sequence[str]) -> str:
    """The tip with the key behind it."""
    return f"{spec.tip} ({shown_keys(keys)})" if keys else spec.tip


def build_actions(parent: QObject, chosen_keys: Mapping[str, Sequence[str]] | None = None) -> dict[str, QAction]:
    """Make a Qt action of every row of the table.

    Args:
        parent: Owner; a window, so that the keys work all over it.
        chosen_keys: The reader's own keys by action id.
    """
    actions = {}
    for spec in ACTIONS:
        action = QAction(spec.text, parent)
        action.setObjectName(spec.id)
        action.setCheckable(spec.checkable)
        action.setIconText(spec.short or spec.text.replace("&", "").rstrip("…"))
        if spec.icon:
            action.setIcon(icon(spec.icon))
        give_keys(action, spec, keys_of(spec, chosen_keys or {}))
        actions[spec.id] = action
    return actions


def give_keys(action: QAction, spec: ActionSpec, keys: Sequence[str]) -> None:
    """Set the keys of an action, and name them in its tip."""
    action.setShortcuts([QKeySequence(key) for key in keys])
    action.setToolTip(tip_of(spec, keys))
    action.setStatusTip("")
