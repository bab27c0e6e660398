"""The pages as they are sent: who may read them, under which policy, and whether they tell of everything."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from fnmatch import fnmatch
from html import unescape
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import pytest

from servery import errors
from servery.console.docs import PERMISSIONS
from servery.console.pages import pages
from servery.console.words import LANGUAGES, words
from servery.fields._field import all_fields
from servery.gateway.app import protocol_routes
from servery.gateway.permission import Permission
from servery.gateway.route import Route

CONSOLE = Path(str(files("servery.console")))
ROUTES = [*protocol_routes(), *pages()]
STATIC = [route for route in pages() if route.path.startswith("/static/")]
PROBES = {"/livez", "/readyz", "/ping", "/v2/health/live", "/v2/health/ready"}
PUBLIC = {"/", "/docs", *PROBES, *(route.path for route in STATIC)}
"""Every path of the whole server that needs no key."""

Get = Callable[..., httpx.Response]


@pytest.fixture
def get(house: Any) -> Get:
    def send(path: str, key: str | None = None, **headers: str) -> httpx.Response:
        known = {} if key is None else {"authorization": f"Bearer {house.keys[key]}"}
        return httpx.get(house.url + path, headers={**known, **headers}, timeout=20)

    return send


def named(route: Route) -> str:
    return f"{route.method} {route.path}"


@pytest.mark.parametrize("route", ROUTES, ids=named)
def test_the_pages_and_what_they_load_are_public_and_everything_else_is_not(house: Any, route: Route) -> None:
    answer = house.call(route.method, route.path.replace("{", "").replace("}", ""), key=None)
    assert (answer.status_code == 401) == (route.path not in PUBLIC)
    assert answer.status_code in (200, 401)


@pytest.mark.parametrize("path", ["/", "/?lang=zh", "/docs"])
def test_a_page_loads_and_runs_nothing_but_what_this_server_sends(get: Get, path: str) -> None:
    answer = get(path)
    policy = dict(
        part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert not {"script-src", "style-src", "connect-src", "img-src"} & policy.keys()
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("path", ["/", "/?lang=zh", "/docs"])
def test_a_page_holds_no_inline_script_or_style_and_names_no_other_host(get: Get, path: str) -> None:
    page = get(path).text
    tags = re.findall(r"<[a-z][^>]*>", page)
    assert tags
    assert not [tag for tag in tags if re.search(r"\s(style|on\w+)=", tag)]
    scripts = [tag for tag in tags if tag.startswith("<script")]
    assert scripts
    assert all("src=" in tag or 'type="application/json"' in tag for tag in scripts)
    assert "<style" not in page
    for address in re.findall(r'(?:src|href|action)="([^"]*)"', page):
        assert address.startswith(("/", "#")), address
        assert not address.startswith("//"), address


@pytest.mark.parametrize("route", STATIC, ids=named)
def test_a_static_file_has_its_type_and_is_what_lies_in_the_package(get: Get, route: Route) -> None:
    types = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
    answer = get(route.path)
    assert answer.headers["content-type"].partition(";")[0] == types[Path(route.path).suffix]
    assert answer.content == (CONSOLE / route.path[1:]).read_bytes()
    assert answer.headers["cache-control"] == "no-cache"


def test_whatever_a_page_or_a_script_loads_is_there(get: Get) -> None:
    wanted = {
        address for path in ("/", "/docs") for address in re.findall(r'"(/static/[^"]+)"', get(path).text)
    }
    for script in (CONSOLE / "static").rglob("*.js"):
        names = re.findall(r'from "(\.\.?/[^"]+)"', script.read_text("utf-8"))
        wanted |= {f"/{(script.parent / name).resolve().relative_to(CONSOLE)}" for name in names}
    assert len(wanted) > 5
    assert {path: get(path).status_code for path in wanted} == dict.fromkeys(wanted, 200)


def test_no_file_of_the_console_names_another_host() -> None:
    for path in [*CONSOLE.rglob("static/**/*.*"), *CONSOLE.glob("templates/*")]:
        found = re.findall(
            r"(?:https?:)?//[\w.-]+", path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        )
        assert [address for address in found if "." in address] == [], path.name


def test_scripts_never_turn_text_into_markup() -> None:
    for path in (CONSOLE / "static").rglob("*.js"):
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|localStorage|cookie",
            path.read_text("utf-8"),
        ), path.name


def test_every_text_is_there_in_both_languages_and_used() -> None:
    sources = [*CONSOLE.glob("templates/*.html"), *CONSOLE.glob("static/**/*.js")]
    text = "\n".join(path.read_text("utf-8") for path in sources)
    used = set(re.findall(r"\bwords\.(\w+)", text))
    made_up = {"state_", "warning_"}  # names that scripts put together
    for language in LANGUAGES:
        known = words(language)
        assert all(known.values())
        assert used <= known.keys()
        assert {name for name in known if not name.startswith(tuple(made_up))} <= used
    assert all(f"words[`{start}$" in text for start in made_up)


def test_the_start_page_speaks_the_visitors_language(get: Get) -> None:
    chinese, english = "模型，即服务。", "Models, served."
    assert english in get("/").text
    assert chinese in get("/", **{"accept-language": "zh-CN,zh;q=0.9,en;q=0.8"}).text
    assert chinese in get("/?lang=zh", **{"accept-language": "en"}).text
    assert english in get("/?lang=en", **{"accept-language": "zh-CN"}).text
    assert '<html lang="zh-CN">' in get("/?lang=zh").text
    assert english in get("/?lang=%3Cscript%3E").text
    assert get("/").headers["vary"] == "accept-language"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_start_page_shows_every_field_in_both_languages(get: Get, language: str) -> None:
    page = unescape(get(f"/?lang={language}").text)
    for field in all_fields().values():
        assert field.title["en"] in page
        assert field.title["zh"] in page
        assert field.summary[language] in page


def test_the_api_page_has_every_route_with_its_permission_and_a_call(get: Get) -> None:
    articles = {
        re.sub(r"<[^>]+>", "", found[0]).strip(): found[1]
        for found in re.findall(
            r"<h3><span class=\"method\">(.*?)</h3>(.*?)</article>", get("/docs").text, re.DOTALL
        )
    }
    for route in ROUTES:
        if route.tags:
            shown = unescape(articles[named(route)])
            assert route.summary in shown
            assert f'<span class="tag">{route.permission.value}</span>' in shown
            if (
                route.method != "POST" or route.example is not None or "{" in route.path
            ):  # else it only refuses
                assert "curl -s " in shown
                assert ("Authorization" in shown) == (route.permission is not Permission.PUBLIC)


def test_the_api_page_is_for_people(get: Get) -> None:
    page = get("/docs").text
    assert "$ref" not in page
    assert "anyOf" not in page
    assert "Attributes:" not in page
    assert "1 to 128 characters" in page


def test_the_api_page_has_every_error_code_permission_and_bound(get: Get, house: Any) -> None:
    page = get("/docs").text
    for error in vars(errors).values():
        if isinstance(error, type) and issubclass(error, errors.ServeryError):
            assert f"<code>{error.code}</code></td><td>{error.http_status}</td>" in page
    assert set(PERMISSIONS) == set(Permission)
    assert f"{house.workspace.settings.max_body_bytes:,} bytes" in page
    assert "SERVERY_HOME" not in page


def test_the_public_pages_tell_nothing_of_the_models_or_the_machine(get: Get, house: Any) -> None:
    for path in ("/", "/docs"):
        assert "vandal" not in get(path).text
        assert str(house.workspace.settings.home) not in get(path).text


def test_a_report_is_one_page_without_script_for_keys_that_may_read_models(get: Get) -> None:
    path = "/v1/models/sentiment-analysis/report.html"
    answer = get(path, "app")
    assert answer.status_code == 200
    assert "<h1>sentiment-analysis</h1>" in answer.text
    assert answer.headers["content-security-policy"].startswith(
        "default-src 'none'; style-src 'unsafe-inline'"
    )
    assert get(path).status_code == 401
    assert get(path, "asker").status_code == 403
    told = get("/v1/models/nobody/report.html", "app")
    assert (told.status_code, told.json()["error"]["code"]) == (404, "model.not_found")


def test_every_file_of_the_console_goes_into_the_wheel() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["servery"]
    for path in [*CONSOLE.glob("templates/*"), *CONSOLE.glob("static/**/*.*")]:
        name = path.relative_to(CONSOLE.parent).as_posix()
        assert any(fnmatch(name, pattern) for pattern in patterns), name
