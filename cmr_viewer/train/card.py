"""The model card: what people should know about a model before they use it."""

from collections.abc import Mapping, Sequence
from typing import Any

from cmr_viewer.domain.anatomy import STRUCTURES, Region
from cmr_viewer.domain.role import Role
from cmr_viewer.prepare.plan import Plan

TERMS: Mapping[str, str] = {
    "acdc": "ACDC, CC BY-NC-SA 4.0: **for non-commercial research only**. Cite Bernard et al. 2018, doi "
    "10.1109/TMI.2018.2837502.",
    "mnms": "M&Ms, open to the research community: treated as **for non-commercial research only**. Cite Campello et "
    "al. 2021, doi 10.1109/TMI.2021.3090082.",
    "dsb2": "Second Annual Data Science Bowl (2015), competition rules: **for non-commercial research "
    "only**. Its labels are weak: only the LV cavity, drawn by one non-expert.",
    "scd": "Sunnybrook Cardiac Data, CC0 1.0: public domain, with labels of the LV only. Radau et al. 2009, "
    "http://hdl.handle.net/10380/3070.",
}
"""Terms of published data sets, by the first letters of their folder names."""

STARTED_FROM = "The terms of the model that training started from also apply: see the card of {}."
OWN_CORRECTIONS = (
    "Refined on accepted frames of a workspace. The licence and limits of the model that training started from also "
    "apply: see the card of that model."
)
NOTICE = "Research software, not a medical device: not for diagnosis or treatment."

_PURPOSE = {
    Role.CLASSIFIER: "Classifies each short-axis cine frame as base, middle, apex or non-cardiac.",
    Role.BASELINE: "Segments LV blood pool, LV myocardium and RV blood pool at all levels; locates the heart.",
    Role.BASE: "Segments frames of the base: LV blood pool, LV myocardium and RV blood pool.",
    Role.MIDDLE: "Segments mid-ventricular frames: LV blood pool, LV myocardium and RV blood pool.",
    Role.APEX: "Segments frames of the apex: LV blood pool, LV myocardium and RV blood pool.",
}

_FAILURES = {
    Role.CLASSIFIER: "Confuses neighbouring regions: base with middle or non-cardiac, apex with middle. It sees each "
    "frame without its position in the stack. The program then decides the regions of the whole stack, which corrects "
    "most of these errors.",
    Role.BASELINE: "Weakest in apical frames and in the right ventricle at the base.",
    Role.BASE: "In places it labels outflow tract or atrium as ventricle, or ventricle as one of these.",
    Role.MIDDLE: "Counts papillary muscles as blood pool, as most of its training labels do.",
    Role.APEX: "Misses very small blood pools at end-systole or draws them too large.",
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
        f"- Data: {', '.join(data) or 'not stated'}; {training.get('samples', '?')} frames"
        + (f" of {len(training['patients'])} patients." if isinstance(training.get("patients"), list) else "."),
        f"- Split of the patients: {training.get('split') or training.get('held_out') or 'none'}.",
        f"- Network: {plan.architecture}, {plan.rows} x {plan.cols} at {plan.spacing_mm:g} mm around the heart, input "
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
    chosen = f"- Weights after batch {looked['kept_at']}, chosen on {looked['frames']} validation frames."
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
        return ["Not measured yet."]
    count = f"{figures.get('patients', '?')} patients, {figures.get('frames', '?')} frames."
    lines = [f"{count} {figures.get('how', '')}".strip()]
    if "dice" in figures:
        lines += ["", "| Dice %, mean (SD), n | base | middle | apex |", "|---|---|---|---|"]
        for label in STRUCTURES:
            row = [_cell(figures["dice"][label.name].get(r.value)) for r in (Region.BASE, Region.MIDDLE, Region.APEX)]
            lines.append(f"| {label.text} | {' | '.join(row)} |")
    if "region_accuracy" in figures:
        lines += ["", f"Correct region in {100 * figures['region_accuracy']:.1f} % of the frames."]
    return lines


def _cell(summary: Mapping[str, Any] | None) -> str:
    if not summary or summary.get("mean") is None:
        return "-"
    sd = "-" if summary.get("sd") is None else f"{100 * summary['sd']:.1f}"
    return f"{100 * summary['mean']:.1f} ({sd}), {summary['n']}"
