"""The page as a person uses it, in a real Chromium: one journey, and the corners around it."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from conftest import called
from finding_fixtures import clean
from playwright.sync_api import expect
from studio_fixtures import running_studio

import descend
from descend import load

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parent.parent / "examples"
PENGUINS = EXAMPLES / "penguins.csv"
WAIT = 30_000

DRAWN = """(chosen) => Math.max(...[...document.querySelectorAll(chosen)].map((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return data.filter((value, at) => at % 4 === 3 && value > 0).length;
}))"""


def dropped(page, path: Path) -> None:
    """Drop a file on the page as a person does."""
    transfer = page.evaluate_handle(
        """([name, text]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([text], name, { type: "text/csv" }));
            return transfer;
        }""",
        [path.name, path.read_text(encoding="utf-8")],
    )
    for kind in ("dragenter", "dragover", "drop"):
        page.dispatch_event("main", kind, {"dataTransfer": transfer})


def opened(page, url: str) -> None:
    page.goto(url)
    expect(page.get_by_role("heading", name="Drop a table here")).to_be_visible(timeout=WAIT)


def example(page, id: str) -> None:
    page.get_by_label("Worked example").select_option(id)
    expect(page.locator(".titled").first).to_contain_text(f"{id}: ", timeout=WAIT)


def settled(page) -> None:
    """Wait until the run that is shown has been fitted and tested."""
    expect(page.locator(".runs tr.current")).to_be_visible(timeout=WAIT)


def rate(page):
    return page.locator(".rate-track input")


def dragged(page, share: float) -> None:
    """Drag the learning rate to a share of its slider's length."""
    box = rate(page).bounding_box()
    thumb = float(rate(page).input_value())
    page.mouse.move(box["x"] + 8 + thumb * (box["width"] - 16), box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2, steps=8)
    page.mouse.up()


def test_from_a_dropped_table_to_a_model_that_the_command_line_predicts_the_same_with(
    studio_server, page, tmp_path, capsys
):
    opened(page, studio_server.url)
    dropped(page, PENGUINS)
    expect(page.get_by_role("button", name="flipper_length_mm", exact=True)).to_be_visible(timeout=WAIT)
    expect(page.locator(".titled").first).to_contain_text("penguins.csv: 344 rows")

    # missing cells are told, and mended by a click
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("cells are missing", timeout=WAIT)
    alert.get_by_role("button", name="Leave out rows with missing cells").click()

    # a hypothesis is built by clicking columns
    page.get_by_role("button", name="Predict body_mass_g").click()
    formula = page.get_by_label("Formula")
    expect(formula).to_have_value(re.compile(r"^body_mass_g ~ "), timeout=WAIT)
    page.get_by_role("button", name="flipper_length_mm", exact=True).click()
    expect(formula).to_have_value("body_mass_g ~ bill_length_mm + flipper_length_mm", timeout=WAIT)
    page.get_by_role("button", name="bill_length_mm", exact=True).click()
    expect(formula).to_have_value("body_mass_g ~ flipper_length_mm", timeout=WAIT)
    settled(page)
    expect(page.locator(".verdict")).to_contain_text("Better than no hypothesis")
    good = page.locator(".equation").inner_text()

    # the rate is dragged into the red: the divergence is told at once, and in full once the fit has been tried
    dragged(page, 0.97)
    expect(page.locator(".foretold.bad")).to_contain_text("diverges")
    expect(alert).to_contain_text("the fit diverged", timeout=WAIT)
    expect(page.locator(".runs tr.current")).to_contain_text("diverged")
    assert page.locator(".equation").inner_text() != good

    # a click on the remedy, and it converges
    alert.get_by_role("button", name=re.compile("^Take the (best )?rate")).click()
    expect(page.locator(".verdict")).to_contain_text("Better than no hypothesis", timeout=WAIT)
    expect(alert).to_have_count(0)

    # through the epochs: the equation goes along, by hand and played
    scrubber = page.locator(".scrub input")
    last = page.locator(".equation").inner_text()
    scrubber.focus()
    page.keyboard.press("Home")
    expect(page.locator(".equation")).to_have_text("body_mass_g = 0 + 0 × flipper_length_mm", timeout=WAIT)
    page.get_by_role("button", name="One epoch on").click()
    expect(page.locator("output.epoch")).to_contain_text("epoch 1 / 100")
    page.get_by_role("button", name="Play").click()
    expect(page.locator(".equation")).to_have_text(last, timeout=WAIT)

    # two runs laid over one another
    boxes = page.get_by_role("checkbox", name=re.compile("^Compare run"))
    boxes.nth(0).check()
    boxes.nth(1).check()
    names = [page.locator(".runs .open").nth(at).inner_text().split(" · ")[0].strip() for at in (0, 1)]
    for name in names:
        expect(page.locator(".picture.loss .key")).to_contain_text(name, timeout=WAIT)

    # in Korean
    page.get_by_label("Language").select_option("ko")
    expect(page.get_by_role("heading", name="가설")).to_be_visible(timeout=WAIT)
    expect(page.locator("html")).to_have_attribute("lang", "ko")
    expect(page.locator(".verdict")).to_contain_text("가설이 없을 때보다")

    # the prediction here is the command line's with the model that was taken along
    page.get_by_role("tab", name="예측").click()
    expect(page.locator(".answer")).to_contain_text("body_mass_g = ")
    usual = page.locator(".answer").inner_text()
    page.get_by_label("flipper_length_mm", exact=True).fill("212")
    expect(page.locator(".answer")).not_to_have_text(usual)
    expect(page.get_by_role("tabpanel", name="예측")).to_contain_text("95%")
    told = float(page.locator(".answer").inner_text().split("=")[1])
    page.get_by_role("tab", name="가져가기").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="모델", exact=True).click()
    model = tmp_path / download.value.suggested_filename
    download.value.save_as(model)
    code, out, _ = called(capsys, "predict", model, "--set", "flipper_length_mm=212", "--json")
    assert code == 0
    assert told == pytest.approx(json.loads(out)["predictions"][0]["body_mass_g_predicted"], rel=1e-5)
    assert load(model).equation == page.locator(".equation").inner_text()


def test_a_finding_has_a_button_that_mends_it(studio_server, page, tmp_path):
    """One changes how the file is read and a setting with it, the next the formula."""
    table = clean(y=lambda t: t["y"] + t["x"] ** 2, z=lambda t: np.where(np.arange(60) % 20 == 7, 9999, t["z"]))
    path = tmp_path / "bent.csv"
    pl.DataFrame(table).write_csv(path)
    opened(page, studio_server.url)
    dropped(page, path)
    formula = page.get_by_label("Formula")
    expect(formula).to_have_value(re.compile("~"), timeout=WAIT)
    formula.fill("y ~ x + z")
    formula.press("Enter")
    coded = page.locator(".finding", has_text="9999")
    coded.get_by_role("button", name="Take 9999 as missing, and leave such rows out").click(timeout=WAIT)
    expect(coded).to_have_count(0, timeout=WAIT)
    bent = page.locator(".finding", has_text="bend")
    bent.get_by_role("button", name="Add poly(x, 2)").click(timeout=WAIT)
    expect(formula).to_have_value("y ~ poly(x, 2) + z", timeout=WAIT)
    expect(bent).to_have_count(0, timeout=WAIT)


def test_what_is_taken_along_is_what_it_says(studio_server, page, tmp_path, capsys):
    opened(page, studio_server.url)
    example(page, "study-hours")
    settled(page)
    page.get_by_role("tab", name="Take along").click()
    taken = {}
    for name, kind in (("Picture (PNG)", b"\x89PNG"), ("Picture (SVG)", b"<?xml"), ("History (CSV)", b"epoch,loss")):
        with page.expect_download() as download:
            page.get_by_role("button", name=name).click()
        taken[name] = Path(download.value.path()).read_bytes()
        assert taken[name].startswith(kind)
    assert len(taken["History (CSV)"].splitlines()) == 1002
    command = page.locator(".script pre").first.inner_text()
    assert command.startswith('descend fit study-hours.csv "score = W * hours + b"')
    assert "--lr 0.01" in command
    assert "import descend" in page.locator(".script pre").last.inner_text()


def test_the_formula_is_checked_while_it_is_typed(studio_server, page):
    opened(page, studio_server.url)
    example(page, "study-hours")
    settled(page)
    formula = page.get_by_label("Formula")
    formula.fill("score ~ hous")
    expect(page.locator(".caret").first).to_contain_text("^")
    expect(page.locator(".caret").first).to_contain_text("hours")
    formula.fill("score ~ poly(hours, 2)")
    expect(page.locator(".caret").first).to_be_hidden()
    formula.press("Enter")
    expect(page.locator(".equation")).to_contain_text("hours^2", timeout=WAIT)
    expect(page.get_by_role("button", name="hours", exact=True)).to_have_attribute("aria-pressed", "true")


def test_a_long_fit_shows_its_curve_can_be_stopped_and_leaves_the_page_free(studio_server, page, tmp_path):
    rows = [f"{i % 101},{i * 53 % 97},{'yes' if i % 101 > 45 + i % 23 else 'no'}" for i in range(20_000)]
    table = tmp_path / "many.csv"
    table.write_text("a,b,passed\n" + "\n".join(rows), encoding="utf-8")
    opened(page, studio_server.url)
    page.locator("input[type=file]").set_input_files(table)
    expect(page.get_by_label("Formula")).to_have_value(re.compile("~"), timeout=WAIT)
    page.get_by_label("Epochs", exact=True).fill("1000000")
    page.get_by_label("Formula").fill("passed ~ a + b")
    page.get_by_label("Formula").press("Enter")
    doing = page.locator(".doing")
    expect(doing).to_contain_text(re.compile(r"epoch \d"), timeout=WAIT)
    page.get_by_role("tab", name="Predict").click()  # the page answers meanwhile
    expect(page.get_by_role("tab", name="Predict")).to_have_attribute("aria-selected", "true")
    page.get_by_role("tab", name="Runs").click()
    doing.get_by_role("button", name="Stop").click()
    settled(page)
    expect(page.locator(".runs tr.current")).to_contain_text("passed ~ a + b")
    expect(doing.get_by_role("button", name="Stop")).to_have_count(0)


def test_a_table_that_cannot_be_read_is_told_as_the_command_line_tells_it(studio_server, page, tmp_path, capsys):
    bad = tmp_path / "ragged.csv"
    bad.write_text("a,b\n1,2\n3\n4,5\n", encoding="utf-8")
    opened(page, studio_server.url)
    page.locator("input[type=file]").set_input_files(bad)
    code, _, told = called(capsys, "fit", bad, "b ~ a")
    assert code == 1
    sentence = told.split("] ", 1)[1].splitlines()[0]
    expect(page.get_by_role("alert")).to_contain_text(sentence, timeout=WAIT)
    dropped(page, PENGUINS)  # and the page goes on
    expect(page.locator(".titled").first).to_contain_text("344 rows", timeout=WAIT)


def test_examples_chosen_one_after_another_leave_every_picture_drawn(studio_server, page):
    opened(page, studio_server.url)
    for id in ("study-hours", "noisy-line", "pass-fail", "unscaled-diverges", "study-hours"):
        example(page, id)  # at once: what the last table still had to draw is not drawn into the next one's axes
        settled(page)
        dark = page.evaluate(DRAWN, ".picture.loss canvas")
        assert dark > 0, id


def test_words_with_a_click_stand_alone_until_there_is_something_to_draw(studio_server, page):
    opened(page, studio_server.url)
    dropped(page, PENGUINS)
    alert = page.get_by_role("alert")
    expect(alert.get_by_role("button", name="Leave out rows with missing cells")).to_be_visible(timeout=WAIT)
    expect(page.locator(".stage")).to_be_hidden()
    expect(alert).not_to_contain_text("--missing")  # the buttons say it
    alert.get_by_role("button", name="Leave out rows with missing cells").click()
    settled(page)
    expect(page.locator(".stage")).to_be_visible()
    page.get_by_label("Formula").fill("body_mass_g ~ flipper")
    page.get_by_label("Formula").press("Enter")
    expect(alert).to_be_visible(timeout=WAIT)
    expect(page.locator(".stage")).to_be_visible()
    expect(page.get_by_role("tab", name="Runs")).to_be_visible()


def test_a_run_that_is_chosen_twice_at_once_is_chosen_twice(studio_server, page):
    opened(page, studio_server.url)
    example(page, "noisy-line")
    settled(page)
    page.get_by_label("Formula").fill("y ~ 1")
    page.get_by_label("Formula").press("Enter")
    boxes = page.get_by_role("checkbox", name=re.compile("^Compare run"))
    expect(boxes).to_have_count(2, timeout=WAIT)
    settled(page)
    page.evaluate("for (const box of document.querySelectorAll('.runs input[type=checkbox]')) box.click()")
    for at in (0, 1):
        name = boxes.nth(at).get_attribute("aria-label").removeprefix("Compare run ")
        expect(page.locator(".picture.loss .key li").filter(has_text=re.compile(f"^{name}$"))).to_be_visible(
            timeout=WAIT
        )
    expect(boxes.nth(0)).to_be_checked()
    expect(boxes.nth(1)).to_be_checked()


def test_of_a_transformed_target_the_mean_can_be_predicted(studio_server, page, tmp_path):
    x = np.arange(40)
    table = {"x": x, "price": np.exp(1 + 0.05 * x + 0.5 * np.sin(7 * x))}
    pl.DataFrame(table).write_csv(tmp_path / "prices.csv")
    opened(page, studio_server.url)
    dropped(page, tmp_path / "prices.csv")
    settled(page)
    page.get_by_label("Formula").fill("log(price) ~ x")
    page.get_by_label("Formula").press("Enter")
    expect(page.locator(".equation")).to_contain_text("log(price) =", timeout=WAIT)
    settled(page)
    page.get_by_role("tab", name="Predict").click()
    panel = page.get_by_role("tabpanel", name="Predict")
    expect(panel).to_contain_text("price is predicted by its median")
    page.get_by_label("x", exact=True).fill("200")
    expect(panel).to_contain_text("far outside of what was fitted: x, from 0 to 39; nothing was learnt there")
    median = float(panel.locator(".answer").inner_text().split("= ")[1])
    panel.get_by_role("switch", name="The mean, not the median").check()
    expect(panel).not_to_contain_text("median,")
    expect(panel.locator(".answer")).not_to_contain_text(f"{median:.6g}")
    mean = float(panel.locator(".answer").inner_text().split("= ")[1])
    model = descend.fit("log(price) ~ x", tmp_path / "prices.csv", epochs=100, optimizer="sgd")
    assert median == pytest.approx(model.predict({"x": [200]})[0], rel=1e-5)
    assert mean == pytest.approx(model.predict({"x": [200]}, mean=True)[0], rel=1e-5)


def test_a_value_out_there_or_none_is_told_where_it_is_typed(studio_server, page):
    opened(page, studio_server.url)
    example(page, "noisy-line")
    settled(page)
    page.get_by_role("tab", name="Predict").click()
    panel, x = page.get_by_role("tabpanel", name="Predict"), page.get_by_label("x", exact=True)
    expect(panel).not_to_contain_text("nothing was learnt")
    x.fill("1000")
    expect(panel).to_contain_text("far outside of what was fitted: x,")
    for typed in ("", "abc", "inf"):
        x.fill(typed)
        expect(panel).to_contain_text("x is a number: type one")


def test_two_tabs_see_nothing_of_one_another(studio_server, open_tab):
    first, second = open_tab(), open_tab()
    opened(first, studio_server.url)
    opened(second, studio_server.url)
    example(first, "study-hours")
    settled(first)
    expect(second.get_by_role("heading", name="Drop a table here")).to_be_visible()
    example(second, "noisy-line")
    settled(second)
    expect(first.locator(".titled").first).to_contain_text("study-hours")
    assert first.locator(".drop").count() == 1


def test_a_run_that_is_shared_on_purpose_opens_in_another_tab_and_outlives_its_own(studio_server, open_tab, tmp_path):
    first = open_tab(permissions=["clipboard-read", "clipboard-write"])
    opened(first, studio_server.url)
    table = tmp_path / "mine.csv"
    table.write_text("x,y\n" + "\n".join(f"{i},{3 * i + i % 5}" for i in range(40)), encoding="utf-8")
    first.locator("input[type=file]").set_input_files(table)
    settled(first)
    first.get_by_role("button", name="Share run").click()
    expect(first.get_by_text("The link is in the clipboard")).to_be_visible()
    link = first.evaluate("navigator.clipboard.readText()")
    equation = first.locator(".equation").inner_text()
    first.close()
    second = open_tab()
    second.goto(link)
    expect(second.locator(".equation")).to_have_text(equation, timeout=WAIT)
    expect(second.locator(".titled").first).to_contain_text("mine.csv: 40 rows")
    third = open_tab()
    third.goto(studio_server.url + "/?run=guessed")
    expect(third.get_by_role("heading", name="Drop a table here")).to_be_visible(timeout=WAIT)


def test_the_page_is_used_by_the_keyboard_alone(studio_server, page):
    opened(page, studio_server.url)
    example(page, "noisy-line")
    settled(page)
    rate(page).focus()
    before = page.locator(".rate-number").input_value()
    for _ in range(12):
        page.keyboard.press("ArrowLeft")
    expect(page.locator(".rate-number")).not_to_have_value(before)
    page.keyboard.press("End")
    expect(page.locator(".foretold.bad")).to_contain_text("diverges", timeout=WAIT)
    page.keyboard.press("Home")
    expect(page.locator(".foretold")).to_contain_text("too small", timeout=WAIT)


@pytest.mark.parametrize(("lang", "scheme"), [("en", "light"), ("ko", "dark")])
def test_axe_finds_no_serious_fault(studio_server, open_tab, scheme, lang):
    axe = os.environ.get("DESCEND_AXE")
    if not axe:
        reason = "axe-core is not installed: npm install axe-core, and DESCEND_AXE=node_modules/axe-core/axe.min.js"
        (pytest.fail if os.environ.get("DESCEND_BROWSER") == "required" else pytest.skip)(reason)
    tab = open_tab(viewport={"width": 1366, "height": 768}, color_scheme=scheme)
    opened(tab, studio_server.url)
    if lang == "ko":
        tab.get_by_label("Language").select_option("ko")
        expect(tab.get_by_role("heading", name="가설")).to_be_visible(timeout=WAIT)
    expect(tab.locator("html")).to_have_attribute("lang", lang, timeout=WAIT)  # the page's script tells it
    assert faults_found(tab, axe) == []
    tab.locator("select").nth(1).select_option("three-classes")
    settled(tab)
    for name in range(3):
        tab.get_by_role("tab").nth(name).click()
        assert faults_found(tab, axe) == []


def faults_found(tab, axe: str) -> list[str]:
    tab.evaluate(Path(axe).read_text(encoding="utf-8") + "; 0")
    found = tab.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
    return [
        f"{one['id']}: {node['html'][:120]} {node['failureSummary']}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (1920, 1080)])
def test_a_desktop_shows_all_of_it_without_scrolling(studio_server, open_tab, width, height):
    tab = open_tab(viewport={"width": width, "height": height})
    opened(tab, studio_server.url)
    example(tab, "three-classes")
    settled(tab)
    size = tab.evaluate("[document.documentElement.scrollHeight, document.documentElement.scrollWidth]")
    assert size == [height, width]
    for part in (".stage", ".scrub", ".rate", ".below", ".settings"):
        box = tab.locator(part).last.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["y"] + box["height"] <= height
    hidden = tab.evaluate("[...document.querySelectorAll('.rail')].map((one) => one.scrollHeight - one.clientHeight)")
    assert hidden == [0]


@pytest.mark.parametrize("viewport", [{"width": 390, "height": 844}, {"width": 683, "height": 384}])
def test_a_phone_and_a_page_zoomed_to_twice_its_size_show_it_in_one_column(studio_server, open_tab, viewport):
    tab = open_tab(viewport=viewport)
    opened(tab, studio_server.url)
    example(tab, "study-hours")
    settled(tab)
    assert tab.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    assert len({tab.locator(f".picture.{name}").bounding_box()["x"] for name in ("data", "loss", "path")}) == 1


SIZES = {"desktop": {"width": 1366, "height": 768}, "phone": {"width": 390, "height": 844}}
CUT_OFF = """() => [...document.querySelectorAll("button, label, h2, .zone b")]
    .filter((one) => one.offsetParent && !one.matches(".column .name, .runs .open, .visually-hidden"))
    .filter((one) => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).display !== "inline")
    .map((one) => one.textContent.trim().slice(0, 40))"""


@pytest.mark.parametrize(
    ("lang", "scheme", "size"),
    [("en", "light", "desktop"), ("ko", "dark", "desktop"), ("en", "dark", "phone"), ("ko", "light", "phone")],
)
def test_the_main_states_are_pictured_and_no_word_is_cut_off(studio_server, open_tab, tmp_path, lang, scheme, size):
    folder = Path(os.environ.get("DESCEND_SHOTS", tmp_path))
    tab = open_tab(viewport=SIZES[size], color_scheme=scheme)
    opened(tab, studio_server.url)
    if lang == "ko":
        tab.get_by_label("Language").select_option("ko")
        expect(tab.get_by_role("heading", name="가설")).to_be_visible(timeout=WAIT)

    def pictured(state: str) -> None:
        path = folder / f"{size}-{scheme}-{lang}-{state}.png"
        tab.screenshot(path=path, full_page=size == "phone")
        assert path.stat().st_size > 10_000
        assert tab.evaluate(CUT_OFF) == []
        assert tab.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]

    pictured("welcome")
    examples = tab.locator("select:has(option[value='noisy-line'])")
    for id in ("noisy-line", "three-classes", "fruit-yield"):
        examples.select_option(id)
        expect(tab.locator(".titled").first).to_contain_text(f"{id}: ", timeout=WAIT)
        settled(tab)
        pictured(id)
    examples.select_option("unscaled-diverges")
    expect(tab.get_by_role("alert")).to_be_visible(timeout=WAIT)
    settled(tab)
    pictured("diverged")
    tab.get_by_role("alert").get_by_role("button").first.click()
    expect(tab.get_by_role("alert")).to_have_count(0, timeout=WAIT)
    expect(tab.locator(".runs tbody tr")).to_have_count(2, timeout=WAIT)
    for box in tab.locator(".runs input[type=checkbox]").all():
        box.check()
    pictured("compared")
    for at, name in ((1, "predict"), (2, "take")):
        tab.get_by_role("tab").nth(at).click()
        pictured(name)
    tab.locator("input[type=file]").set_input_files(PENGUINS)
    expect(tab.get_by_role("alert")).to_be_visible(timeout=WAIT)
    pictured("missing")


def test_the_first_rows_of_a_file_named_on_the_command_line_are_shown_before_the_rest(tmp_path, open_tab):
    file = tmp_path / "long.csv"
    lines = [f"{row % 89},{row % 97},{'x' * 40}" for row in range(120_000)]
    file.write_text("\n".join(["y,x,note", *lines]) + "\n", encoding="utf-8")
    with running_studio(tmp_path / "here", file) as studio:
        tab = open_tab()
        tab.add_init_script(
            """window.told = [];
            new MutationObserver(() => {
                const text = document.querySelector(".titled")?.textContent ?? "";
                if (text !== window.told.at(-1)) window.told.push(text);
            }).observe(document, { subtree: true, childList: true, characterData: true });"""
        )
        tab.goto(studio.url)
        expect(tab.locator(".titled").first).to_contain_text("long.csv: 120,000 rows", timeout=WAIT)
        told = " | ".join(tab.evaluate("window.told"))
        tab.close()
    assert told.index("the first") < told.index("120,000 rows")


# how a file is read, and what is too much to list


def sent(page, path: Path) -> None:
    """Choose a file."""
    page.set_input_files("input[type=file]", str(path))


def test_decimal_commas_are_told_and_read_by_a_click_and_the_command_says_so(studio_server, page, tmp_path, capsys):
    path = tmp_path / "comma.csv"
    path.write_text("a;b\n" + "".join(f"{k},5;{2 * k},25\n" for k in range(1, 20)), encoding="utf-8")
    opened(page, studio_server.url)
    sent(page, path)
    expect(page.get_by_role("alert")).to_contain_text("decimal comma", timeout=WAIT)
    page.get_by_role("button", name="Read with decimal commas").click()
    expect(page.locator(".equation")).to_contain_text("b = ", timeout=WAIT)
    settled(page)
    page.get_by_role("tab", name="Take along").click()
    command = page.locator(".script pre").first.inner_text()
    assert "--decimal ," in command
    page.locator(".reading summary").click()
    expect(page.get_by_label("Decimal mark")).to_have_value(",")
    page.get_by_label("Decimal mark").select_option("")
    expect(page.get_by_role("alert")).to_contain_text("decimal comma", timeout=WAIT)


def test_an_encoding_that_is_not_known_is_chosen_on_the_page(studio_server, page, tmp_path):
    path = tmp_path / "korean.csv"
    path.write_bytes("이름,점수,시간\n가,3,1\n나,5,2\n다,8,3\n똠,9,4\n".encode("cp949") + b"x\x81\xff,1,2\n")
    opened(page, studio_server.url)
    sent(page, path)
    page.locator(".reading summary").click(timeout=WAIT)
    page.get_by_label("Encoding").select_option("latin-1")
    expect(page.locator(".titled").first).to_contain_text("korean.csv: 5 rows", timeout=WAIT)


def test_more_columns_than_are_listed_are_told_and_found(studio_server, page, tmp_path):
    path = tmp_path / "wide.csv"
    names = [f"c{index}" for index in range(299)] + ["target"]
    rows = [",".join(str((row * 7 + index * index) % 13) for index in range(300)) for row in range(30)]
    path.write_text("\n".join([",".join(names), *rows]), encoding="utf-8")
    opened(page, studio_server.url)
    sent(page, path)
    columns = page.locator(".columns")
    expect(columns).to_contain_text("and 100 more: search to find them", timeout=WAIT)
    expect(columns.get_by_role("button", name="target", exact=True)).to_be_visible(timeout=WAIT)
    page.get_by_label("Search columns").fill("c298")
    expect(columns.get_by_role("button", name="c298", exact=True)).to_be_visible(timeout=WAIT)
    expect(columns.locator(".column")).to_have_count(1, timeout=WAIT)
    page.get_by_label("Search columns").fill("nowhere")
    expect(columns).to_contain_text("no column has", timeout=WAIT)


def test_the_table_of_an_example_goes_along_and_its_command_runs_on_it(
    studio_server, page, tmp_path, capsys, monkeypatch
):
    opened(page, studio_server.url)
    example(page, "study-hours")
    settled(page)
    page.get_by_role("tab", name="Take along").click()
    with page.expect_download(timeout=WAIT) as coming:
        page.get_by_role("button", name="Table (study-hours.csv)").click()
    monkeypatch.chdir(tmp_path)
    coming.value.save_as(tmp_path / "study-hours.csv")
    command = page.locator(".script pre").first.inner_text().replace("\\\n", " ")
    assert called(capsys, *shlex.split(command)[1:])[0] == 0
    equation = load(tmp_path / "model.safetensors").equation
    expect(page.locator(".equation")).to_have_text(equation)


def test_a_leg_of_a_path_keeps_its_direction_where_it_is_cut_off(studio_server, page):
    opened(page, studio_server.url)
    cut = "([from, to, box]) => import('descend-drawing').then((module) => module.within(from, to, box))"
    box = [-10, 10, -10, 10]
    for far in (1e2, 1e9, 1e150):
        for way in ((1, 2), (-3, 1), (0, 1), (1, 0)):
            start, end = [-far * step for step in way], [far * step for step in way]
            (x, y), (to_x, to_y) = page.evaluate(cut, [start, end, box])
            assert max(map(abs, (x, y, to_x, to_y))) <= 10 * (1 + 1e-9)
            assert abs((to_x - x) * way[1] - (to_y - y) * way[0]) < 1e-6
    assert page.evaluate(cut, [[20, -100], [21, 100], box]) is None
    assert page.evaluate(cut, [[-3, 4], [5, 6], box]) == [[-3, 4], [5, 6]]
