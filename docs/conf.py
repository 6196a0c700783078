"""
How Sphinx makes a site of these pages: ``sphinx-build -W --keep-going docs build/site``.

The pages are plain reStructuredText that a code host shows as well, and that
``tests/test_docs.py`` runs. So they link to each other by file names, and each has its own
table of contents; both are turned here into what the site has for them. Nothing is fetched.
"""

import configparser
import os
from importlib.metadata import version as version_of
from inspect import cleandoc
from pathlib import Path, PurePosixPath

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.ext.napoleon import GoogleDocstring
from sphinx.util import logging
from zope.interface.interface import InterfaceClass, Method

HERE = Path(__file__).parent
ROOT = HERE.parent
_setup = configparser.ConfigParser()
_setup.read(ROOT / "setup.cfg")
REPOSITORY = _setup["metadata"]["url"]

project = "txremote"
author = _setup["metadata"]["author"]
copyright = author  # noqa: A001
version = release = version_of("txremote")

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["newsfragments"]
default_role = "py:obj"
highlight_language = "none"

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say it in words
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = f"txremote {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {"top_of_page_buttons": []}

# Pages that include a file of the top folder, by the place of that.
INCLUDED = {
    f"../{page.stem.upper()}": f"project/{page.stem}" for page in HERE.glob("project/*.rst")
}

# "Where it listens: ..." begins a sentence; Sphinx takes that for the type of a property.
GoogleDocstring._parse_attribute_docstring = lambda self: GoogleDocstring(
    self._consume_to_end(), self._config
).lines()

logger = logging.getLogger(__name__)


def take_out_contents(_app: Sphinx, doctree: nodes.document) -> None:
    """The site shows the sections of a page beside it; the page's own list is for elsewhere."""
    for topic in list(doctree.findall(nodes.topic)):
        if "contents" in topic["classes"]:
            topic.parent.remove(topic)
    for title in doctree.findall(nodes.title):
        title.attributes.pop("refid", None)  # it led back to that list


def lead_links_to_pages(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """
    A link to a file becomes one to its page, or to the file in the repository.

    It starts from the folder of the page, or of the file that the page includes, which is the
    top of the repository.
    """
    for link in doctree.findall(nodes.reference):
        name, _hash, fragment = link.get("refuri", "").partition("#")
        if not name or "://" in name or link.get("internal") or name.startswith("mailto:"):
            continue
        places = [(folder / name).resolve() for folder in ((HERE / page).parent, ROOT)]
        found = next((place for place in places if place.exists()), None)
        if found is None:
            logger.warning("a link leads nowhere: %s", name, location=link)
            continue
        inside = PurePosixPath(os.path.relpath(found, HERE)).with_suffix("").as_posix()
        inside = INCLUDED.get(inside, inside)
        if inside in app.env.found_docs:
            target = app.builder.get_relative_uri(page, inside)
            link["refuri"] = f"{target}#{fragment}" if fragment else target
            link["internal"] = True
        else:
            kind = "tree" if found.is_dir() else "blob"
            link["refuri"] = f"{REPOSITORY}/{kind}/main/{found.relative_to(ROOT).as_posix()}"


def show_interface(
    app: Sphinx, _what: str, path: str, found: object, _options: object, lines: list[str]
) -> None:
    """An interface of zope's shows what it declares; Sphinx sees an object without attributes."""
    if isinstance(found, InterfaceClass):
        for name, declared in found.namesAndDescriptions():
            shown = f"{path.rpartition('.')[2]}.{name}"
            if isinstance(declared, Method):
                lines += ["", f".. py:method:: {shown}{declared.getSignatureString()}", ""]
            else:
                lines += ["", f".. py:attribute:: {shown}", ""]
            text = GoogleDocstring(cleandoc(declared.getDoc()), app.config, what="method")
            lines += [f"   {line}" for line in text.lines()]
        lines.append("")


def setup(app: Sphinx) -> None:
    """Have Sphinx call the functions above."""
    app.connect("autodoc-process-docstring", show_interface)
    app.connect("doctree-read", take_out_contents)
    app.connect("doctree-resolved", lead_links_to_pages)
