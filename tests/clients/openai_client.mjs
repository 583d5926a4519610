// Drives a node with the official openai package.
// Usage: node openai_client.mjs http://HOST:PORT NODE_MODULES

import { createRequire } from "node:module";
import { join } from "node:path";

const [url, modules] = process.argv.slice(2);
const { default: OpenAI } = createRequire(join(modules, "x.js"))("openai");
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
const messages = [{ role: "user", content: "What is the capital of France? One sentence." }];

function check(condition, what) {
  if (!condition) throw new Error(`FAILED: ${what}`);
  console.log(`ok: ${what}`);
}

const chat = (options) =>
  client.chat.completions.create({ model: "chat", messages, temperature: 0, max_tokens: 24, ...options });

const whole = await chat({});
const text = whole.choices[0].message.content;
check(text.includes("Paris"), "a question is answered");

let streamed = "";
let reason = null;
for await (const chunk of await chat({ stream: true })) {
  streamed += chunk.choices[0]?.delta?.content ?? "";
  reason = chunk.choices[0]?.finish_reason ?? reason;
}
check(streamed === text, "the stream says the same");
check(reason === whole.choices[0].finish_reason, "the stream has the same finish_reason");

const helper = client.chat.completions.stream({ model: "chat", messages, temperature: 0, max_tokens: 24 });
check((await helper.finalContent()) === text, "the streaming helper says the same");

const cut = await chat({ max_completion_tokens: 3, max_tokens: undefined });
check(cut.choices[0].finish_reason === "length" && cut.usage.completion_tokens === 3, "the limit is exact");

const stopped = await chat({ stop: "Paris" });
check(stopped.choices[0].finish_reason === "stop", "stop ends with stop");

const aborted = await chat({ stream: true, max_tokens: 500 });
for await (const _ of aborted) break;
check(true, "a stream can be abandoned");

const vectors = await client.embeddings.create({ model: "embed", input: ["one", "two"] });
check(vectors.data.length === 2 && vectors.data[0].embedding.length === 384, "texts become vectors");

const refused = await chat({ model: "none" }).catch((error) => error);
check(refused.status === 404 && refused.code === "model_not_found", "an unknown model is refused");

console.log("all checks passed");
