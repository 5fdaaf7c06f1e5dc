"""Pages as a browser finds them, for the tests of what they show."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """What a browser would find in a page: its tags, its text, its figures by their path."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.figures, self.ids, self.text = [], {}, [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append((tag, attrs))
        if "id" in attrs:
            self.ids.append(attrs["id"])
        if "data-figure" in attrs:
            self.figures.setdefault(attrs["data-figure"], set()).add(float(attrs["value"]))

    def handle_data(self, data):
        self.text += data


def flat(value, path=()):
    """Return every number in what `--json` prints under the path it has there."""
    if isinstance(value, dict):
        return {k: v for key, item in value.items() for k, v in flat(item, (*path, key)).items()}
    if isinstance(value, list):
        return {k: v for i, item in enumerate(value) for k, v in flat(item, (*path, str(i))).items()}
    return {"/".join(path): value} if isinstance(value, (int, float)) else {}
