// The node's page: tabs, and what is asked of the node when it opens.

import { ask, at, filled, keepKey, make, post } from "./common.js";
import * as chat from "./chat.js";
import * as rust from "./rust.js";

const tabs = [...document.querySelectorAll("[role=tab]")];

function tell(problem) {
  at("problem").textContent = problem;
  at("problem").hidden = problem === "";
}

function show(tab) {
  for (const other of tabs) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", String(chosen));
    other.tabIndex = chosen ? 0 : -1;
    at(other.getAttribute("aria-controls")).hidden = !chosen;
  }
  tell("");
  if (tab.id === "tab-models") models();
}

for (const tab of tabs) {
  tab.addEventListener("click", () => show(tab));
  tab.addEventListener("keydown", (event) => {
    const all = tabs.filter((other) => !other.hidden);
    const place = all.indexOf(tab);
    const right = all[(place + 1) % all.length];
    const next = { ArrowRight: right, ArrowLeft: all.at(place - 1), Home: all[0], End: all.at(-1) }[event.key];
    if (!next) return;
    event.preventDefault();
    next.focus();
    show(next);
  });
}

function option(name) {
  return make("option", name, { value: name });
}

async function models() {
  try {
    const info = await (await ask("/v1/info")).json();
    at("node-state").textContent = `gaia-node ${info.node.version}`;
    at("models-answer").replaceChildren(...info.models.map(card));
    const chats = info.models.filter((model) => model.kind === "chat").map((model) => model.name);
    const chosen = at("chat-model").value;
    at("chat-model").replaceChildren(...chats.map(option));
    if (chats.includes(chosen)) at("chat-model").value = chosen;
  } catch (error) {
    tell(error.message);
  }
}

function card(model) {
  const { stats = {}, card: facts = {} } = model;
  const state = model.state === "loading" ? `loading, ${Math.round((model.share ?? 0) * 100)} %` : model.state;
  const rows = [
    ["Kind", model.kind],
    ["State", state],
    ["What", facts.description],
    ["Size", facts.size_bytes && `${(facts.size_bytes / 1e6).toFixed(0)} MB`],
    ["Context", facts.context_tokens && `${facts.context_tokens} tokens`],
    ["Running", stats.sequences_active],
    ["Waiting", stats.sequences_queued],
    ["Tokens made", stats.generated_tokens_total],
    ["Memory", stats.memory_bytes && `${(stats.memory_bytes / 1e6).toFixed(0)} MB`],
    ["Restarts", model.restarts],
  ].filter(([, value]) => value !== undefined && value !== "");
  const list = make("dl");
  for (const [name, value] of rows) {
    const kind = { ready: "good", down: "bad" }[name === "State" ? value : ""];
    list.append(make("dt", name), make("dd", `${value}`, kind ? { class: kind } : {}));
  }
  return filled(make("div", "", { class: "card" }), make("h2", model.name), list);
}

async function collections(has) {
  const { collections: all } = has ? await (await ask("/v1/knowledge/collections")).json() : { collections: [] };
  const names = all.map((collection) => collection.name);
  at("tab-search").hidden = names.length === 0;
  if (names.length === 0 && !at("search").hidden) show(at("tab-chat"));
  at("chat-base-label").hidden = names.length === 0;
  at("chat-base").replaceChildren(make("option", "as the model's config says", { value: "" }), ...names.map(option));
  at("search-base").replaceChildren(...names.map(option));
}

async function search(event) {
  event.preventDefault();
  tell("");
  at("search-state").textContent = "searching…";
  try {
    const body = { query: at("search-text").value, collections: [at("search-base").value], limit: 10 };
    const { passages } = await post("/v1/knowledge/search", body);
    at("search-state").textContent = passages.length === 0 ? "nothing was found" : `found: ${passages.length}`;
    at("search-answer").replaceChildren(...passages.map((found) => chat.passage(found)));
  } catch (error) {
    at("search-state").textContent = "";
    tell(error.message);
  }
}

async function open() {
  tell("");
  await models();
  if (!at("problem").hidden) return;
  try {
    const { paths } = await (await ask("/openapi.json")).json();
    at("rust-fix").hidden = !paths["/v1/repair"];
    await collections(Boolean(paths["/v1/knowledge/collections"]));
  } catch (error) {
    tell(error.message);
  }
}

keepKey(at("api-key"), open);
chat.start(tell);
rust.start(tell);
at("search-form").addEventListener("submit", search);
at("models-again").addEventListener("click", () => {
  tell("");
  models();
});
await open();
