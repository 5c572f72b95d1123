"""Exports: complete files, with their caption, from any thread and without a network."""

import io
import json
import re
import struct
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import altair
import pandas as pd
import pytest

import charts
import export
from ibcore.results import csv

from .synthetic import EPOCHS, NAMES, curves, tables

CAPTION = ("Symmetric task, 3 replicates, seed 0.", "python -m ibcore run --seed 0")
SVG = "{http://www.w3.org/2000/svg}"


SETTINGS = charts.PlaneSettings(h_x=7.0, h_y=1.0, n_samples=128, layer_names=NAMES, epochs=EPOCHS)


def figure(**changes) -> dict:
    return charts.plane_figure(*tables(bounds=True), replace(SETTINGS, **changes))


def planes() -> dict:
    return charts.small_multiples(curves(), "n_bins", [2, 5, 10, 30], SETTINGS, current=5)


def heat() -> dict:
    return charts.heat_map(curves(), "n_bins", 5, SETTINGS)


def network() -> dict:
    return charts.network_drawing([charts.DrawnLayer(units, str(units)) for units in (784, 10, 2)])


def words(svg: bytes) -> list[str]:
    return ["".join(node.itertext()) for node in ET.fromstring(svg).iter(f"{SVG}text")]


def test_svg_holds_the_chart_its_caption_and_a_white_background():
    svg = export.to_svg(figure(), CAPTION)
    said = words(svg)
    assert all(any(line in text for text in said) for line in CAPTION)
    assert {"I(X;T) (bits)", "I(T;Y) (bits)", "epoch 100"} <= set(said)
    assert 'fill="#ffffff"' in svg.decode()
    assert "http" not in svg.decode().replace("http://www.w3.org/", "")


def test_a_still_picture_shows_the_chosen_epoch_and_no_slider():
    assert "epoch 3" in words(export.to_svg(figure(start_at=2)))


def test_png_has_two_pixels_for_each_of_the_svg():
    svg, png = export.to_svg(figure(), CAPTION), export.to_png(figure(), CAPTION)
    width, height = (float(ET.fromstring(svg).get(side)) for side in ("width", "height"))
    assert png.startswith(b"\x89PNG")
    assert struct.unpack(">II", png[16:24]) == pytest.approx((2 * width, 2 * height), abs=2)


@pytest.mark.parametrize("draw", [figure, planes, heat, network])
def test_every_figure_becomes_a_whole_pdf(draw):
    pdf = export.to_pdf(draw(), CAPTION)
    assert pdf.startswith(b"%PDF")
    assert pdf.rstrip().endswith(b"%%EOF")


def test_html_needs_no_network_and_keeps_its_slider():
    page = export.to_html(figure(), CAPTION).decode()
    markup = re.sub(r"(<script\b[^>]*>).*?</script>", r"\1", page, flags=re.DOTALL)
    assert not re.search(r"\s(src|href)=", markup)
    assert not re.search(r"\b(import|from)\s*\(?\s*[\"']https?:", page)
    assert page.index("<head><style>") < page.index("<script")
    assert '"input":"range"' in re.sub(r"\s", "", page)
    assert all(line in page for line in CAPTION)


def test_csv_reads_back_as_it_was():
    table, _ = tables()
    again = pd.read_csv(io.BytesIO(csv(table)))
    pd.testing.assert_frame_equal(again, table)


def test_twenty_exports_at_once_are_all_complete():
    """Whatever others do meanwhile to the settings that Altair shares between threads."""
    chart = figure()
    alone = export.to_svg(chart, CAPTION)
    active = altair.data_transformers.active

    def disturb(name: str) -> None:
        altair.data_transformers.enable(name)

    def one(i: int) -> bytes:
        disturb("json" if i % 2 else "default")
        return export.to_svg(figure(), CAPTION)

    try:
        with ThreadPoolExecutor(20) as pool:
            results = list(pool.map(one, range(20)))
    finally:
        disturb(active)
    assert all(result == alone for result in results)


def test_no_word_of_a_caption_is_markup_in_the_html():
    hostile = "</script><script>alert(1)</script><!--<script>"
    plain, marked = (export.to_html(figure(), [words]).decode() for words in ("words", hostile))
    for mark in ("<script", "</script", "<!--"):
        assert marked.count(mark) == plain.count(mark)
    (spec,) = re.findall(r"const spec = (\{.*\});\s+const opts", marked, re.DOTALL)
    assert hostile in json.dumps(json.loads(spec))
