import subprocess
import sys
from pathlib import Path

import pytest

from cmr_viewer.analyse import Flow
from cmr_viewer.errors import ModelError
from cmr_viewer.pipeline import load_active_models
from cmr_viewer.progress import silent
from cmr_viewer.store.model_registry import ModelRegistry


def test_without_any_model_the_message_says_what_to_do(tmp_path: Path) -> None:
    nothing = Flow(load_models=lambda folders, device: pytest.fail("loaded"), analyse=iter, segment_frames=iter)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="--models"):
        load_active_models(nothing, ModelRegistry(tmp_path / "none", None), "auto", silent)


@pytest.mark.parametrize("module", ["cmr_viewer.pipeline", "cmr_viewer.__main__", "cmr_viewer"])
def test_importing_the_flow_imports_no_torch_and_no_qt(module: str) -> None:
    code = f"import sys, {module}; print(sorted(m for m in ('torch', 'PySide6', 'SimpleITK') if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
