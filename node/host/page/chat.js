// Talking with a model: streamed, with a button that stops it, and with the sources of what it says.

import { ask, at, events, filled, make } from "./common.js";
import { markdown } from "./markdown.js";

let messages = [];
let running = null;

/// Makes the part of the page work.
export function start(tell) {
  at("chat-form").addEventListener("submit", (event) => {
    event.preventDefault();
    send(tell);
  });
  at("chat-text").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      at("chat-form").requestSubmit();
    }
  });
  at("chat-stop").addEventListener("click", () => running?.abort());
  at("chat-new").addEventListener("click", () => {
    running?.abort();
    messages = [];
    at("talk").replaceChildren();
    at("chat-text").focus();
  });
}

async function send(tell) {
  const text = at("chat-text").value.trim();
  if (running || text === "") return;
  tell("");
  const mine = [...messages, { role: "user", content: text }];
  const turn = make("div", "", { class: "turn busy" });
  at("talk").append(make("div", text, { class: "turn user" }), turn);
  at("chat-text").value = "";
  running = new AbortController();
  busy(true);
  const said = { text: "", thought: "", citations: [] };
  try {
    await listen(mine, said, turn, running.signal);
  } catch (error) {
    if (error.name !== "AbortError") tell(error.message);
  }
  running = null;
  busy(false);
  turn.classList.remove("busy");
  if (said.text.trim() === "" && said.thought === "") turn.append(make("p", "Nothing was said.", { class: "dim" }));
  // What was stopped was said all the same.
  messages = [...mine, { role: "assistant", content: said.text }];
  at("chat-text").focus();
}

async function listen(mine, said, turn, signal) {
  const body = { messages: mine, stream: true };
  if (at("chat-model").value) body.model = at("chat-model").value;
  const base = at("chat-base").value;
  if (base) body.knowledge = { collections: [base] };
  const answer = await ask("/v1/chat/completions", { method: "POST", body: JSON.stringify(body), signal });
  let drawn = 0;
  for await (const data of events(answer)) {
    if (data === "[DONE]") break;
    const chunk = JSON.parse(data);
    if (chunk.error) throw new Error(chunk.error.message);
    const delta = chunk.choices?.[0]?.delta ?? {};
    said.text += delta.content ?? "";
    said.thought += delta.reasoning_content ?? "";
    said.citations = chunk.citations ?? said.citations;
    // Drawing anew for each token would cost more than the token.
    if (performance.now() - drawn > 50) {
      draw(turn, said);
      drawn = performance.now();
    }
  }
  draw(turn, said);
}

function draw(turn, said) {
  const follows = innerHeight + scrollY >= document.body.scrollHeight - 80;
  const parts = markdown(said.text);
  if (said.thought) {
    const thought = make("p", said.thought, { class: "dim" });
    parts.unshift(filled(make("details"), make("summary", "Thoughts"), thought));
  }
  if (said.citations.length > 0) parts.push(sources(said.citations));
  turn.replaceChildren(...parts);
  if (follows) scrollTo(0, document.body.scrollHeight);
}

function sources(citations) {
  const list = filled(make("details"), make("summary", `Sources (${citations.length})`));
  for (const citation of citations) list.append(passage(citation, `[${citation.number}] `));
  return list;
}

/// A passage with where it is from.
export function passage(found, mark = "") {
  const place = [found.document, found.heading, found.place, found.collection].filter(Boolean).join(" · ");
  const score = Number(found.similarity ?? found.score);
  const head = make("p", `${mark}${place}${Number.isFinite(score) ? ` · ${score.toFixed(2)}` : ""}`, { class: "dim" });
  return filled(make("div", "", { class: "card" }), head, make("pre", found.text ?? "", { class: "wrap" }));
}

function busy(is) {
  at("chat-send").disabled = is;
  at("chat-stop").hidden = !is;
}
