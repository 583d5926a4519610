"""The official Python client of MCP: lists, calls, progress and cancellation, over /mcp, /sse or stdio.

    mcp_client.py http://HOST:PORT/mcp | http://HOST:PORT/sse | PROGRAM ARGUMENT...
"""

import asyncio
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.sse import sse_client
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamablehttp_client

BROKEN = 'fn main() {\n    println!("Hello, World!";\n}\n'
SLEEPER = "fn main() { std::thread::sleep(std::time::Duration::from_secs(40)); }"


def transport(arguments):
    where = arguments[0]
    if where.endswith("/sse"):
        return sse_client(where)
    if where.startswith("http"):
        return streamablehttp_client(where)
    return stdio_client(StdioServerParameters(command=where, args=arguments[1:]))


async def checks(session):
    hello = await session.initialize()
    assert hello.serverInfo.name == "gaia-node", hello
    await session.send_ping()
    names = [tool.name for tool in (await session.list_tools()).tools]
    assert names[-1] == "wait_for_job" and "compile" in names, names
    assert len((await session.list_prompts()).prompts) == 3
    resources = (await session.list_resources()).resources
    assert all(str(resource.uri).startswith("knowledge://") for resource in resources)

    told = []

    async def progress(count, total, message):
        told.append(message)

    broken = await session.call_tool("compile", {"code": BROKEN}, progress_callback=progress)
    assert broken.structuredContent["verdict"] == "compile_error", broken
    assert told, "no progress was told"
    ran = await session.call_tool("run", {"code": 'fn main() { println!("hi") }'})
    assert ran.structuredContent["stdout"] == "hi\n", ran
    explained = await session.call_tool("explain_error", {"error": "error[E0382]: use of moved value"})
    assert explained.structuredContent["codes"] == ["E0382"], explained
    fixed = await session.call_tool("compile_and_fix", {"code": BROKEN})
    assert fixed.structuredContent["success"] in (True, False), fixed
    wrong = await session.call_tool("compile", {"cod": BROKEN})
    assert wrong.isError and "cod" in wrong.content[0].text, wrong
    call = asyncio.create_task(session.call_tool("run", {"code": SLEEPER}))
    await asyncio.sleep(2)
    call.cancel()
    print(fixed.structuredContent["message"])


async def main(arguments):
    async with transport(arguments) as streams:
        async with ClientSession(streams[0], streams[1]) as session:
            await checks(session)
    print("all checks passed")


asyncio.run(main(sys.argv[1:]))
