"""Placeholders where nothing replaces them, most of them of other languages."""

import re

_FORMS = {
    "${NAME}": re.compile(r"\$\{"),
    "$NAME": re.compile(r"\$[A-Za-z_]"),
    "$(NAME)": re.compile(r"\$\("),
    "%NAME%": re.compile(r"%[A-Z_][A-Z0-9_]+%"),
    "{{ NAME }}": re.compile(r"\{\{.*?\}\}"),
    "<% NAME %>": re.compile(r"<%.*?%>"),
    "#{NAME}": re.compile(r"#\{.*?\}"),
}
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://|file:")


def placeholder(text: str) -> str | None:
    """Return the form of the first placeholder in a text; the text itself may be a secret.

    >>> placeholder("$HOME/x"), placeholder("50 %")
    ('$NAME', None)
    """
    found = (form for form, pattern in _FORMS.items() if pattern.search(text))
    # in a URL, what stands between two % is most likely escaped
    return next((form for form in found if form != "%NAME%" or "://" not in text), None)


def checked_directory(text: str) -> str:
    """Return the name of a directory; raises `ValueError` for what was hardly meant as one."""
    if not text.strip():
        raise ValueError("the path is empty; write . for the working directory")
    if _URL.match(text):
        raise ValueError("this is a URL, and a directory of this machine belongs here, such as /var/lib/agents")
    if form := placeholder(text):
        raise ValueError(
            f"{form} in a path is refused, since a directory is hardly called so, and nothing replaces it here. Write "
            "the directory itself, or ${NAME} in a YAML file; in code, a pathlib.Path is taken literally"
        )
    return text
