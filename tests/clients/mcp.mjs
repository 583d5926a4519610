// Drives a node with the official TypeScript client of MCP, in the newest revision and in those before it.
// Usage: node mcp.mjs http://HOST:PORT NODE_MODULES PROGRAM ARGUMENT...  (the program speaks over stdio)

import { createRequire } from "node:module";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const [url, modules, command, ...args] = process.argv.slice(2);
const require = createRequire(join(modules, "x.js"));
const { Client, SSEClientTransport, StreamableHTTPClientTransport } = require("@modelcontextprotocol/client");
const { StdioClientTransport } = require("@modelcontextprotocol/client/stdio");

// The client's warnings of schemas that it can't read in full.
const warnings = [];
console.warn = (...text) => warnings.push(text.join(" "));

const SLEEPER = "fn main() { std::thread::sleep(std::time::Duration::from_secs(50)); }";

function check(condition, what) {
  if (!condition) throw new Error(`FAILED: ${what}`);
  console.log(`ok: ${what}`);
}

async function untilRunning(wanted) {
  for (let left = 400; left > 0; left--) {
    const metrics = await (await fetch(`${url}/metrics`)).text();
    if (Number(/^gaia_compile_jobs_running (\d+)$/m.exec(metrics)[1]) === wanted) return;
    await sleep(50);
  }
  throw new Error(`FAILED: in 20 s there were never ${wanted} jobs at work`);
}

async function cancelled(client, way) {
  const giveUp = new AbortController();
  const call = client.callTool({ name: "run", arguments: { code: SLEEPER } }, { signal: giveUp.signal });
  const refused = call.then(() => false, () => true);
  await untilRunning(1);
  giveUp.abort();
  check(await refused, `${way}: a cancelled call fails`);
  await untilRunning(0);
}

async function drive(way, transport, mode, revision) {
  const client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode } });
  await client.connect(transport);
  check(client.getNegotiatedProtocolVersion() === revision, `${way}: speaks ${revision}`);
  const { tools } = await client.listTools();
  check(tools.at(-1).name === "wait_for_job", `${way}: tools`);
  check(tools.slice(0, -1).every((tool) => tool.outputSchema), `${way}: each says what it answers`);
  let told = 0;
  const wrong = { code: "fn main() { let x: u32 = \"a\"; }" };
  // The client holds the answer to the tool's output schema.
  const answer = await client.callTool({ name: "compile", arguments: wrong }, { onprogress: () => told++ });
  check(answer.structuredContent.verdict === "compile_error" && told > 0, `${way}: a call and its progress`);
  const refused = await client.callTool({ name: "compile", arguments: { cod: "" } });
  check(refused.isError && refused.content[0].text.includes("cod"), `${way}: a wrong argument is named`);
  await cancelled(client, way);
  check((await client.listPrompts()).prompts.length === 3, `${way}: the session goes on`);
  await client.close();
}

const address = (path) => new URL(`${url}${path}`);
await drive("http", new StreamableHTTPClientTransport(address("/mcp")), "auto", "2026-07-28");
await drive("http before", new StreamableHTTPClientTransport(address("/mcp")), "legacy", "2025-11-25");
await drive("sse", new SSEClientTransport(address("/sse")), "legacy", "2025-11-25");
await drive("stdio", new StdioClientTransport({ command, args }), "auto", "2026-07-28");
check(warnings.length === 0, `nothing is warned of: ${warnings.slice(0, 3)}`);
console.log("all checks passed");
