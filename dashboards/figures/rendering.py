"""From drawings to files and pages: PNG, SVG and PDF without a browser, and JSON for the report."""

import base64
import io
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import vl_convert
from PIL import Image

from dashboards.figures.base import Drawing
from dashboards.files import write_atomically

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


def _render_chart(spec: Any) -> dict[str, bytes]:
    # Vega runs once; PNG and PDF are made from its SVG, which is a hundred times quicker than running it again.
    svg = str(vl_convert.vegalite_to_svg(spec))
    return {
        "svg": svg.encode(),
        "png": bytes(vl_convert.svg_to_png(svg, scale=PNG_SCALE)),
        "pdf": bytes(vl_convert.svg_to_pdf(svg)),
    }


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
    """Vega, Vega-Lite and Vega-Embed as one script that asks the network for nothing."""
    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))


def encode_jpeg(image: Image.Image) -> bytes:
    """The image as the bytes of a JPEG file of high quality."""
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=88, subsampling=0)
    return buffer.getvalue()
