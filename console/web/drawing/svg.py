"""What all pictures are made of."""

from collections.abc import Mapping

from markupsafe import Markup, escape

# What is over this many characters in a row of a picture is cut; the whole text is in its title.
LABEL = 30


def element(name: str, attributes: Mapping[str, object], content: str = "") -> Markup:
    """Return an element. A content that is no Markup is escaped; an underscore in an attribute's name is a hyphen."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_short(value))}"' for key, value in attributes.items()
    )
    return Markup(f"<{name}{given}>{escape(content)}</{name}>") if content else Markup(f"<{name}{given}/>")


def titled(title: str, *content: str) -> Markup:
    """Return content with a title, which is shown when one points at it."""
    return Markup("").join([element("title", {}, title), *map(escape, content)])


def link(address: str, label: str, *content: str) -> Markup:
    """Return content that leads somewhere, with words for those who do not see it."""
    return element("a", {"href": address, "aria_label": label}, titled(label, *content))


def picture(width: float, height: float, label: str, *content: str) -> Markup:
    """Return a picture with a name."""
    size = {"viewBox": f"0 0 {_short(width)} {_short(height)}", "width": width, "height": height}
    return element(
        "svg", size | {"role": "group", "aria_label": label, "class": "picture"}, Markup("").join(content)
    )


def cut(text: str, length: int = LABEL) -> str:
    """Return a text that fits into a row."""
    plain = " ".join(text.split())
    return plain if len(plain) <= length else plain[: length - 1] + "…"


def _short(value: object) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
