"""Configuration of the pages: ``make docs``, or ``sphinx-build -W docs build/site``. Nothing is downloaded."""

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "densight"
author = "The densight developers"
version = release = installed_version("densight")
html_title = f"densight {version}"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton", "reference", "formulas"]
exclude_patterns = ["_ext", "notebooks/*.py"]
source_suffix = {".rst": "restructuredtext", ".md": "myst-nb", ".ipynb": "myst-nb"}

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
# The notebooks contain the output of the last `make notebooks`.
nb_execution_mode = "off"
nb_code_prompt_show = "Solution"
nb_code_prompt_hide = "Hide the solution"

default_role = "py:obj"
# Names such as Exam exist in several rooms; a link from a docstring leads to the first.
suppress_warnings = ["ref.python"]
napoleon_google_docstring = False
napoleon_use_rtype = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
python_use_unqualified_type_names = True

# Two hyphens belong to an option and are not a dash.
smartquotes = False

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["densight.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
copybutton_exclude = ".linenos, .gp, .go"
