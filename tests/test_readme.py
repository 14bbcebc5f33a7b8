"""The snippets of README and of the page on pipelines run as they are written, in their order."""

import re
from pathlib import Path

from sklearn import config_context

ROOT = Path(__file__).resolve().parents[1]
README, PIPELINES = ROOT / "README.md", ROOT / "docs" / "pipelines.md"


def test_snippets_run():
    snippets = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(snippets) >= 3
    names = {}
    for snippet in snippets:
        exec(compile(snippet, "README.md", "exec"), names)
    assert names["X_new"].shape == (500, 13)
    assert names["X_carried"].shape == names["X_later"].shape


def test_snippets_about_pipelines_run():
    names = {}
    with config_context():  # one of them turns metadata routing on
        for snippet in re.findall(r"```python\n(.*?)```", PIPELINES.read_text("utf-8"), re.DOTALL):
            exec(compile(snippet, "pipelines.md", "exec"), names)
    assert names["accuracy"] > 0.85
    assert names["search"].best_params_["flow__t_stop"] > 0
    assert list(names["new_wines"].columns) == list(names["wine"].columns)
    assert set(names["y_drawn"]) == {"barolo", "grignolino", "barbera"}
