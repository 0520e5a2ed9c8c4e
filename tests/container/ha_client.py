"""Speaks Home Assistant's REST and WebSocket APIs; runs in its own environment, which has aiohttp.

Reads requests as lines of JSON, `[kind, what, body]`, and answers each with a line of JSON: kind is GET or
POST with a path, or ws with a command.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import aiohttp

USER = {"name": "Test", "username": "test", "password": "test-test-test", "language": "en"}


async def main(url: str) -> None:
    """Register the first user, then pass requests on until there are no more."""
    async with aiohttp.ClientSession() as session:
        token = await _token(session, url)
        headers = {"Authorization": f"Bearer {token}"}
        async with session.ws_connect(f"{url}/api/websocket", max_msg_size=0) as socket:
            await socket.receive_json()
            await socket.send_json({"type": "auth", "access_token": token})
            await socket.receive_json()
            _say("ready")
            number = 0
            while line := await asyncio.to_thread(sys.stdin.readline):
                kind, what, body = json.loads(line)
                if kind == "ws":
                    number += 1
                    await socket.send_json({"id": number, "type": what, **body})
                    _say(await socket.receive_json())
                    continue
                async with session.request(kind, f"{url}{what}", json=body, headers=headers) as answer:
                    text = await answer.text()
                    _say({"status": answer.status, "body": json.loads(text) if text[:1] in "[{" else text})


async def _token(session: aiohttp.ClientSession, url: str) -> str:
    client = {"client_id": f"{url}/"}
    async with session.get(f"{url}/api/onboarding") as answer:
        steps = await answer.json()
    if any(step["step"] == "user" and not step["done"] for step in steps):
        async with session.post(f"{url}/api/onboarding/users", json={**client, **USER}) as answer:
            code = (await answer.json())["auth_code"]
    else:
        code = await _log_in(session, url, client)
    form = {**client, "grant_type": "authorization_code", "code": code}
    async with session.post(f"{url}/auth/token", data=form) as answer:
        return str((await answer.json())["access_token"])


async def _log_in(session: aiohttp.ClientSession, url: str, client: dict[str, str]) -> str:
    start = {**client, "handler": ["homeassistant", None], "redirect_uri": f"{url}/"}
    async with session.post(f"{url}/auth/login_flow", json=start) as answer:
        flow = (await answer.json())["flow_id"]
    who = {**client, "username": USER["username"], "password": USER["password"]}
    async with session.post(f"{url}/auth/login_flow/{flow}", json=who) as answer:
        return str((await answer.json())["result"])


def _say(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
