"""Settings of the documentation site: python -m sphinx -W -b html docs docs/_build/html"""

import logging
import re
import sys
from pathlib import Path

import skflow

sys.path.insert(0, str(Path(__file__).parent))  # gallery_reset, which sphinx-gallery imports

project = "skflow"
author = copyright = "The skflow developers"
version = release = skflow.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.viewcode",
    "myst_parser",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "**/README.*"]
templates_path = ["_templates"]

myst_heading_anchors = 3

autodoc_typehints = "none"  # the docstrings say it in words
# The template of classes lists their methods.
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "ignore_pattern": r"quickstart\.py",  # README's own command
    "within_subsection_order": "FileNameSortKey",
    "reset_modules": ("matplotlib", "gallery_reset.reset_sklearn"),
    "reference_url": {"skflow": None},
    "backreferences_dir": None,
    "remove_config_comments": True,
    "show_memory": False,
    "min_reported_time": 1,
}

intersphinx_mapping = {
    "python": ("https://docs.python.org/3", None),
    "numpy": ("https://numpy.org/doc/stable", None),
    "scipy": ("https://docs.scipy.org/doc/scipy", None),
    "sklearn": ("https://scikit-learn.org/stable", None),
}
intersphinx_timeout = 10  # seconds

html_theme = "pydata_sphinx_theme"
html_title = "skflow"
toc_object_entries_show_parents = "hide"
html_static_path = ["_static"]
html_css_files = ["skflow.css"]
html_show_sourcelink = False
html_theme_options = {
    "navigation_with_keys": False,
    "show_nav_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
}
html_sidebars = {"start": [], "index": []}


# --- pages that are read on the site and beside the code ------------------------------------------

_ON_SITE = [
    (r"\]\(\.\./benchmarks/RESULTS\.md", "](benchmarks.md"),
    (r"\]\(\.\./CHANGELOG\.md", "](changelog.md"),
    (r"\]\(\.\./CONTRIBUTING\.md", "](contributing.md"),
    (r"\]\(\.\./examples/(plot_\w+)\.py", r"](auto_examples/\1.rst"),
    (r"\]\(\.\./examples/\)", "](auto_examples/index.rst)"),
]


def _link_within_the_site(app, docname, source):
    """Links to files of the repository become links to the pages that show them."""
    if Path(app.env.doc2path(docname)).suffix == ".md":
        for link, page in _ON_SITE:
            source[0] = re.sub(link, page, source[0])


def _skip_what_is_inherited(app, what, name, value, skip, options):
    """Methods that scikit-learn gives every estimator are in its documentation."""
    module = getattr(value, "__module__", None) or ""
    return True if module.startswith("sklearn.") else None


def _quote_names_in_shapes(app, what, name, value, options, lines):
    """In "of shape (n_steps_,)" the underscore would make a link of a name."""
    lines[:] = [re.sub(r"\((\w+_)(?=[,)])", r"(`\1`", line) for line in lines]


class _WithoutNetwork(logging.Filter):
    """Without a network names of other projects are shown without links: no reason to fail."""

    def filter(self, record):
        return not str(record.msg).startswith("failed to reach any of the inventories")


logging.getLogger("sphinx.sphinx.ext.intersphinx").addFilter(_WithoutNetwork())


def setup(app):
    app.connect("source-read", _link_within_the_site)
    app.connect("autodoc-skip-member", _skip_what_is_inherited)
    # Before numpydoc, which has the default priority of 500.
    app.connect("autodoc-process-docstring", _quote_names_in_shapes, priority=400)
