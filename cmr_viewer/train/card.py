"""The model card: what people should know of a model before they use it."""

from collections.abc import Mapping, Sequence
from typing import Any

from cmr_viewer.domain.anatomy import STRUCTURES, Region
from cmr_viewer.domain.role import Role
from cmr_viewer.prepare.plan import Plan

TERMS: Mapping[str, str] = {
    "acdc": "ACDC, CC BY-NC-SA 4.0: **non-commercial research only**. Cite Bernard et al. 2018, doi "
    "10.1109/TMI.2018.2837502.",
    "mnms": "M&Ms, open to the research community: taken as **non-commercial research only**. Cite Campello et al. "
    "2021, doi 10.1109/TMI.2021.3090082.",
    "dsb2": "Second Annual Data Science Bowl (2015), competition rules: **non-commercial research only**. Its labels "
    "are weak: the LV cavity alone, drawn by one person who is no expert.",
    "scd": "Sunnybrook Cardiac Data, CC0 1.0: in the public domain, with labels of the LV alone. Radau et al. 2009, "
    "http://hdl.handle.net/10380/3070.",
}
"""Terms of published sets, by what the names of their folders begin with."""

STARTED_FROM = "The terms of the model that the training started from hold as well: see the card of {}."
OWN_CORRECTIONS = (
    "Refined on accepted frames of a workspace. The licence and limits of the model it started from hold as well: see "
    "that model's card."
)
NOTICE = "Research software, not a medical device: not for diagnosis or treatment."

_PURPOSE = {
    Role.CLASSIFIER: "Says of each short-axis cine frame whether it shows the base, the middle, the apex or no heart.",
    Role.BASELINE: "Segments LV blood pool, LV myocardium and RV blood pool on frames of any level; finds the heart.",
    Role.BASE: "Segments frames of the base: LV blood pool, LV myocardium and RV blood pool.",
    Role.MIDDLE: "Segments mid-ventricular frames: LV blood pool, LV myocardium and RV blood pool.",
    Role.APEX: "Segments frames of the apex: LV blood pool, LV myocardium and RV blood pool.",
}

_FAILURES = {
    Role.CLASSIFIER: "Neighbours are confused: base with middle or non-cardiac, apex with middle. It does not know "
    "where in the stack a frame lies; the program decides the regions of a whole stack, which mends most of it.",
    Role.BASELINE: "Apical frames and the right ventricle at the base are the weakest.",
    Role.BASE: "Outflow tract and atria are taken for ventricle in places, and the reverse.",
    Role.MIDDLE: "Papillary muscles count as blood pool in most of the training labels, and so here.",
    Role.APEX: "Very small blood pools at end-systole are missed or drawn too large.",
}


def card_text(plan: Plan) -> str:
    """The card of a model, as Markdown.

    Args:
        plan: The model's plan; its figures become tables.
    """
    training = plan.training
    spec: Mapping[str, Any] = training.get("spec", {})
    data = [str(name) for name in training.get("data", [])]
    terms = [text for start, text in TERMS.items() if any(name.startswith(start) for name in data)]
    if terms and training.get("started_from"):
        terms.append(STARTED_FROM.format(training["started_from"]))
    note = training.get("note")
    lines = [
        f"# {plan.model_id}",
        "",
        f"{plan.role.text}. {_PURPOSE[plan.role]}",
        "",
        f"**{NOTICE}**",
        "",
        *([note, ""] if note else []),
        "## Licence",
        "",
        *([f"- {text}" for text in terms] if terms else [OWN_CORRECTIONS]),
        "",
        "## Data and training",
        "",
        f"- Data: {', '.join(data) or 'not told'}; {training.get('samples', '?')} frames"
        + (f" of {len(training['patients'])} patients." if isinstance(training.get("patients"), list) else "."),
        f"- Parts of the patients: {training.get('split') or training.get('held_out') or 'none'}.",
        f"- Network: {plan.architecture}, {plan.rows} x {plan.cols} at {plan.spacing_mm:g} mm around the heart, sees "
        f"{1 + 2 * plan.context} {'slices' if plan.context else 'slice'}.",
        f"- {_batches(training, spec)} batches of {spec.get('batch', '?')}, {spec.get('optimizer', 'adamw')} from "
        f"{spec.get('learning_rate', '?')}, seed {spec.get('seed', '?')}, on {training.get('device', '?')}.",
        *_validation(training),
        f"- Started from: {training.get('started_from') or 'nothing'}.",
        f"- Fingerprint of the data: {training.get('data_fingerprint', '?')}; made {plan.created_at}.",
        "",
        "## Figures on patients left out of training",
        "",
        *_figures(plan.figures),
        "",
        "## Known failures",
        "",
        _FAILURES[plan.role],
        "",
    ]
    return "\n".join(lines)


def _validation(training: Mapping[str, Any]) -> list[str]:
    looked: Mapping[str, Any] = training.get("validation") or {}
    if not looked.get("frames"):
        return []
    chosen = f"- Chosen on {looked['frames']} validation frames: the weights after batch {looked['kept_at']}."
    by_set: Mapping[str, Any] = looked.get("by_set") or {}
    rows = [
        f"| {name or 'frames'} | {region} | " + " | ".join(_mean(labels.get(label.name)) for label in STRUCTURES) + " |"
        for name, found in by_set.items()
        for region, labels in found.get("dice", {}).items()
    ]
    if not rows:
        return [chosen]
    names = " | ".join(label.name for label in STRUCTURES)
    head = ["", f"| validation, Dice % and frames | region | {names} |", "|---|---|---|---|---|"]
    return [chosen, *head, *rows, ""]


def _mean(found: Sequence[float] | None) -> str:
    return "-" if found is None else f"{100 * found[0]:.1f}, {found[1]}"


def _batches(training: Mapping[str, Any], spec: Mapping[str, Any]) -> str:
    planned, done = spec.get("iterations", "?"), training.get("batches")
    return f"{planned}" if done in (None, planned) else f"{done} of {planned} planned"


def _figures(figures: Mapping[str, Any]) -> list[str]:
    if not figures:
        return ["Not measured."]
    count = f"{figures.get('patients', '?')} patients, {figures.get('frames', '?')} frames."
    lines = [f"{count} {figures.get('how', '')}".strip()]
    if "dice" in figures:
        lines += ["", "| Dice %, mean (SD), n | base | middle | apex |", "|---|---|---|---|"]
        for label in STRUCTURES:
            row = [_cell(figures["dice"][label.name].get(r.value)) for r in (Region.BASE, Region.MIDDLE, Region.APEX)]
            lines.append(f"| {label.text} | {' | '.join(row)} |")
    if "region_accuracy" in figures:
        lines += ["", f"Region found in {100 * figures['region_accuracy']:.1f} % of the frames."]
    return lines


def _cell(summary: Mapping[str, Any] | None) -> str:
    if not summary or summary.get("mean") is None:
        return "-"
    sd = "-" if summary.get("sd") is None else f"{100 * summary['sd']:.1f}"
    return f"{100 * summary['mean']:.1f} ({sd}), {summary['n']}"
