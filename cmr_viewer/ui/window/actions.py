# ruff: noqa: E501 - one row per action reads as a table
"""The table of all actions: the source of menus, buttons, keys, tooltips and the sheet of keys."""

from collections.abc import Mapping, Sequence
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
        section: Groups actions in the menu.
        short: Text on buttons; empty for the menu's text.
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
    _A("cancel_opening", "Ca&ncel opening", ("Esc",), "Stop loading; the study that is open stays open", Menu.FILE, When.OPENING, "stop"),
    _A("worklist", "&Worklist", ("Ctrl+L",), "List all studies in the workspace: sort, filter and search", Menu.FILE, When.ALWAYS, "list", checkable=True, section=5),
    _A("next_unread", "Next unread st&udy", ("Shift+N",), "Open the next study in the worklist that no one has started", Menu.FILE, When.ALWAYS, "next", section=5, short="Next unread"),
    _A("flag_study", "Fla&g study…", ("Ctrl+Shift+F",), "Add a short remark to a study in the worklist, such as why it needs a second opinion", Menu.FILE, When.ALWAYS, "flag", section=5, short="Flag"),
    _A("import_labels", "I&mport contours or label maps…", ("Ctrl+I",), "Import contours or label maps from another program for this study", Menu.FILE, icon="import", section=1),
    _A("import_folder", "Import contours from a fo&lder…", ("Ctrl+Shift+I",), "Import a folder of contour files for this study", Menu.FILE, section=1),
    _A("export_labels", "&Export label maps…", ("Ctrl+E",), "Export the label maps as NIfTI on the grid of the original images", Menu.FILE, icon="export", section=2),
    _A("export", "Ex&port…", ("Ctrl+Shift+E",), "Export label maps, images, contours, measures or regions in the formats you choose", Menu.FILE, section=2),
    _A("report", "&Report…", ("Ctrl+Shift+R",), "Write a report with pictures, measures and the history of changes: PDF, HTML or CSV", Menu.FILE, icon="report", section=2, short="Report"),
    _A("close_study", "&Close study", ("Ctrl+W",), "Close the study; your work is saved", Menu.FILE, section=3),
    _A("settings", "&Settings…", ("Ctrl+,",), "Set the reader's name, theme, automatic retraining and colours", Menu.FILE, When.ALWAYS, "settings", section=4),
    _A("quit", "&Quit", ("Ctrl+Q",), "Close the program; your work is saved", Menu.FILE, When.ALWAYS, section=4),
    _A("choose_stack", "&Stacks in this study…", ("Ctrl+T",), "Choose another stack, or another acquisition of a slice", Menu.STUDY, When.CHOICES, "stacks", short="Stacks"),
    _A("turn_round", "S&wap base and apex", ("Ctrl+B",), "Use this if the base is at the wrong end; regions and label maps stay with their frames", Menu.STUDY, When.SLICES, "turn_round", short="Swap base and apex"),
    _A("correct_spacing", "Correct s&pacing…", (), "Set the distances between rows, columns and slices if the file has none or wrong ones", Menu.STUDY, icon="spacing", short="Spacing"),
    _A("slice_axis", "Change s&lice axis", (), "Use the next axis of the file as the slice axis if the detected one is wrong", Menu.STUDY, When.VOLUME, short="Slice axis"),
    _A("any_size", "Allow any heart si&ze", (), "Show volumes outside the human range, for a small animal or a newborn; choose again to withhold them", Menu.STUDY, short="Any size"),
    _A("study_notes", "&Notes on this study", ("F3",), "Read all notes from loading this study", Menu.STUDY, icon="notes", section=1, short="Notes"),
    _A("patient", "Pat&ient and body size…", ("Ctrl+Shift+P",), "Set sex, age, height, weight, heart rate and how papillary muscles are counted", Menu.STUDY, icon="patient", section=2, short="Patient"),
    _A("copy_measures", "&Copy measures", ("Ctrl+Shift+C",), "Copy all measures to the clipboard as a table", Menu.STUDY, icon="copy", section=2, short="Copy"),
    _A("insertion_anterior", "Set &anterior RV insertion point here", ("Ctrl+Alt+A",), "Set the anterior RV insertion point under the pointer, at ED or ES", Menu.STUDY, section=3),
    _A("insertion_inferior", "Set in&ferior RV insertion point here", ("Ctrl+Alt+I",), "Set the inferior RV insertion point under the pointer, at ED or ES", Menu.STUDY, section=3),
    _A("insertion_found", "Reset RV insertion p&oints to automatic", (), "Calculate the RV insertion points from the label maps again", Menu.STUDY, section=3, short="Reset to automatic"),
    _A("undo", "&Undo", ("Ctrl+Z",), "Undo the last change", Menu.EDIT, When.UNDO, "undo"),
    _A("redo", "&Redo", ("Ctrl+Shift+Z", "Ctrl+Y"), "Redo the change that was undone last", Menu.EDIT, When.REDO, "redo"),
    _A("brush", "&Brush", ("B",), "Paint with the left button, erase with the right. When off, the left button moves the image", Menu.EDIT, icon="brush", checkable=True, section=1, short="Brush"),
    _A("label_lvbp", "Paint &LV blood pool", ("1",), "Paint LV blood pool", Menu.EDIT, checkable=True, section=1, short="LV pool"),
    _A("label_lvm", "Paint LV &myocardium", ("2",), "Paint LV myocardium", Menu.EDIT, checkable=True, section=1, short="Myocardium"),
    _A("label_rvbp", "Pai&nt RV blood pool", ("3",), "Paint RV blood pool", Menu.EDIT, checkable=True, section=1, short="RV pool"),
    _A("label_erase", "&Erase", ("0",), "Erase with the left button", Menu.EDIT, icon="eraser", checkable=True, section=1, short="Erase"),
    _A("contour", "C&ontours", ("O",), "Move, pull and draw contours: 1 LV endocardium, 2 LV epicardium, 3 RV endocardium", Menu.EDIT, icon="contour", checkable=True, section=1, short="Contours"),
    _A("brush_smaller", "&Smaller brush", ("[",), "Make the brush smaller", Menu.EDIT, section=2),
    _A("brush_larger", "L&arger brush", ("]",), "Make the brush larger", Menu.EDIT, section=2),
    _A("copy_to_next_slice", "&Copy to next slice", ("C",), "Copy the label map to the next slice towards the apex and go there", Menu.EDIT, When.MASK, "copy", section=3),
    _A("clear_frame", "Clear &frame", ("Del",), "Delete all labels in this frame", Menu.EDIT, When.MASK, "trash", section=3),
    _A("ball_brush", "3D brush across s&lices", ("Shift+B",), "Paint with a ball: the brush also paints neighbouring slices within its radius", Menu.TOOLS, icon="ball", checkable=True),
    _A("all_labels", "Correct &all labels", ("A",), "Tools change all labels, not only the chosen one", Menu.TOOLS, checkable=True, section=1, short="All labels"),
    _A("reach_frame", "Apply to this frame", (), "Tools correct this frame only", Menu.TOOLS, checkable=True, section=1, short="Frame"),
    _A("reach_slice", "Apply to this slice, all phases", (), "Shape, ring and move tools correct this slice at all phases", Menu.TOOLS, checkable=True, section=1, short="Slice"),
    _A("reach_phase", "Apply to this phase, all slices", (), "Shape, ring and move tools correct all slices of this phase", Menu.TOOLS, checkable=True, section=1, short="Phase"),
    _A("reach_study", "Apply to the whole study", (), "Shape, ring and move tools correct every frame", Menu.TOOLS, checkable=True, section=1, short="Study"),
    _A("tool_fill_holes", "&Fill holes", ("Shift+H",), "Fill holes inside the outline", Menu.TOOLS, icon="fill_holes", section=2),
    _A("tool_fill_here", "Fill &here", ("Shift+F",), "Fill the closed region under the pointer with the chosen label", Menu.TOOLS, icon="fill_here", section=2),
    _A("tool_smooth", "&Smooth", ("Shift+S",), "Smooth the outline; its area stays the same", Menu.TOOLS, icon="smooth", section=2),
    _A("tool_snap", "Snap contour to edge", ("Shift+E",), "Move the outline to the nearest edge of the image, by 4 mm at most", Menu.TOOLS, icon="snap", section=2),
    _A("tool_grow", "&Grow", (".",), "Move the outline outwards by one step", Menu.TOOLS, icon="grow", section=2),
    _A("tool_shrink", "Shrin&k", (",",), "Move the outline inwards by one step", Menu.TOOLS, icon="shrink", section=2),
    _A("tool_keep_largest", "Keep larg&est piece", ("Shift+K",), "Delete all pieces of the label except the largest", Menu.TOOLS, icon="largest", section=2),
    _A("tool_remove", "&Delete label", ("Shift+Del",), "Delete the chosen label in all frames that the tools apply to", Menu.TOOLS, icon="delete_label", section=2),
    _A("tool_ring", "Draw &ring of myocardium", ("Shift+M",), "Draw a ring of myocardium of even thickness around the LV blood pool", Menu.TOOLS, icon="ring", section=3),
    _A("tool_close_ring", "&Close ring", ("Shift+R",), "Fill gaps in the myocardium around the LV blood pool", Menu.TOOLS, icon="close_ring", section=3),
    _A("tool_papillaries", "Include &papillary muscles", ("Shift+P",), "Extend the LV blood pool to its convex hull", Menu.TOOLS, icon="papillaries", section=3),
    _A("nudge_up", "Nudge &up", ("Alt+Up",), "Move the outline up by one pixel", Menu.TOOLS, icon="nudge_up", section=4),
    _A("nudge_down", "Nudge d&own", ("Alt+Down",), "Move the outline down by one pixel", Menu.TOOLS, icon="nudge_down", section=4),
    _A("nudge_left", "Nudge left", ("Alt+Left",), "Move the outline left by one pixel", Menu.TOOLS, icon="nudge_left", section=4),
    _A("nudge_right", "Nudge right", ("Alt+Right",), "Move the outline right by one pixel", Menu.TOOLS, icon="nudge_right", section=4),
    _A("copy_base", "Copy from the slice towards the &base", ("Shift+Up",), "Copy the chosen label, or all labels, from the next slice towards the base", Menu.TOOLS, icon="copy_base", section=5),
    _A("copy_apex", "Copy from the slice towards the ape&x", ("Shift+Down",), "Copy the chosen label, or all labels, from the next slice towards the apex", Menu.TOOLS, icon="copy_apex", section=5),
    _A("copy_before", "Copy from the previous phase", ("Shift+Left",), "Copy the chosen label, or all labels, from the previous phase", Menu.TOOLS, icon="copy_before", section=5),
    _A("copy_after", "Copy from the next phase", ("Shift+Right",), "Copy the chosen label, or all labels, from the next phase", Menu.TOOLS, icon="copy_after", section=5),
    _A("interpolate_slices", "&Interpolate slices", ("I",), "Fill the slices between corrected slices of this phase", Menu.TOOLS, icon="between_slices", section=6),
    _A("interpolate_phases", "Interpolate phases", ("Shift+I",), "Fill the phases between corrected phases of this slice", Menu.TOOLS, icon="between_phases", section=6),
    _A("click", "Click i&nside or outside", ("Q",), "Segment from clicks: left click inside the chosen label, right or Shift+left click outside", Menu.TOOLS, icon="click", checkable=True, section=7, short="Click"),
    _A("propagate", "Propaga&te through phases", ("R",), "Suggest label maps for uncorrected phases of this slice, tracked from the corrected phases", Menu.TOOLS, icon="propagate", section=7, short="Propagate"),
    _A("propagate_over", "Propagate this fra&me to all phases", ("Alt+R",), "Suggest label maps for all other phases of this slice from this frame alone, including corrected phases", Menu.TOOLS, When.MASK, "propagate_over", section=7),
    _A("refine_base", "Copy from the slice towards the base, refined", ("Ctrl+Up",), "Suggest the label map of the next slice towards the base, fitted to this image", Menu.TOOLS, icon="refine_base", section=8),
    _A("refine_apex", "Copy from the slice towards the apex, refined", ("Ctrl+Down",), "Suggest the label map of the next slice towards the apex, fitted to this image", Menu.TOOLS, icon="refine_apex", section=8),
    _A("refine_before", "Copy from the previous phase, refined", ("Ctrl+Left",), "Suggest the label map of the previous phase, fitted to this image", Menu.TOOLS, icon="refine_before", section=8),
    _A("refine_after", "Copy from the next phase, refined", ("Ctrl+Right",), "Suggest the label map of the next phase, fitted to this image", Menu.TOOLS, icon="refine_after", section=8),
    _A("slice_up", "Slice towards &base", ("Up",), "Go one slice towards the base", Menu.GO),
    _A("slice_down", "Slice towards &apex", ("Down",), "Go one slice towards the apex", Menu.GO),
    _A("phase_previous", "&Previous phase", ("Left",), "Go one phase back", Menu.GO, icon="chevron_left"),
    _A("phase_next", "&Next phase", ("Right",), "Go one phase forward", Menu.GO, icon="chevron_right"),
    _A("play", "P&lay cine", ("Space", "P"), "Play the slice through the cardiac cycle at true speed", Menu.GO, icon="play", checkable=True, section=1),
    _A("go_ed", "Go to &end-diastole", ("D",), "Go to end-diastole", Menu.GO, section=2),
    _A("go_es", "Go to end-&systole", ("S",), "Go to end-systole", Menu.GO, section=2),
    _A("set_ed", "Set end-d&iastole here", ("Alt+D",), "Set end-diastole to this phase", Menu.GO, section=3),
    _A("set_es", "Set end-s&ystole here", ("Alt+S",), "Set end-systole to this phase", Menu.GO, section=3),
    _A("hide_masks", "&Hide masks", ("H",), "Hide or show outlines and fills", Menu.VIEW, icon="eye", checkable=True),
    _A("exact_edges", "E&xact pixel edges", ("X",), "Draw outlines along pixel edges instead of smoothed", Menu.VIEW, checkable=True, short="Pixel edges"),
    _A("zoom_heart", "&Zoom to the heart", ("Z",), "Zoom to the part of the image that moves", Menu.VIEW, icon="heart_zoom", section=1),
    _A("zoom_fit", "Whole &frame", ("F",), "Show the whole frame", Menu.VIEW, icon="fit", section=1),
    _A("zoom_in", "Zoom &in", ("Ctrl++", "Ctrl+="), "Zoom in", Menu.VIEW, section=1),
    _A("zoom_out", "Zoom &out", ("Ctrl+-",), "Zoom out", Menu.VIEW, section=1),
    _A("window_auto", "Automatic &window and level", ("W",), "Reset window and level to suit the study", Menu.VIEW, icon="contrast", section=1),
    _A("grid", "&Grid of all phases", ("G",), "Show thumbnails of all phases as a grid, or of this phase as a strip", Menu.VIEW, icon="grid", checkable=True, section=2),
    _A("long_axis", "&Long-axis views", ("L",), "Show the long-axis cines with the slice positions as lines", Menu.VIEW, When.LONG_AXIS, "long_axis", checkable=True, section=2),
    _A("long_axis_next", "Nex&t long-axis view", ("Shift+L",), "Show the next long-axis cine", Menu.VIEW, When.LONG_AXIS, "chevron_right", section=2),
    _A("layout_single", "&Single frame", ("F5",), "Show one frame as large as possible", Menu.VIEW, icon="layout_single", checkable=True, section=5, short="Single"),
    _A("layout_ed_es", "ED and ES side &by side", ("F6",), "Show the slice at end-diastole and end-systole; you can correct both", Menu.VIEW, icon="layout_ed_es", checkable=True, section=5, short="ED and ES"),
    _A("layout_before_after", "Before &and after", ("F7",), "Compare the frame before and after changes, with the difference in ml", Menu.VIEW, icon="layout_before_after", checkable=True, section=5, short="Before and after"),
    _A("layout_montage", "Mo&ntage", ("F8",), "Show many frames at once: slices and phases, ED and ES, or all slices of a phase", Menu.VIEW, icon="layout_montage", checkable=True, section=5, short="Montage"),
    _A("page_frame", "Page: Frame", ("Ctrl+1",), "Show the region and tools for the current frame", Menu.VIEW, When.ALWAYS, section=3),
    _A("page_measures", "Page: Measures", ("Ctrl+2",), "Show volumes, volume curve and wall of the study", Menu.VIEW, When.ALWAYS, section=3),
    _A("page_review", "Page: Review", ("Ctrl+3",), "Show the review queue, the reads and the effort", Menu.VIEW, When.ALWAYS, section=3),
    _A("page_models", "Page: Models", ("Ctrl+4",), "Show the models in use and retrain them", Menu.VIEW, When.ALWAYS, section=3),
    _A("full_screen", "F&ull screen", ("F11",), "Show the window in full screen", Menu.VIEW, When.ALWAYS, checkable=True, section=2),
    _A("theme_system", "S&ystem theme", (), "Use the light or dark theme of the operating system", Menu.VIEW, When.ALWAYS, checkable=True, section=4),
    _A("theme_light", "Light them&e", (), "Use a light window; images stay on black", Menu.VIEW, When.ALWAYS, checkable=True, section=4),
    _A("theme_dark", "&Dark theme", (), "Use a dark window, for dark reading rooms", Menu.VIEW, When.ALWAYS, checkable=True, section=4),
    _A("region_base", "Region: &base", ("Shift+1",), "Set the region to base; the base specialist segments the frame", Menu.REVIEW),
    _A("region_middle", "Region: &middle", ("Shift+2",), "Set the region to middle; the middle specialist segments the frame", Menu.REVIEW),
    _A("region_apex", "Region: &apex", ("Shift+3",), "Set the region to apex; the apex specialist segments the frame", Menu.REVIEW),
    _A("region_non_cardiac", "Region: &non-cardiac", ("Shift+4",), "Set the region to non-cardiac; the baseline model segments the frame", Menu.REVIEW),
    _A("region_all_phases", "Same region at a&ll phases", ("Shift+5",), "Apply this region to all phases of the slice in one step; otherwise it applies to this phase only", Menu.REVIEW, When.REGION, short="Same region at all phases"),
    _A("accept", "A&ccept frame", ("Return", "Enter"), "Accept the region and label map of this frame", Menu.REVIEW, When.REGION, "check", section=1, short="Accept frame"),
    _A("accept_slice", "Accept &slice", ("Shift+Return",), "Accept this slice at all phases", Menu.REVIEW, section=1),
    _A("accept_phase", "Accept &phase", ("Ctrl+Shift+Return",), "Accept this phase in all slices", Menu.REVIEW, section=1),
    _A("accept_all", "Accept &whole study", ("Ctrl+Return",), "Accept every segmented frame", Menu.REVIEW, section=1),
    _A("next_review", "Ne&xt to review", ("N",), "Go to the frame that most needs review", Menu.REVIEW, icon="next", section=1, short="Next"),
    _A("analyse", "Analyse m&issing frames", ("Ctrl+R",), "Find missing regions and label maps, for example after Cancel", Menu.REVIEW, icon="train", section=2),
    _A("proposal_show", "Sh&ow suggestion", ("V",), "Show the suggestion with dashed outlines, together with your label map", Menu.REVIEW, When.PROPOSAL, checkable=True, section=3, short="Show"),
    _A("proposal_take", "Use sugges&tion", ("T",), "Replace your label map with the suggestion; you can undo this", Menu.REVIEW, When.PROPOSAL, section=3, short="Use"),
    _A("proposal_keep", "&Keep mine", ("K",), "Keep your label map and discard the suggestion", Menu.REVIEW, When.PROPOSAL, section=3, short="Keep mine"),
    _A("read_begin", "Start secon&d read…", ("Ctrl+Alt+B",), "Let another reader read this study, blinded or not", Menu.REVIEW, icon="reads", section=4, short="Second read"),
    _A("read_other", "Show other &read", ("Ctrl+Alt+R",), "Switch between the first read and the latest other read", Menu.REVIEW, section=4, short="Other read"),
    _A("read_finish", "&Finish read", ("Ctrl+Alt+F",), "Finish the displayed second read or adjudication; it can no longer be changed", Menu.REVIEW, icon="check", section=4, short="Finish"),
    _A("read_compare", "Compare reads", ("Ctrl+Alt+C",), "Compare the first and second read frame by frame", Menu.REVIEW, section=4, short="Compare"),
    _A("comparison_export", "Export comparison…", (), "Export the comparison of the reads as CSV or JSON", Menu.REVIEW, icon="export", section=4, short="Export"),
    _A("read_adjudicate", "Ad&judicate reads…", ("Ctrl+Alt+J",), "Decide where the reads differ; frames on which they agree are copied", Menu.REVIEW, section=5, short="Adjudicate"),
    _A("take_first", "Use first read", ("Alt+1",), "Use this frame from the first read and accept it", Menu.REVIEW, section=5, short="Use first"),
    _A("take_second", "Use second read", ("Alt+2",), "Use this frame from the second read and accept it", Menu.REVIEW, section=5, short="Use second"),
    _A("read_outlines", "O&utlines of other reads", ("Shift+V",), "Show the other reads with dashed outlines", Menu.REVIEW, checkable=True, section=5, short="Outlines"),
    _A("retrain_base", "Retrain &base specialist", (), "Retrain in the background on the accepted frames", Menu.MODELS, When.IDLE, "train", short="Retrain"),
    _A("retrain_middle", "Retrain &middle specialist", (), "Retrain in the background on the accepted frames", Menu.MODELS, When.IDLE, "train", short="Retrain"),
    _A("retrain_apex", "Retrain &apex specialist", (), "Retrain in the background on the accepted frames", Menu.MODELS, When.IDLE, "train", short="Retrain"),
    _A("cancel_training", "&Cancel training", (), "Stop training; the current model stays in use", Menu.MODELS, When.TRAINING, "stop", section=1, short="Cancel"),
    _A("keys", "&Keys and mouse", ("F1",), "Show all keys and mouse actions", Menu.HELP, When.ALWAYS, "keys"),
    _A("change_keys", "Chang&e keys…", (), "Assign keys to actions, or use the keys of another program", Menu.HELP, When.ALWAYS),
    _A("command_palette", "&Find an action…", ("Ctrl+K",), "Find any action or study by typing part of its name", Menu.HELP, When.ALWAYS, "search"),
    _A("tour", "&Tour of the program", (), "Learn the parts of the window in two minutes", Menu.HELP, When.ALWAYS),
    _A("messages", "&Messages", ("F2",), "Show all warnings and messages since the program started", Menu.HELP, When.ALWAYS, "bell"),
    _A("open_logs", "Open &log folder", (), "Open the folder that contains the log of each run", Menu.HELP, When.ALWAYS, section=1),
    _A("about", "&About CMR Viewer", (), "Show the version, licence and purpose of the program", Menu.HELP, When.ALWAYS, "info", section=1),
)
# fmt: on
"""All actions, in the order of the menus."""

MOUSE: tuple[tuple[str, str], ...] = (
    ("Wheel", "Slice"),
    ("Shift + wheel", "Phase"),
    ("Ctrl + wheel, pinch", "Zoom at the pointer"),
    ("Alt + wheel", "Brush size"),
    ("Left, right click", "Click mode: inside, outside the chosen label; Shift + left is also outside"),
    ("Left drag", "Paint; without the brush, move the image"),
    ("Right drag", "Erase; without the brush, window and level"),
    ("Ctrl + right drag", "Window and level, even with the brush"),
    ("Middle drag", "Move the image"),
    ("Double click", "Without the brush: zoom to the heart and back"),
    ("Contours: left drag", "On a point: move it; on the line: pull it; elsewhere: redraw that part"),
    ("Contours: Shift + left drag or clicks", "Draw a new contour; click its first point to close it"),
    ("Contours: Ctrl + click, double click", "Add a point"),
    ("Contours: right click a point", "Delete it"),
    ("Click a slice line in a long-axis view", "Go to that slice"),
    ("Montage: click, double click", "Select the frame; open it alone"),
    ("Montage: wheel, Ctrl + wheel", "Scroll; resize the thumbnails"),
)
"""What the mouse does over the frame, for the sheet of keys."""


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


def build_actions(parent: QObject, chosen_keys: Mapping[str, Sequence[str]] | None = None) -> dict[str, QAction]:
    """Make a Qt action from each row of the table.

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
    """Set the keys of an action and add them to its tip."""
    action.setShortcuts([QKeySequence(key) for key in keys])
    action.setToolTip(tip_of(spec, keys))
    action.setStatusTip("")
