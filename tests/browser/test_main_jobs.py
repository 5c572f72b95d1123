"""What a person does at the screen, in a real Chromium."""

import json
import re
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import ROOT, Server

pytestmark = pytest.mark.browser

IDLE = '[data-testid=stApp][data-test-script-state="notRunning"]'
SHORT = "preset=quick-tanh&epochs=450&reps=2&ckpt=30&layers=6-4"
"""A training of some ten seconds."""


def idle(page):
    page.wait_for_selector(IDLE)
    return page


def chart(page):
    page.wait_for_selector(".st-key-plane-chart .vega-bindings input[type=range]")
    return page.locator(".st-key-plane-chart")


def button(page, name):
    return page.get_by_role("button", name=name, exact=True)


def link(page, name):
    return page.get_by_role("link", name=name, exact=True)


def choose(page, label, option):
    """An option of a list; the page has answered afterwards."""
    field = page.get_by_role("combobox", name=label, exact=True)
    field.scroll_into_view_if_needed()
    # A list closes when what it belongs to is scrolled.
    page.wait_for_timeout(300)
    field.click()
    page.get_by_role("option", name=option, exact=True).click()
    idle(page)


def thumb(page, name):
    return page.get_by_role("slider", name=name)


def test_the_first_screen_shows_a_real_run_without_training(server, open_page):
    page = open_page(server.url)
    chart(page)
    expect(page.get_by_text("What am I looking at?")).to_be_visible()
    expect(page.get_by_text("This experiment is trained already.")).to_be_visible()


def test_the_epoch_slider_and_play_run_in_the_browser(server, open_page):
    page = idle(open_page(server.url))
    chart(page)
    slider = page.locator(".st-key-plane-chart .vega-bindings input[type=range]")
    last = int(slider.get_attribute("max"))
    assert int(slider.input_value()) == last
    page.get_by_role("button", name="Step back").click()
    assert int(slider.input_value()) == last - 1
    slider.evaluate("s => { s.value = 3; s.dispatchEvent(new Event('input', {bubbles: true})) }")
    page.get_by_role("button", name="Play").click()
    page.wait_for_function(
        "Number(document.querySelector('.st-key-plane-chart .vega-bindings input').value) > 6"
    )
    page.get_by_role("button", name="Pause").click()
    assert page.locator(IDLE).count() == 1


def test_a_copied_link_shows_the_same_checkpoint(server, open_page):
    page = idle(open_page(server.url))
    chart(page)
    page.get_by_role("button", name="Step back").click()
    page.get_by_role("button", name="Step back").click()
    page.wait_for_url(re.compile(r"at=57"))
    again = idle(open_page(page.url))
    chart(again)
    slider = again.locator(".st-key-plane-chart .vega-bindings input[type=range]")
    assert slider.input_value() == "57"


def test_the_estimator_slider_changes_the_picture_and_the_link_restores_it(server, open_page):
    page = idle(open_page(server.url))
    chart(page)
    thumb = page.get_by_role("slider", name="Number of bins")
    thumb.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_url(re.compile(r"bins=32"))
    idle(page)
    again = idle(open_page(page.url))
    chart(again)
    expect(again.get_by_text("is cut into 32 equal bins")).to_be_visible()


def test_the_kde_shows_its_bounds_and_stays_on_the_other_pages(server, open_page):
    page = idle(open_page(server.url))
    page.get_by_label("Estimator", exact=True).click()
    page.get_by_role("option", name="KDE").click()
    expect(page.get_by_text("Gaussian noise of variance σ² = 0.1")).to_be_visible()
    page.wait_for_url(re.compile("est=kde"))
    page.get_by_role("link", name="Sensitivity").click()
    expect(page.get_by_text("The plane at six values")).to_be_visible()
    expect(page.get_by_role("combobox", name="Estimator")).to_have_value("KDE")
    page.get_by_role("link", name="Guide").click()
    expect(page.get_by_text("Who said what")).to_be_visible()
    page.get_by_role("link", name="Information plane").click()
    expect(page.get_by_text("Gaussian noise of variance σ² = 0.1")).to_be_visible()


def test_what_was_chosen_outlives_its_widget(server, open_page):
    page = idle(open_page(server.url))
    for label, text in (("Batch size", "64"), ("Train fraction", "0.7")):
        page.get_by_label(label, exact=True).fill(text)
        page.keyboard.press("Enter")
    choose(page, "Batch mode", "full")
    expect(page.get_by_label("Batch size", exact=True)).to_have_count(0)
    button(page, "Options").click()
    choose(page, "Samples", "training set")
    page.wait_for_url(re.compile("samples=train"))
    page.keyboard.press("Escape")
    expect(page.get_by_label("Samples", exact=True)).to_have_count(0)
    thumb(page, "Number of bins").press("ArrowRight")
    page.wait_for_url(re.compile("bins=32"))
    page.get_by_role("link", name="Guide").click()
    expect(page.get_by_text("Who said what")).to_be_visible()
    choose(page, "Batch mode", "mini")
    expect(page.get_by_label("Batch size", exact=True)).to_have_value("64")
    expect(page.get_by_label("Train fraction", exact=True)).to_have_value("0.7")
    page.get_by_role("link", name="Information plane").click()
    expect(thumb(page, "Number of bins")).to_have_attribute("aria-valuetext", "32")
    button(page, "Options").click()
    expect(page.get_by_role("combobox", name="Samples", exact=True)).to_have_value("training set")


def test_one_line_more_leaves_slider_and_chart_as_they_are(server, open_page):
    page = idle(open_page(server.url))
    made = [thumb(page, "Number of bins"), chart(page).locator("canvas")]
    for part in made:
        part.evaluate("part => { part.theFirst = true }")
    page.get_by_label("Learning rate", exact=True).fill("0.01")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The settings in the sidebar are not trained yet")).to_be_visible()
    idle(page)
    assert [part.evaluate("part => part.theFirst") for part in made] == [True, True]


def test_a_link_fetches_nothing_from_elsewhere(server, open_page):
    page = idle(open_page(server.url + "/?task=![](http://192.0.2.1/a.png)"))
    expect(page.get_by_text("The link: task:")).to_be_visible()


WRONG_ENTRIES = {
    "Hidden layers": ("10--7", "layers: '10--7' is not allowed"),
    "Train fraction": ("1.5", "train_fraction: 1.5 is not allowed"),
    "Learning rate": ("fast", "learning_rate: 'fast' is not allowed"),
    "Replicates": ("0", "replicates: 0 is not allowed"),
}


def test_bad_entries_are_named_beside_their_fields_before_anything_starts(server, open_page):
    page = idle(open_page(server.url))
    for label, (text, message) in WRONG_ENTRIES.items():
        field = page.get_by_label(label, exact=True)
        right = field.input_value()
        field.fill(text)
        field.press("Enter")
        expect(page.get_by_text(message)).to_be_visible()
        expect(button(page, "Run").or_(button(page, "Show"))).to_be_disabled()
        chart(page)
        field.fill(right)
        field.press("Enter")
        expect(page.get_by_text(message)).to_have_count(0)
        idle(page)


def test_a_link_that_asks_for_nonsense_is_named_and_the_rest_is_kept(server, open_page):
    page = idle(open_page(server.url + "/?bins=9999&act=relu&colour=red"))
    expect(page.get_by_text("The link: bins: '9999' is not allowed")).to_be_visible()
    expect(page.get_by_text("The link: colour: 'red' is not allowed")).to_be_visible()
    expect(page.get_by_text("The settings in the sidebar are not trained yet")).to_be_visible()
    chart(page)


def test_training_survives_reload_and_cancel_and_goes_on(server, open_page):
    # It must not end while the second page opens.
    link = f"{server.url}/?{SHORT.replace('epochs=450', 'epochs=900')}"
    page = idle(open_page(link))
    button(page, "Run").click()
    expect(page.get_by_text(re.compile(r"Training: epoch"))).to_be_visible()
    page.reload()
    expect(page.get_by_text(re.compile(r"Training: epoch"))).to_be_visible()
    chart(page)
    second = open_page(link)
    expect(second.get_by_text(re.compile(r"Training: epoch"))).to_be_visible()
    second.close()
    button(page, "Cancel").click()
    expect(page.get_by_text(re.compile(r"Stopped at epoch \d+ of 900"))).to_be_visible()
    chart(page)
    button(page, "Continue").click()
    expect(page.get_by_text(re.compile(r"Training: epoch"))).to_be_visible()
    expect(page.get_by_text("This experiment is trained already.")).to_be_visible(timeout=60_000)
    chart(page)


def test_the_files_that_a_figure_hands_out(server, open_page):
    page = idle(open_page(server.url))
    chart(page)
    page.get_by_text("Export this figure").click()
    heads = {
        "PNG": b"\x89PNG",
        "SVG": b"<svg",
        "PDF": b"%PDF",
        "HTML": b"<!DOCTYPE",
        "Run file": b"PK",
    }
    for name, head in heads.items():
        with page.expect_download() as download:
            link(page, name).click()
        content = Path(download.value.path()).read_bytes()
        assert content.lstrip().startswith(head), name
    with page.expect_download() as download:
        link(page, "CSV").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert lines[0].startswith("epoch,layer,replicate,i_xt,i_ty")
    assert len(lines) == 1 + 60 * 6 * 10
    with page.expect_download() as download:
        link(page, "Experiment").click()
    assert json.loads(Path(download.value.path()).read_text())["training"]["epochs"] == 8000
    assert re.fullmatch(r"experiment-[0-9a-f]{8}\.json", download.value.suggested_filename)


def test_a_cell_of_the_verdict_map_shows_its_curve(server, open_page):
    page = idle(open_page(server.url + "/verdicts?preset=saxe-tanh&limits=range"))
    drawn = page.locator(".st-key-verdict-map-chart canvas")
    expect(drawn).to_be_visible()
    expect(page.get_by_text("absent in every layer")).to_be_visible()
    before = drawn.screenshot()
    box = drawn.bounding_box()
    page.mouse.click(box["x"] + 150, box["y"] + 190)
    expect(page.locator("#vg-tooltip-element")).to_contain_text("compresses by")
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    assert drawn.screenshot() != before


def test_estimators_stand_trial_and_three_neurons_answer_their_sliders(server, open_page):
    page = idle(open_page(server.url + "/trials?case=two-points-1&tn=256&tseeds=3"))
    expect(page.locator(".st-key-trial-chart canvas")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="KDE")).to_contain_text("hold the truth")
    page.get_by_role("tab", name="Three neurons").click()
    gain = page.get_by_role("slider", name="Gain w")
    expect(page.locator(".st-key-three-neurons-chart canvas")).to_be_visible()
    gain.focus()
    page.keyboard.press("End")
    page.wait_for_url(re.compile("gain=100"))
    expect(page.get_by_text("tanh rises to 4.90, then falls")).to_be_visible()


def test_a_click_on_a_layer_lights_it_up_in_planes_and_pictures(server, open_page):
    page = idle(open_page(f"{server.url}/layers?est=kde"))
    figure = page.locator(".st-key-layers-chart canvas")
    expect(figure).to_be_visible()
    expect(page.get_by_text("The prediction layer's I(T;Y) rises")).to_be_visible()
    pictures = {"x": 300, "y": figure.bounding_box()["height"] - 105}

    def colours():
        """How many pixels in the upper half have a strong colour that hides what is below."""
        return figure.evaluate(
            """c => { const p = c.getContext('2d').getImageData(0, 0, c.width, c.height / 2).data;
            let n = 0; for (let i = 0; i < p.length; i += 4) { const rgb = p.slice(i, i + 3);
            n += p[i + 3] > 200 && Math.max(...rgb) - Math.min(...rgb) > 90 }
            return n }"""
        )

    figure.hover(position={"x": 5, "y": 5})
    page.wait_for_timeout(200)
    all_lit = colours()
    figure.click(position=pictures)
    figure.hover(position={"x": 5, "y": 5})
    page.wait_for_timeout(200)
    assert colours() < all_lit / 2
    figure.dblclick(position={"x": 5, "y": 5})
    figure.hover(position={"x": 5, "y": 5})
    page.wait_for_timeout(200)
    assert colours() == all_lit


def test_gradients_by_definition_protocol_and_layer(server, open_page):
    page = idle(open_page(server.url + "/gradients?preset=saxe-tanh"))
    drawn = page.locator(".st-key-gradient-phases-chart canvas")
    expect(drawn).to_be_visible()
    sentence = page.get_by_role("listitem").filter(has_text="1: 10 tanh").first
    expect(sentence).to_contain_text("crossed at epoch 11")
    page.get_by_role("radio", name="Weights fixed, one epoch").click()
    expect(sentence).to_contain_text("crossed at epoch 10")
    page.get_by_role("radio", name="Original code").click()
    expect(sentence).to_contain_text("never drift-dominated")
    page.wait_for_url(re.compile(r"proto=epoch.*def=cumulative"))
    expect(drawn).to_be_visible()
    page.get_by_text("Every definition for one layer").click()
    expect(page.locator(".st-key-gradient-definitions-chart canvas")).to_be_visible()
    page.get_by_label("Layer", exact=True).click()
    page.get_by_role("option", name="5: 3 tanh").click()
    page.wait_for_url(re.compile(r"glayer=5"))
    page.get_by_role("tab", name="Loss and gradient").click()
    expect(page.locator(".st-key-loss-and-gradient-chart canvas")).to_be_visible()
    page.get_by_role("tab", name="Weights").click()
    expect(page.locator(".st-key-weights-chart canvas")).to_be_visible()
    weights = page.get_by_role("tabpanel", name="Weights")
    weights.get_by_text("Export this figure").click()
    with page.expect_download() as download:
        link(page, "PDF").click()
    assert Path(download.value.path()).read_bytes().startswith(b"%PDF")


def test_sensitivity_compares_tanh_and_relu_and_the_guide_links_to_presets(server, open_page):
    page = idle(open_page(server.url, scheme="dark"))
    page.get_by_role("link", name="Guide").click()
    page.get_by_role("link", name=re.compile("Sensitivity of tanh")).click()
    expect(page.get_by_text("The plane at six values")).to_be_visible()
    assert "preset=saxe-tanh" in page.url
    button(page, "ReLU").click()
    page.wait_for_url(re.compile("preset=saxe-relu"))
    expect(page.get_by_label("Activation")).to_have_attribute("value", "relu")
    expect(page.get_by_text("I(X;T) at every value and epoch")).to_be_visible()


def test_a_killed_server_leaves_nothing_broken(browser, open_page, tmp_path):
    first = Server(tmp_path)
    first.start()
    page = idle(open_page(f"{first.url}/?{SHORT}"))
    button(page, "Run").click()
    expect(page.get_by_text(re.compile(r"Training: epoch"))).to_be_visible()
    page.wait_for_timeout(3000)
    first.kill()
    page.close()
    second = Server(tmp_path)
    second.start()
    try:
        page = idle(open_page(f"{second.url}/?{SHORT}"))
        expect(page.get_by_text(re.compile(r"Stopped at epoch \d+ of 450"))).to_be_visible()
        chart(page)
        expect(button(page, "Continue")).to_be_enabled()
    finally:
        second.kill()


def test_every_download_succeeds_while_the_page_computes(server, open_page):
    page = idle(open_page(server.url + "/?preset=saxe-tanh&est=ksg"))
    page.get_by_text("Export this figure").click()
    computing = page.get_by_text(re.compile(r"(Estimating|All values of the slider): \d+%"))
    seen = set()
    for i in range(25):
        seen.add(computing.inner_text())
        with page.expect_download(timeout=10_000) as download:
            link(page, ("PNG", "CSV", "SVG", "Experiment", "HTML")[i % 5]).click()
        assert Path(download.value.path()).stat().st_size > 500
    # The page was drawn again all the while.
    assert len(seen) > 2


@pytest.mark.parametrize(
    "page_name", ["", "layers", "sensitivity", "verdicts", "trials", "gradients", "guide"]
)
def test_a_page_opened_directly_asks_for_nothing_that_is_not_there(server, browser, page_name):
    wrong = []
    with browser.new_context() as context:
        page = context.new_page()
        page.on("response", lambda answer: answer.ok or wrong.append(answer.url))
        page.on("console", lambda said: said.type == "error" and wrong.append(said.text))
        page.goto(f"{server.url}/{page_name}")
        idle(page)
        page.get_by_role("link", name="Guide", exact=True).click()
        expect(page.get_by_text("Who said what")).to_be_visible()
        assert page.url.split("?")[0] == f"{server.url}/guide"
    assert wrong == []


def test_a_handed_out_page_runs_no_script_of_a_caption(browser, tmp_path):
    sys.path.insert(0, str(ROOT / "app"))
    import charts
    import export

    hostile = "</script><script>document.title = 'taken'</script>"
    drawing = charts.network_drawing([charts.DrawnLayer(units, str(units)) for units in (4, 2)])
    place = tmp_path / "figure.html"
    place.write_bytes(export.to_html(drawing, [hostile]))
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(place.as_uri())
        expect(page.locator("svg.marks")).to_contain_text("</script><script>document.title")
        assert page.title() == "Chart"
