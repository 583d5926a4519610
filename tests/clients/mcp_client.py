"""The official Python client of MCP: lists, calls side by side, progress, errors and cancellation.

    mcp_client.py URL MODE http://HOST:PORT/mcp | http://HOST:PORT/sse | PROGRAM ARGUMENT...

URL is the node's own, whose /metrics tell what it does. MODE is `auto`, the newest revision, or `legacy`,
the one before it.
"""

import asyncio
import re
import sys
import urllib.request

from mcp import Client, StdioServerParameters
from mcp.client.sse import sse_client

BROKEN = 'fn main() {\n    println!("Hello, World!";\n}\n'
SLEEPER = "fn main() { std::thread::sleep(std::time::Duration::from_secs(50)); }"
REVISIONS = {"auto": "2026-07-28", "legacy": "2025-11-25"}


def server(arguments):
    where = arguments[0]
    if where.endswith("/sse"):
        return sse_client(where)
    if where.startswith("http"):
        return where
    return StdioServerParameters(command=where, args=arguments[1:])


async def lists(client):
    assert client.server_info.name == "gaia-node", client.server_info
    names = [tool.name for tool in (await client.list_tools()).tools]
    assert names[-1] == "wait_for_job" and {"compile", "run", "compile_and_fix"} <= set(names), names
    assert len((await client.list_prompts()).prompts) == 3
    resources = (await client.list_resources()).resources
    assert all(str(resource.uri).startswith("knowledge://") for resource in resources)


async def compile_broken(client):
    told = []

    async def progress(count, total, message):
        told.append(message)

    broken = await client.call_tool("compile", {"code": BROKEN}, progress_callback=progress)
    assert broken.structured_content["verdict"] == "compile_error", broken
    assert told, "no progress was told"


async def run(client):
    ran = await client.call_tool("run", {"code": 'fn main() { println!("hi") }'})
    assert ran.structured_content["stdout"] == "hi\n", ran


async def explain(client):
    explained = await client.call_tool("explain_error", {"error": "error[E0382]: use of moved value"})
    assert explained.structured_content["codes"] == ["E0382"], explained


async def fix(client):
    fixed = await client.call_tool("compile_and_fix", {"code": BROKEN})
    assert fixed.structured_content["success"] is True, fixed


async def call_wrongly(client):
    wrong = await client.call_tool("compile", {"cod": BROKEN})
    assert wrong.is_error and "cod" in wrong.content[0].text, wrong


async def until_running(url, wanted):
    def running():
        with urllib.request.urlopen(f"{url}/metrics") as answer:
            text = answer.read().decode()
        return int(re.search(r"^gaia_compile_jobs_running (\d+)$", text, re.M)[1])

    async with asyncio.timeout(20):
        while await asyncio.to_thread(running) != wanted:
            await asyncio.sleep(0.05)


async def cancelled(client, url):
    """The node stops at once what nobody waits for any more: the program alone would sleep longer."""
    call = asyncio.create_task(client.call_tool("run", {"code": SLEEPER}))
    await until_running(url, 1)
    call.cancel()
    await until_running(url, 0)
    # The session goes on.
    await call_wrongly(client)


async def main(url, mode, arguments):
    async with Client(server(arguments), mode=mode) as client:
        assert client.protocol_version == REVISIONS[mode], client.protocol_version
        await lists(client)
        await asyncio.gather(*[call(client) for call in (compile_broken, run, explain, fix)])
        await cancelled(client, url)
    print("all checks passed")


asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
