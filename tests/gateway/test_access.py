"""Keys: scopes, revocation, expiry, and nothing told to those without one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from servery.errors import UnauthenticatedError
from servery.gateway.access import Access

Call = Callable[..., httpx.Response]


def test_a_key_may_do_what_its_scopes_say_and_no_more(call: Call) -> None:
    body = {"json": {"inputs": {"income": 1, "debt_ratio": 1, "home": "own"}}}
    allowed = {
        ("root", "/admin/v1/keys"): 200,
        ("app", "/v1/models"): 200,
        ("app", "/admin/v1/keys"): 403,
        ("app", "/metrics"): 403,
        ("watcher", "/metrics"): 200,
        ("watcher", "/v1/models"): 403,
    }
    for (key, path), status in allowed.items():
        assert call("GET", path, key=key).status_code == status, (key, path)
    for key, status in {"root": 200, "app": 200, "only-loans": 200, "watcher": 403}.items():
        assert call("POST", "/v1/models/loans/predict", key=key, **body).status_code == status
        assert call("POST", "/v1/models/loans@1", key=key, **body).status_code == status
    refused = call("POST", "/v1/models/reviews/predict", key="only-loans", json={"inputs": "x"})
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "access.forbidden"
    assert call("POST", "/v1/models/secret-name/predict", key="only-loans", json={}).status_code == 403


def test_a_key_also_comes_as_x_api_key(call: Call, home: Any) -> None:
    for header in ({"x-api-key": home.secrets["app"]}, {"authorization": f"bearer {home.secrets['app']}"}):
        assert call("GET", "/v1/models", key=None, headers=header).status_code == 200


@pytest.mark.parametrize(
    "credential",
    [
        "Bearer",
        "Bearer sk-servery-" + "A" * 43,
        "Bearer ' OR 1=1 --",
        "Bearer " + "x" * 10_000,
        "Basic YWRtaW46YWRtaW4=",
        "Bearer \xff\xfe",
        "sk-servery-" + "A" * 43,
    ],
)
def test_a_wrong_credential_is_401_and_says_nothing_more(call: Call, credential: str) -> None:
    answer = call("GET", "/v1/models", key=None, headers={"authorization": credential.encode("latin-1")})
    assert answer.status_code == 401
    assert answer.json()["error"]["message"] == "This needs a valid key."


def test_a_key_that_shares_all_but_the_last_character_is_another_key(call: Call, home: Any) -> None:
    secret = home.secrets["app"]
    near = secret[:-1] + ("A" if secret[-1] != "A" else "B")
    assert call("GET", "/v1/models", key="app").status_code == 200
    assert call("GET", "/v1/models", key=None, headers={"x-api-key": near}).status_code == 401


def test_a_key_revoked_by_another_process_is_refused_within_half_a_second(call: Call, home: Any) -> None:
    secret = home.key("leaver", "models:read")
    headers = {"x-api-key": secret}
    assert call("GET", "/v1/models", key=None, headers=headers).status_code == 200
    home.keys.revoke("leaver", actor="test")
    end = time.monotonic() + 0.5
    while call("GET", "/v1/models", key=None, headers=headers).status_code == 200:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_key_revoked_over_http_is_refused_at_once(call: Call) -> None:
    made = call("POST", "/admin/v1/keys", json={"name": "brief", "scopes": ["models:read"]}).json()
    headers = {"x-api-key": made["secret"]}
    assert call("GET", "/v1/models", key=None, headers=headers).status_code == 200
    assert call("DELETE", f"/admin/v1/keys/{made['id']}").json()["revoked_at"]
    assert call("GET", "/v1/models", key=None, headers=headers).status_code == 401
    assert all("secret" not in key for key in call("GET", "/admin/v1/keys").json()["data"])


def test_an_expired_key_is_refused_though_it_is_remembered(call: Call) -> None:
    asked = {"name": "short", "scopes": ["models:read"], "expires_in_seconds": 1}
    headers = {"x-api-key": call("POST", "/admin/v1/keys", json=asked).json()["secret"]}
    assert call("GET", "/v1/models", key=None, headers=headers).status_code == 200
    time.sleep(1.1)
    assert call("GET", "/v1/models", key=None, headers=headers).status_code == 401


async def test_a_key_revoked_while_it_is_looked_up_is_not_remembered(home: Any) -> None:
    secret = home.key("racer", "predict")
    access = Access(home.keys)
    headers = {b"x-api-key": secret.encode()}
    looking = asyncio.create_task(access.key_of(headers))
    await asyncio.sleep(0)
    home.keys.revoke("racer", actor="test")
    access.forget()
    await asyncio.gather(looking, return_exceptions=True)
    with pytest.raises(UnauthenticatedError):
        await access.key_of(headers)


def test_a_foreign_host_is_refused_on_a_local_server(call: Call) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "evil.example:8000"):
        answer = call("GET", "/livez", headers={"host": host})
        assert answer.status_code == 400, host
    for host in ("localhost", "127.0.0.1:1", "[::1]:8000"):
        assert call("GET", "/livez", headers={"host": host}).status_code == 200
