"""The page of an equation, in a real Chromium: its sliders move the curve and the loss, and fits start from them."""

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
from playwright.sync_api import expect

import descend

pytestmark = pytest.mark.slow

WAIT = 30_000
DECAY = "y = a * exp(-b * x) + c"

CURVE = """() => {
    const canvas = document.querySelectorAll(".picture.data canvas");
    return [...canvas].map((one) => one.toDataURL()).join();
}"""
CUT_OFF = """() => [...document.querySelectorAll("button, label, h2, .zone b")]
    .filter((one) => one.offsetParent && !one.matches(".column .name, .runs .open, .visually-hidden"))
    .filter((one) => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).display !== "inline")
    .map((one) => one.textContent.trim().slice(0, 40))"""


def table(folder: Path, rows: int = 60) -> Path:
    """A decay with noise; its columns are x and y."""
    random = np.random.default_rng(0)
    x = np.linspace(0, 10, rows)
    y = 3 * np.exp(-0.5 * x) + 1 + random.normal(0, 0.05, rows)
    path = folder / "decay.csv"
    pl.DataFrame({"x": x, "y": y}).write_csv(path)
    return path


def stated(page, url: str, path: Path, formula: str = DECAY) -> None:
    """Open a table and state an equation about it, and wait for its fit and its test."""
    page.goto(url)
    page.locator("input[type=file]").set_input_files(path)
    expect(page.locator(".runs tr.current")).to_be_visible(timeout=WAIT)
    typed(page, formula)


def typed(page, formula: str, label: str = "Formula") -> None:
    """Type a formula and wait for its run."""
    page.get_by_label(label, exact=True).fill(formula)
    page.get_by_label(label, exact=True).press("Enter")
    expect(page.locator(".runs tr.current")).to_contain_text(formula, timeout=WAIT)


def slider(page, name: str):
    return page.get_by_role("slider", name=name, exact=True)


def value(page, name: str) -> float:
    return float(page.get_by_label(f"Value of {name}").input_value())


def loss(page) -> float:
    return float(page.locator(".parameters-loss b").inner_text())


def test_typing_an_equation_shows_sliders_that_move_the_curve_and_the_loss(studio_server, page, tmp_path):
    path = table(tmp_path)
    page.goto(studio_server.url)
    page.locator("input[type=file]").set_input_files(path)
    expect(page.locator(".runs tr.current")).to_be_visible(timeout=WAIT)
    expect(page.locator(".parameters")).to_be_hidden()

    # an example is offered, and understood with a click; the columns have their roles
    page.get_by_role("button", name=DECAY).click()
    expect(page.get_by_label("Formula")).to_have_value(DECAY, timeout=WAIT)
    expect(page.locator(".parameters")).to_be_visible(timeout=WAIT)
    expect(page.get_by_role("button", name=DECAY, exact=True)).to_be_hidden()
    expect(page.locator(".runs tr.current")).to_contain_text(DECAY, timeout=WAIT)
    expect(page.get_by_role("button", name="x", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="Predict y")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="x", exact=True).click()
    expect(page.get_by_label("Formula")).to_have_value(DECAY)

    # they stand at the fit
    fit = {name: value(page, name) for name in "abc"}
    assert fit == pytest.approx({"a": 3.0, "b": 0.5, "c": 1.0}, abs=0.1)
    before, least, equation = page.evaluate(CURVE), loss(page), page.locator(".equation").inner_text()

    # a slider by the keyboard alone: value, curve, equation and loss follow
    slider(page, "b").focus()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    expect(page.locator(".equation")).not_to_have_text(equation)
    moved = value(page, "b")
    assert moved > fit["b"]
    expect(slider(page, "b")).to_have_attribute("aria-valuetext", re.compile(rf"^{moved:g}\d*, from "))
    expect(page.locator(".parameters-loss")).to_contain_text("at the end of the run")
    page.wait_for_function(f"Number(document.querySelector('.parameters-loss b').textContent) > {2 * least}")
    assert page.evaluate(CURVE) != before

    # a number typed, and the loss is that of these parameters over the fitted rows
    box = page.get_by_label("Value of b")
    box.fill("0.25")
    box.press("Enter")
    expect(page.locator(".equation")).to_contain_text("0.25")
    box.fill("no number")
    box.press("Enter")
    assert value(page, "b") == 0.25

    page.get_by_role("button", name="Back to the fit").click()
    expect(page.get_by_label("Value of b")).to_have_value(f"{fit['b']:g}")
    expect(page.locator(".equation")).to_have_text(equation)
    expect(page.get_by_role("button", name="Back to the fit")).to_be_disabled()


def test_the_loss_that_is_told_is_that_of_the_rows(studio_server, page, tmp_path):
    path = table(tmp_path, rows=12)  # few rows: all are fitted, and each is tested by a fit without it
    stated(page, studio_server.url, path)
    for name, number in {"a": 2.5, "b": 0.4, "c": 1.2}.items():
        page.get_by_label(f"Value of {name}").fill(str(number))
        page.get_by_label(f"Value of {name}").press("Enter")
    expect(page.locator(".equation")).to_contain_text("1.2")
    x, y = pl.read_csv(path).get_columns()
    wanted = float(((2.5 * np.exp(-0.4 * x) + 1.2 - y) ** 2).mean())
    expect(page.locator(".parameters-loss b")).to_have_text(f"{wanted:.5g}")


def test_a_fit_starts_where_the_sliders_stand_and_holds_what_is_held(
    studio_server, page, tmp_path, capsys, monkeypatch
):
    path = table(tmp_path)
    stated(page, studio_server.url, path)
    page.get_by_label("Value of a").fill("2")
    page.get_by_label("Value of a").press("Enter")
    page.get_by_role("button", name="Start from here").click()
    expect(page.locator(".runs tbody tr")).to_have_count(3, timeout=WAIT)
    expect(page.get_by_label("Start", exact=True)).to_have_value("given")
    page.locator(".scrub input").focus()
    page.keyboard.press("Home")
    expect(page.get_by_label("Value of a")).to_have_value("2")
    page.get_by_role("button", name="Back to the fit").click()

    page.get_by_role("button", name="Hold c").click()
    expect(page.get_by_role("button", name="Hold c")).to_have_attribute("aria-pressed", "true", timeout=WAIT)
    expect(slider(page, "c")).to_be_disabled()
    expect(page.locator(".runs tbody tr")).to_have_count(4, timeout=WAIT)
    held = page.get_by_label("Value of c")
    held.fill("0.5")
    held.press("Enter")
    expect(page.get_by_label("Held values")).to_have_value("c=0.5", timeout=WAIT)
    expect(page.locator(".runs tbody tr")).to_have_count(5, timeout=WAIT)
    expect(page.locator(".equation")).to_contain_text(re.compile(r"\+ 0\.5$"))
    page.get_by_label("Bounds").fill("b=0.3:0.9")
    page.get_by_label("Bounds").press("Enter")
    expect(page.locator(".runs tbody tr")).to_have_count(6, timeout=WAIT)
    slider(page, "b").focus()
    page.keyboard.press("End")
    expect(page.get_by_label("Value of b")).to_have_value("0.9")
    page.get_by_role("button", name="Back to the fit").click()

    # the command line and Python that are taken along say all of it, and give the same parameters
    page.get_by_role("tab", name="Take along").click()
    command, script = (page.locator(".script pre").nth(at).inner_text() for at in (0, 1))
    with page.expect_download() as got:
        page.get_by_role("button", name="Model", exact=True).click()
    model = descend.load(got.value.path())
    words = shlex.split(command.replace("\\\n", ""))
    for option in ("--init", "--bounds", "--fix"):
        assert option in words
    monkeypatch.chdir(tmp_path)
    code, _, err = called(capsys, *words[1:])
    assert (code, err) == (0, "")
    assert descend.load("model.safetensors").coefficients == model.coefficients
    Path("model.safetensors").unlink()
    exec(compile(script, "script", "exec"), {})
    assert descend.load("model.safetensors").coefficients == model.coefficients
    assert model.coefficients["c"] == 0.5

    # left free again, it is found again
    page.get_by_label("Bounds").fill("")
    page.get_by_label("Bounds").press("Enter")
    page.get_by_role("button", name="Hold c").click()
    expect(page.get_by_role("button", name="Hold c")).to_have_attribute("aria-pressed", "false", timeout=WAIT)
    expect(page.get_by_label("Held values")).to_have_value("")
    page.wait_for_function("Math.abs(Number(document.querySelectorAll('.parameter-number')[2].value) - 1) < 0.1")


def test_the_epochs_of_an_optimizer_move_the_parameters_and_the_plane_is_of_two_of_them(studio_server, page, tmp_path):
    stated(page, studio_server.url, table(tmp_path))
    page.get_by_label("Optimizer", exact=True).select_option("adam")
    expect(page.locator(".runs tr.current")).to_contain_text("adam", timeout=WAIT)
    expect(page.locator(".rate")).to_be_visible()
    end = {name: value(page, name) for name in "abc"}
    page.locator(".scrub input").focus()
    page.keyboard.press("Home")
    expect(page.locator(".epoch b")).to_have_text("0")
    expect(page.get_by_label("Value of a")).not_to_have_value(f"{end['a']:g}")
    page.get_by_role("button", name="Back to the fit").click()
    for name, number in end.items():
        expect(page.get_by_label(f"Value of {name}")).to_have_value(f"{number:g}")

    # two other parameters, by their names
    across, up = page.locator(".picture.path select").all()
    assert across.locator("option").all_inner_texts() == ["a", "b", "c"]
    up.select_option("2")
    expect(page.locator(".picture.path .chart")).to_have_attribute("aria-label", re.compile("c|valley"), timeout=WAIT)
    before = page.locator(".equation").inner_text()
    slider(page, "b").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".equation")).not_to_have_text(before)
    chosen = page.locator(".equation").inner_text()
    page.locator(".picture.data select").select_option("`predicted")  # the values set by hand stay
    expect(page.locator(".picture.data .chart")).to_have_attribute("aria-label", re.compile("predicted"))
    expect(page.locator(".equation")).to_have_text(chosen)
    expect(page.get_by_role("button", name="Start from here")).to_be_enabled()


def test_a_linear_equation_is_followed_live_and_in_the_persons_names(studio_server, page, tmp_path):
    stated(page, studio_server.url, table(tmp_path), "y = W * x + b")
    expect(page.locator(".rate")).to_be_visible()
    expect(page.locator(".picture.path .chart")).to_have_attribute("aria-label", re.compile("W.*b|b.*W"))
    expect(page.locator(".equation")).to_contain_text(re.compile(r"^y = -?−?0\.2\d+ [*×] x \+ 2\.\d+$"))
    page.locator(".rate-track input").focus()
    page.keyboard.press("End")
    expect(page.locator(".foretold.bad")).to_contain_text("diverges")
    page.locator(".rate .small").click()
    page.get_by_label("Value of W").fill("-0.3")
    page.get_by_label("Value of W").press("Enter")
    page.get_by_label("Value of b").fill("3")
    page.get_by_label("Value of b").press("Enter")
    expect(page.locator(".equation")).to_have_text(re.compile(r"^y = .?0\.3 [*×] x \+ 3$"))


def test_a_misspelt_name_is_told_where_it_stands_and_mended_by_a_click(studio_server, page, tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("hours,age,score\n" + "\n".join(f"{h},{20 + h % 5},{30 + 4 * h}" for h in range(1, 30)))
    stated(page, studio_server.url, path, "score ~ hours")
    formula = page.get_by_label("Formula")
    formula.fill("score = k * hour + m * age")
    caret = page.locator(".caret").first
    expect(caret).to_contain_text("a parameter, or the column hours?")
    assert caret.inner_text().split("\n")[1].index("^") == len("score = k * ")
    formula.press("Enter")
    page.get_by_role("button", name="Take hour as a parameter").click()
    expect(page.get_by_label("Parameter names")).to_have_value("hour", timeout=WAIT)
    expect(slider(page, "hour")).to_be_visible(timeout=WAIT)
    expect(caret).to_be_hidden()


def test_a_parameter_too_many_is_held_by_a_click(studio_server, page, tmp_path):
    stated(page, studio_server.url, table(tmp_path), "y = a * k * exp(-b * x) + c")
    hold = page.locator(".remedies").get_by_role("button", name=re.compile("^Hold [ak] at"))
    hold.first.click()
    expect(page.get_by_label("Held values")).to_have_value(re.compile("^[ak]="), timeout=WAIT)
    expect(page.locator(".parameter.held")).to_have_count(1, timeout=WAIT)
    expect(page.locator(".runs tbody tr")).to_have_count(3, timeout=WAIT)
    expect(hold).to_have_count(0)


def test_a_row_is_predicted_with_its_interval(studio_server, page, tmp_path):
    path = table(tmp_path)
    stated(page, studio_server.url, path)
    page.get_by_role("tab", name="Predict").click()
    page.get_by_label("x", exact=True).last.fill("2")
    answer = page.locator(".answer")
    expect(answer).to_contain_text("y = 2.")
    assert float(answer.inner_text().split("=")[1]) == pytest.approx(3 * np.exp(-1) + 1, abs=0.1)
    expect(page.locator(".answer + p")).to_contain_text("95% of such rows lie between")


def test_a_slider_is_drawn_of_2000_rows(studio_server, page, tmp_path):
    """No time is asserted: the events that are sent while one is drawn wait, and only the newest is drawn."""
    stated(page, studio_server.url, table(tmp_path, rows=2000))
    slider(page, "a").focus()
    for _ in range(60):
        page.keyboard.press("ArrowLeft")
    share = int(slider(page, "a").input_value())
    expect(page.locator(".parameters-loss")).to_contain_text("at the end of the run")
    assert int(slider(page, "a").input_value()) == share


SIZES = {"desktop": {"width": 1366, "height": 768}, "narrow": {"width": 1024, "height": 768},
         "phone": {"width": 390, "height": 844}}  # fmt: skip


@pytest.mark.parametrize(
    ("lang", "scheme", "size"),
    [("en", "light", "desktop"), ("ko", "dark", "desktop"), ("ko", "light", "narrow"), ("en", "dark", "phone")],
)
def test_the_states_of_an_equation_are_pictured_and_no_word_is_cut_off(
    studio_server, open_tab, tmp_path, lang, scheme, size
):
    folder = Path(os.environ.get("DESCEND_SHOTS", tmp_path))
    tab = open_tab(viewport=SIZES[size], color_scheme=scheme)
    tab.goto(studio_server.url)
    tab.locator("input[type=file]").set_input_files(table(tmp_path))
    expect(tab.locator(".runs tr.current")).to_be_visible(timeout=WAIT)
    if lang == "ko":
        tab.get_by_label("Language").select_option("ko")
        expect(tab.get_by_role("heading", name="가설")).to_be_visible(timeout=WAIT)

    def pictured(state: str) -> None:
        path = folder / f"equation-{size}-{scheme}-{lang}-{state}.png"
        tab.screenshot(path=path, full_page=size == "phone")
        assert tab.evaluate(CUT_OFF) == []
        assert tab.evaluate("document.documentElement.scrollWidth") <= SIZES[size]["width"]

    label = {"en": "Formula", "ko": "식"}[lang]
    pictured("offered")
    typed(tab, DECAY, label)
    tab.locator(".parameter input[type=range]").nth(1).focus()
    for _ in range(25):
        tab.keyboard.press("ArrowRight")
    pictured("by-hand")
    tab.locator(".parameter .hold").nth(2).click()
    expect(tab.locator(".parameter .hold").nth(2)).to_have_attribute("aria-pressed", "true", timeout=WAIT)
    tab.get_by_label({"en": "Optimizer", "ko": "옵티마이저"}[lang], exact=True).select_option("sgd")
    expect(tab.locator(".runs tr.current")).to_contain_text("sgd", timeout=WAIT)
    pictured("sgd")
    typed(tab, "y = k1*exp(-r1*x) + k2*exp(-r2*x) + level", label)
    pictured("five")


@pytest.mark.parametrize(("lang", "scheme"), [("en", "dark"), ("ko", "light")])
def test_axe_finds_no_serious_fault_of_the_sliders(studio_server, open_tab, tmp_path, scheme, lang):
    axe = os.environ.get("DESCEND_AXE")
    if not axe:
        reason = "axe-core is not installed: npm install axe-core, and DESCEND_AXE=node_modules/axe-core/axe.min.js"
        (pytest.fail if os.environ.get("DESCEND_BROWSER") == "required" else pytest.skip)(reason)
    tab = open_tab(viewport={"width": 1366, "height": 768}, color_scheme=scheme)
    stated(tab, studio_server.url, table(tmp_path))
    if lang == "ko":
        tab.get_by_label("Language").select_option("ko")
        expect(tab.get_by_role("heading", name="모수")).to_be_visible(timeout=WAIT)
    tab.locator(".parameter .hold").nth(2).click()
    expect(tab.locator(".parameter .hold").nth(2)).to_have_attribute("aria-pressed", "true", timeout=WAIT)
    tab.evaluate(Path(axe).read_text(encoding="utf-8") + "; 0")
    found = tab.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    assert not serious, json.dumps([[one["id"], [node["html"] for node in one["nodes"]]] for one in serious])
