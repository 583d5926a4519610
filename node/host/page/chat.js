// Talking with a model: streamed, with a button that stops it, and with the sources of what it says.

import { ask, at, events, filled, make, refocus } from "./common.js";
import { markdown } from "./markdown.js";

/// A model that never ends would fill the tab.
const ANSWER_CHARS_MAX = 200_000;

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
    running = null;
    busy(false);
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
  const question = make("div", text, { class: "turn user" });
  const turn = make("div", "", { class: "turn busy", "aria-busy": "true" });
  at("talk").append(question, turn);
  at("chat-text").value = "";
  const own = new AbortController();
  running = own;
  busy(true);
  const said = { text: "", thought: "", citations: [] };
  let problem = null;
  try {
    await listen(mine, said, turn, own.signal);
  } catch (error) {
    problem = error;
  }
  // Another conversation was begun meanwhile.
  if (running !== own) return;
  running = null;
  busy(false);
  turn.classList.remove("busy");
  turn.removeAttribute("aria-busy");
  if (problem && problem.name !== "AbortError") tell(problem.message);
  keep(mine, said, problem, [question, turn]);
  refocus(at("chat-text"));
}

function keep(mine, said, problem, [question, turn]) {
  const silent = said.text.trim() === "" && said.thought === "";
  if (silent && problem) {
    // To be sent once more.
    question.remove();
    turn.remove();
    at("chat-text").value ||= question.textContent;
    return;
  }
  if (silent) turn.append(make("p", "Nothing was said.", { class: "dim" }));
  // What was stopped was said all the same.
  messages = [...mine, { role: "assistant", content: said.text }];
}

async function listen(mine, said, turn, signal) {
  const body = { messages: mine, stream: true };
  if (at("chat-model").value) body.model = at("chat-model").value;
  const base = at("chat-base").value;
  if (base) body.knowledge = { collections: [base] };
  const answer = await ask("/v1/chat/completions", { method: "POST", body: JSON.stringify(body), signal });
  const paint = painter(() => draw(turn, said));
  try {
    for await (const data of events(answer)) {
      if (data === "[DONE]") break;
      const chunk = JSON.parse(data);
      if (chunk.error) throw new Error(chunk.error.message);
      const delta = chunk.choices?.[0]?.delta ?? {};
      said.text += delta.content ?? "";
      said.thought += delta.reasoning_content ?? "";
      said.citations = chunk.citations ?? said.citations;
      if (said.text.length + said.thought.length > ANSWER_CHARS_MAX) {
        throw new Error("The answer is longer than this page shows: it was stopped.");
      }
      paint.soon();
    }
  } finally {
    paint.now();
  }
}

/// Drawing anew for each token would cost more than the token, and a long text takes its time: a fifth of
/// the time at most goes into drawing.
function painter(draws) {
  let timer = null;
  let next = 0;
  const now = () => {
    clearTimeout(timer);
    timer = null;
    const began = performance.now();
    draws();
    const ended = performance.now();
    next = ended + Math.max(50, 4 * (ended - began));
  };
  const soon = () => {
    timer ??= setTimeout(now, Math.max(0, next - performance.now()));
  };
  return { soon, now };
}

function draw(turn, said) {
  const open = [...turn.querySelectorAll("details[open]")].map((part) => part.className);
  const follows = innerHeight + scrollY >= document.body.scrollHeight - 80;
  const parts = markdown(said.text);
  if (said.thought) {
    const thought = make("p", said.thought, { class: "dim" });
    parts.unshift(filled(make("details", "", { class: "thoughts" }), make("summary", "Thoughts"), thought));
  }
  if (said.citations.length > 0) parts.push(sources(said.citations));
  for (const part of parts) if (open.includes(part.className)) part.open = true;
  turn.replaceChildren(...parts);
  if (follows) scrollTo(0, document.body.scrollHeight);
}

function sources(citations) {
  const list = filled(make("details", "", { class: "sources" }), make("summary", `Sources (${citations.length})`));
  for (const citation of citations) list.append(passage(citation, `[${citation.number}] `));
  return list;
}

/// A passage with where it is from.
export function passage(found, mark = "") {
  const place = [found.document, found.heading, found.place, found.collection].filter(Boolean).join(" · ");
  const score = Number(found.similarity ?? found.score);
  const head = make("p", `${mark}${place}${Number.isFinite(score) ? ` · ${score.toFixed(2)}` : ""}`, { class: "dim" });
  return filled(make("div", "", { class: "card" }), head, make("pre", found.text ?? ""));
}

function busy(is) {
  at("chat-send").disabled = is;
  at("chat-stop").hidden = !is;
}
