"""How the handbook is built: once in each language, from the same folder. `make docs` calls it."""

from __future__ import annotations

import re
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.search import SearchLanguage

HERE = Path(__file__).parent

project = "Langwright"
author = "Langwright contributors"
project_copyright = "Langwright contributors, Apache-2.0"
version = release = installed("langwright")
extensions = ["myst_parser"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "_theme"]
templates_path = ["_theme"]
html_theme = "alabaster"
html_theme_options = {
    "description": "",
    "fixed_sidebar": True,
    "page_width": "72rem",
    "sidebar_width": "16rem",
    "font_family": "system-ui, 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', sans-serif",
    "head_font_family": "system-ui, 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', sans-serif",
    "code_font_family": "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace",
    "show_powered_by": False,
    "show_related": False,
}
html_static_path = ["_theme/static"]
html_css_files = ["handbook.css"]
html_sidebars = {"**": ["about.html", "language.html", "searchbox.html", "navigation.html"]}
html_show_sourcelink = False
html_copy_source = False
html_use_index = False
html_title = "Langwright"
pygments_style = "sphinx"


class ChinesePairs(SearchLanguage):
    """Search in Chinese without a dictionary: pairs of neighbouring characters, and words of Latin letters."""

    lang = "zh"
    language_name = "Chinese"
    stopwords: frozenset[str] = frozenset()
    js_splitter_code = """
var splitQuery = (query) =>
  (query.match(/[\\u4e00-\\u9fff]+|[A-Za-z0-9_]+/g) || []).flatMap((run) =>
    /^[A-Za-z0-9_]/.test(run) || run.length < 2
      ? [run]
      : [...Array(run.length - 1).keys()].map((at) => run.slice(at, at + 2)),
  );
"""

    def split(self, input: str) -> list[str]:
        """The same cut as the one in the page."""
        found: list[str] = []
        for run in re.findall(r"[\u4e00-\u9fff]+|[A-Za-z0-9_]+", input):
            latin = run[0].isascii() or len(run) < 2
            found += [run] if latin else [run[at : at + 2] for at in range(len(run) - 1)]
        return found

    def word_filter(self, stemmed_word: str) -> bool:
        """Keep everything but single Latin letters."""
        return len(stemmed_word) > 1 or not stemmed_word.isascii()


def linked_pages(text: str, folder: Path) -> list[str]:
    """The pages that an index links, in order: the table of contents."""
    names = re.findall(r"\]\(([^)#:]+)\.md(?:#[^)]*)?\)", text)
    inside = [name for name in names if (folder / f"{name}.md").is_file()]
    return list(dict.fromkeys(inside))


def add_contents(app: Sphinx, docname: str, source: list[str]) -> None:
    """Give each index a table of contents made of its own links, so that the page reads well unbuilt."""
    other = "zh" if (app.config.root_doc or "").startswith("en") else "en"
    source[0] = re.sub(rf"\[([^\]]*)\]\((?:\.\./)?{other}/[^)]*\)", r"\1", source[0])  # built elsewhere
    if docname in ("en/index", "zh/index"):
        pages = linked_pages(source[0], HERE / docname.partition("/")[0])
        source[0] += "\n\n```{toctree}\n:hidden:\n\n" + "\n".join(pages) + "\n```\n"


def twin(app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: object) -> None:
    """Tell the sidebar where the same page is in the other language."""
    language, slash, page = pagename.partition("/")
    other = {"en": "zh", "zh": "en"}.get(language)
    shared = "en" if (app.config.language or "en").startswith("zh") else "zh"
    up = "../" * pagename.count("/") + "../"
    context["twin"] = f"{up}{other}/{other}/{page}.html" if other and slash else f"{up}{shared}/{shared}/index.html"
    context["twin_name"] = "English" if (other or shared) == "en" else "中文"


def setup(app: Sphinx) -> None:
    """Hook the above in."""
    app.add_search_language(ChinesePairs)
    app.connect("source-read", add_contents)
    app.connect("html-page-context", twin)
