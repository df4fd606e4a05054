"""From drawings to files and pages: PNG, SVG and PDF without a browser, and JSON for the report."""

import base64
import contextlib
import io
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import vl_convert
from altair.utils.schemapi import debug_mode
from PIL import Image

from dashboards.figures.base import Drawing
from dashboards.files import write_atomically
from sngan.errors import InputError
from sngan.places import default_cache_dir

PNG_SCALE = 2
FORMATS = ("png", "svg", "pdf")
_PDF_DPI = 150


def save(drawing: Drawing, folder: Path, name: str) -> dict[str, Any] | None:
    """NAME.png (twice the size on screen), NAME.svg and NAME.pdf in `folder`, each written atomically.

    Returns a chart's Vega-Lite specification, which takes long to make, and None for an image.
    """
    spec = None if isinstance(drawing, Image.Image) else drawing.to_dict()
    contents = _render_image(drawing) if isinstance(drawing, Image.Image) else _render_chart(spec)
    for ending in FORMATS:
        write_atomically(folder / f"{name}.{ending}", contents[ending])
    return spec


def png(drawing: Drawing) -> bytes:
    """The bytes of a PNG file, twice the size on screen."""
    return encode_png(drawing) if isinstance(drawing, Image.Image) else _render_chart(drawing.to_dict())["png"]


def _render_chart(spec: Any) -> dict[str, bytes]:
    # Vega runs once; PNG and PDF are made from its SVG, which is a hundred times quicker than running it again.
    svg = _without_layers(str(vl_convert.vegalite_to_svg(spec)))
    return {
        "svg": svg.encode(),
        "png": bytes(vl_convert.svg_to_png(svg, scale=PNG_SCALE)),
        "pdf": bytes(vl_convert.svg_to_pdf(svg)),
    }


_ELEMENT = re.compile(r"<(?:path|line|text) [^>]*>")


def _without_layers(svg: str) -> str:
    """The same picture with no `opacity` where an element has only a stroke or only a fill.

    To draw an element with `opacity` is to draw a layer of the picture's size and to lay it over the rest: with
    hundreds of curves that is most of the time. `stroke-opacity` and `fill-opacity` mean the same there.
    """

    def plain(found: re.Match[str]) -> str:
        tag = found[0]
        # Vega says at the root that nothing is filled, so that an element is filled only where it says so.
        painted = [kind for kind in ("fill", "stroke") if f' {kind}="' in tag and f' {kind}="none"' not in tag]
        if len(painted) != 1 or f' {painted[0]}-opacity="' in tag:
            return tag
        return tag.replace(' opacity="', f' {painted[0]}-opacity="')

    return _ELEMENT.sub(plain, svg)


def _render_image(image: Image.Image) -> dict[str, bytes]:
    pdf = io.BytesIO()
    image.convert("RGB").save(pdf, "PDF", resolution=_PDF_DPI)
    png = encode_png(image)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{image.width}" height="{image.height}" '
        f'viewBox="0 0 {image.width} {image.height}"><image width="100%" height="100%" '
        f'href="{data_uri(png, "image/png")}"/></svg>'
    )
    return {"svg": svg.encode(), "png": png, "pdf": pdf.getvalue()}


def encode_png(image: Image.Image) -> bytes:
    """The image as the bytes of a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def data_uri(content: bytes, media_type: str) -> str:
    """The content as a base64 data: address."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def page_spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A chart's Vega-Lite specification for a page that has its own background."""
    # The schema is an address, and nothing needs it: the page says that this is Vega-Lite.
    kept = {key: value for key, value in spec.items() if key != "$schema"}
    return {**kept, "config": {**spec["config"], "background": "transparent"}}


@cache
def browser_bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script that asks the network for nothing; made once per version."""
    file = default_cache_dir() / f"vega-embed-{version('vl-convert-python')}.js"
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return file.read_text(encoding="utf-8")
    bundle = str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))
    with contextlib.suppress(InputError):  # it is made again where there is no room for it
        write_atomically(file, bundle)
    return bundle


def trusted() -> AbstractContextManager[object]:
    """Inside, Altair does not hold charts against its schema: the tests do, and it takes a tenth of a report's time."""
    return debug_mode(False)


def encode_jpeg(image: Image.Image) -> bytes:
    """The image as the bytes of a JPEG file of high quality."""
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=88, subsampling=0)
    return buffer.getvalue()
