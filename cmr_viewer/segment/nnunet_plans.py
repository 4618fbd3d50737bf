"""What the files of an nnU-Net v2 model say of its network, its input and its labels.

Source:
    plans.json of nnU-Net v2, in the form since release 2.4 ("architecture") and in the one before ("UNet_class_name").
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cmr_viewer.domain.anatomy import STRUCTURES, Label
from cmr_viewer.errors import ModelError
from cmr_viewer.segment.nnunet_preparation import Preparation, Resampling, read_preparation

_KNOWN_TEXT: Mapping[Label, str] = {
    Label.LVBP: "LV, LVC, LVBP, LV cavity, LV cav, LV endo, LV blood, LV blood pool, left ventricle, "
    "left ventricle cavity, left ventricle blood pool, left ventricular cavity, left ventricular blood pool",
    Label.LVM: "MYO, MLV, LVM, LV myo, LV myocardium, LV wall, myocardium, left ventricle myocardium, "
    "left ventricular myocardium",
    Label.RVBP: "RV, RVC, RVBP, RV cavity, RV cav, RV endo, RV blood, RV blood pool, right ventricle, "
    "right ventricle cavity, right ventricle blood pool, right ventricular cavity, right ventricular blood pool",
}
KNOWN_NAMES = {label: tuple(text.split(", ")) for label, text in _KNOWN_TEXT.items()}
"""Names that data sets give to the labels, ACDC's, M&Ms' and this program's among them; compared without case, spaces
and signs."""


@dataclass(frozen=True)
class Outputs:
    """What the outputs of an nnU-Net model mean.

    Attributes:
        names: Per output, in nnU-Net's order: its name in the data set.
        labels: Per output, in nnU-Net's order: the label it becomes; background for what this program does not know.
    """

    names: tuple[str, ...]
    labels: tuple[Label, ...]

    @property
    def order(self) -> tuple[int, ...]:
        """Outputs in the order of `Label`, then those that are left: background, LVBP, LVM, RVBP, rest."""
        first = [self.labels.index(label) for label in Label]
        return (*first, *(i for i in range(len(self.labels)) if i not in first))


def read_outputs(labels: object, given: Mapping[Label, Sequence[str]] | None = None) -> Outputs:
    """Map a data set's labels to this program's.

    Args:
        labels: "labels" of dataset.json: codes by name.
        given: Names of a label, beside and before the known ones; several become one label.

    Raises:
        ModelError: They are regions, not 0 to n, or one of the three labels is not among them or not clear.
    """
    by_code = _by_code(labels)
    names = tuple(by_code[code] for code in range(len(by_code)))
    found = [Label.BACKGROUND] * len(names)
    named = given or {}
    for label in sorted(STRUCTURES, key=lambda one: one not in named):
        free = [index for index in range(1, len(names)) if label in named or found[index] is Label.BACKGROUND]
        for index in _matching(label, names, free, named.get(label, ())):
            if found[index] is not Label.BACKGROUND:
                raise ModelError(f"The label {names[index]!r} cannot be both {found[index].name} and {label.name}.")
            found[index] = label
    return Outputs(names, tuple(found))


def parse_names(text: str) -> dict[Label, tuple[str, ...]]:
    """Names given on the command line, as `LVBP=LV cavity,LVM=MYO,LVM=scar`.

    Raises:
        ModelError: It cannot be understood.
    """
    named: dict[Label, tuple[str, ...]] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        left, sign, name = (piece.strip() for piece in part.partition("="))
        label = next((one for one in STRUCTURES if one.name == left.upper()), None)
        if label is None or not sign or not name:
            known = ", ".join(one.name for one in STRUCTURES)
            raise ModelError(f"{part!r} names no label. Write LABEL=NAME with one of {known}, separated by commas.")
        named[label] = (*named.get(label, ()), name)
    return named


def _by_code(labels: object) -> dict[int, str]:
    if not isinstance(labels, dict) or not labels:
        raise ModelError("dataset.json names no labels.")
    by_code: dict[int, str] = {}
    for name, value in labels.items():
        code = value[0] if isinstance(value, list) and len(value) == 1 else value
        if isinstance(code, list):
            raise ModelError(
                f"The model was trained on regions that overlap ({name!r} is {value}); only models with one label for "
                "each pixel can be imported."
            )
        if str(name) == "ignore":
            continue
        try:
            by_code[int(code)] = str(name)
        except (TypeError, ValueError):
            raise ModelError(f"The label {name!r} in dataset.json has the code {value!r}, not a number.") from None
    if sorted(by_code) != list(range(len(by_code))) or by_code[0].lower() != "background":
        raise ModelError(f"The labels in dataset.json must be background = 0 and 1, 2, ... after it, not {labels}.")
    return by_code


def _matching(label: Label, names: Sequence[str], free: Sequence[int], given: Sequence[str]) -> list[int]:
    """Outputs that become a label, among those that are free."""
    wanted = {_plain(name) for name in given}
    strangers = [name for name in given if _plain(name) not in {_plain(one) for one in names}]
    if strangers:
        raise ModelError(f"The data set has no label {strangers[0]!r}; it has {', '.join(names[1:])}.")
    known = wanted or {_plain(name) for name in KNOWN_NAMES[label]}
    found = [index for index in free if _plain(names[index]) in known]
    if not found or (len(found) > 1 and not given):
        problem = f"none is known as {label.name}" if not found else f"{len(found)} could be {label.name}"
        raise ModelError(
            f"The model's labels are {', '.join(names[1:])}; {problem} ({label.text}). "
            f'Name them with --labels "{label.name}=NAME".'
        )
    return found


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())


NETWORKS = {"PlainConvUNet": "n_conv_per_stage", "ResidualEncoderUNet": "n_blocks_per_stage"}
"""Networks that can be imported, and what their plans call the convolutions or blocks of each stage."""

_RESAMPLING = "resample_data_or_seg_to_shape"
_PLANNED = {"order_z": 0, "force_separate_z": None}
_CLASSES = {"conv_op": ("Conv2d",), "norm_op": ("InstanceNorm2d",), "nonlin": ("LeakyReLU", "ReLU")}
_UNDERSTOOD = {
    *("n_stages", "features_per_stage", "conv_op", "kernel_sizes", "strides", "n_conv_per_stage_decoder", "conv_bias"),
    *("norm_op", "norm_op_kwargs", "dropout_op", "dropout_op_kwargs", "nonlin", "nonlin_kwargs", "deep_supervision"),
    "nonlin_first",
}
"""Arguments of a network that mean the same here; dropout does nothing in prediction."""


def configuration_of(plans: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A configuration with what it inherits.

    Args:
        plans: plans.json.
        name: Of the configuration, from the checkpoint.

    Raises:
        ModelError: There is none of that name, it inherits from itself, or it is not two-dimensional.
    """
    known = plans.get("configurations")
    chain: list[Mapping[str, Any]] = []
    seen: set[str] = set()
    wanted: object = name
    while wanted is not None:
        if not isinstance(known, dict) or not isinstance(known.get(wanted), dict) or wanted in seen:
            raise ModelError(f"plans.json has no usable configuration {wanted!r}.")
        seen.add(str(wanted))
        chain.append(known[wanted])
        wanted = known[wanted].get("inherits_from")
    merged: dict[str, Any] = {}
    for one in reversed(chain):
        merged.update(one)
    patch = merged.get("patch_size")
    if not isinstance(patch, list) or len(patch) != 2:
        raise ModelError(
            f"The configuration {name!r} is not two-dimensional (its patch is {patch}); only 2D models can be "
            "imported. Train nnU-Net's configuration 2d."
        )
    return merged


def network_options(configuration: Mapping[str, Any], outputs: int) -> dict[str, Any]:
    """Options of `networks.unets.Form`.

    Args:
        configuration: See `configuration_of`.
        outputs: Number of labels, background included.

    Raises:
        ModelError: It is another network.
    """
    try:
        kind, given = _architecture(configuration)
        _refuse_strange(kind, given)
        stages = int(given["n_stages"])
        nonlin = given.get("nonlin_kwargs") or {}
        leaky = str(given["nonlin"]).endswith("LeakyReLU")
        return {
            "features": _each(given["features_per_stage"], stages),
            "kernels": [_each(one, 2) for one in _each(given["kernel_sizes"], stages)],
            "strides": [_each(one, 2) for one in _each(given["strides"], stages)],
            "counts": _each(given[NETWORKS[kind]], stages),
            "decoder_counts": _each(given["n_conv_per_stage_decoder"], stages - 1),
            "outputs": outputs,
            "residual": kind == "ResidualEncoderUNet",
            "bias": bool(given.get("conv_bias", False)),
            "epsilon": float(given["norm_op_kwargs"].get("eps", 1e-5)),
            "slope": float(nonlin.get("negative_slope", 0.01)) if leaky else 0.0,
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"The network in plans.json has an invalid value: {error!r}.") from error


def _architecture(configuration: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Name and arguments of the network, from either form of plans."""
    if "architecture" in configuration:
        described = configuration["architecture"]
        kind = str(described["network_class_name"]).rpartition(".")[2]
        given = described["arch_kwargs"]
    else:
        kind, given = str(configuration["UNet_class_name"]), {}
    if kind not in NETWORKS:
        raise ModelError(f"The model is a {kind}; only {' and '.join(NETWORKS)} can be imported.")
    return kind, given or _former(kind, configuration)


def _former(kind: str, configuration: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, from plans before release 2.4."""
    counts = configuration["n_conv_per_stage_encoder"]
    first, largest = configuration["UNet_base_num_features"], configuration["unet_max_num_features"]
    return {
        "n_stages": len(counts),
        "features_per_stage": [min(first * 2**stage, largest) for stage in range(len(counts))],
        "conv_op": "torch.nn.modules.conv.Conv2d",
        "kernel_sizes": configuration["conv_kernel_sizes"],
        "strides": configuration["pool_op_kernel_sizes"],
        NETWORKS[kind]: counts,
        "n_conv_per_stage_decoder": configuration["n_conv_per_stage_decoder"],
        "conv_bias": True,
        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm2d",
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "nonlin": "torch.nn.LeakyReLU",
    }


def _refuse_strange(kind: str, given: Mapping[str, Any]) -> None:
    understood = _UNDERSTOOD | {NETWORKS[kind]}
    strange = [name for name, value in given.items() if name not in understood and value not in (None, False)]
    for name, classes in _CLASSES.items():
        if str(given[name]).rpartition(".")[2] not in classes:
            strange.append(f"{name} {given[name]}")
    if not given["norm_op_kwargs"].get("affine", False):
        strange.append("norms without weights")
    if given.get("nonlin_first"):
        strange.append("norms after the activation")
    if strange:
        raise ModelError(f"The {kind} in plans.json has a form that cannot be imported: {', '.join(strange)}.")


def _each(value: object, count: int) -> list[Any]:
    """A list of one value for each stage or axis; a single number applies to all."""
    if isinstance(value, int):
        return [value] * count
    if not isinstance(value, Sequence) or len(value) != count:
        raise ValueError(f"{value} for {count}")
    return list(value)


def preparation_of(
    plans: Mapping[str, Any], configuration: Mapping[str, Any], outputs: Outputs, mirror_axes: Sequence[int]
) -> Preparation:
    """How the model wants its input.

    Args:
        plans: plans.json.
        configuration: See `configuration_of`.
        outputs: What its outputs mean.
        mirror_axes: As the checkpoint allows; empty for no mirroring.

    Raises:
        ModelError: In a way that is not known here.
    """
    if configuration.get("previous_stage"):
        raise ModelError("The model is a later stage of a cascade, which needs another model's label maps.")
    preprocessor = configuration.get("preprocessor_name", "DefaultPreprocessor")
    if preprocessor != "DefaultPreprocessor":
        raise ModelError(f"The model's input is prepared by {preprocessor}, which is not known here.")
    transpose = plans.get("transpose_forward", [0, 1, 2])
    if not isinstance(transpose, list) or transpose[:1] != [0]:
        raise ModelError(f"The model was trained on planes across the slices (axes {transpose}), not on slices.")
    schemes, masks = configuration.get("normalization_schemes"), configuration.get("use_mask_for_norm")
    if not isinstance(schemes, list) or not isinstance(masks, list) or len(schemes) != 1 or len(masks) != 1:
        raise ModelError(f"The model needs {schemes} as normalisation; only models of one channel can be imported.")
    order = outputs.order
    values = {
        "spacing_mm": configuration.get("spacing"),
        "patch": configuration["patch_size"],
        "transpose": transpose,
        "scheme": schemes[0],
        "masked": bool(masks[0]),
        "intensities": _intensities(plans) if schemes[0] == "CTNormalization" else {},
        "image": _resampling(configuration, "data", 3),
        "logits": _resampling(configuration, "probabilities", 1),
        "mirror_axes": list(mirror_axes),
        "outputs": [order.index(index) for index in range(len(order))],
        "codes": [int(outputs.labels[index]) for index in order],
    }
    return read_preparation(values)


def _intensities(plans: Mapping[str, Any]) -> dict[str, Any]:
    for name in ("foreground_intensity_properties_per_channel", "foreground_intensity_properties_by_modality"):
        found = plans.get(name)
        if isinstance(found, dict) and isinstance(found.get("0"), dict):
            return dict(found["0"])
    raise ModelError("plans.json lacks the intensities for CTNormalization.")


def _resampling(configuration: Mapping[str, Any], what: str, order: int) -> dict[str, Any]:
    name = configuration.get(f"resampling_fn_{what}", _RESAMPLING)
    given = configuration.get(f"resampling_fn_{what}_kwargs", {"order": order, **_PLANNED})
    if name != _RESAMPLING or not isinstance(given, dict):
        raise ModelError(f"The model's {what} are resampled by {name}, which is not known here.")
    how = Resampling(
        order=given.get("order", 3),
        order_z=given.get("order_z", 0),
        separate=given.get("force_separate_z", False),
        threshold=given.get("separate_z_anisotropy_threshold", 3.0),
    )
    return vars(how)
