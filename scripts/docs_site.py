"""Hooks of mkdocs.yml: the model card becomes a page, links to other files of the repository their names."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_ROOT = Path(__file__).parents[1]
_PAGES = {"MODEL_CARD.md": "model-card.md"}
"""Files of the repository that are pages of the site as well."""

_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that do not lie in docs/."""
    for path, name in _PAGES.items():
        files.append(File.generated(config, name, content=(_ROOT / path).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Point links at pages where there is one; else say which file of the repository is meant."""
    generated = {name: path for path, name in _PAGES.items()}
    here = posixpath.dirname(generated.get(page.file.src_uri, f"docs/{page.file.src_uri}"))

    def pointed(found: re.Match[str]) -> str:
        text, link = found.groups()
        path, mark, anchor = link.partition("#")
        if not path or re.match(r"[a-z]+:", path):
            return found.group()
        target = posixpath.normpath(posixpath.join(here, path))
        if target in _PAGES:
            return f"[{text}]({_PAGES[target]}{mark}{anchor})"
        if target.startswith("docs/"):
            return f"[{text}]({target.removeprefix('docs/')}{mark}{anchor})"
        return f"{text} (`{target}`)" if Path(target).name not in text else f"`{target}`"

    return _LINK.sub(pointed, markdown)
