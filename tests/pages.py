"""Pages as a browser finds them, for the tests of what they show."""

from html.parser import HTMLParser

#: Elements with text of their own whose contrast is below 4.5, the least of WCAG 2 AA.
LOW_CONTRAST = """() => {
    const rgb = (css) => {
        const canvas = Object.assign(document.createElement("canvas"), {width: 1, height: 1});
        const paint = canvas.getContext("2d", {willReadFrequently: true});
        return (over) => {
            if (over) { paint.fillStyle = `rgb(${over})`; paint.fillRect(0, 0, 1, 1); }
            paint.fillStyle = css;
            paint.fillRect(0, 0, 1, 1);
            return [...paint.getImageData(0, 0, 1, 1).data].slice(0, 3);
        };
    };
    const light = (c) => c.map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
    const style = (e) => getComputedStyle(e);
    const ground = (e) => e ? rgb(style(e).backgroundColor)(ground(e.parentElement)) : [255, 255, 255];
    return [...document.querySelectorAll("body *")]
        .filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
        .filter(e => e.checkVisibility({visibilityProperty: true}))
        .filter(e => !e.closest(":disabled, .hidden, option"))
        .map(e => {
            const under = ground(e), [a, b] = [light(under), light(rgb(style(e).color)(under))];
            return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), e.outerHTML.slice(0, 100)];
        })
        .filter(([contrast]) => contrast < 4.5);
}"""


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
