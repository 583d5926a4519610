// The API as a page: /openapi.json, with a form for each operation.

import { ask, at, filled, keepKey, make, refocus } from "./common.js";

const DEPTH_MAX = 4;
const SHOWN_CHARS_MAX = 100_000;
let document_ = null;

function resolve(schema) {
  const name = schema?.$ref?.split("/").pop();
  return name ? (document_.components.schemas[name] ?? {}) : (schema ?? {});
}

/// What kind of value a schema allows, in a few words.
function kind(schema) {
  const name = schema?.$ref?.split("/").pop();
  if (name) return name;
  const { type, anyOf, items, enum: words, minimum, maximum } = schema ?? {};
  if (anyOf) return [...new Set(anyOf.map(kind))].join(" or ");
  if (words) return words.map((word) => JSON.stringify(word)).join(", ");
  if (type === "array") return `list of ${kind(items)}`;
  const range = minimum !== undefined || maximum !== undefined ? ` ${minimum ?? ""}…${maximum ?? ""}` : "";
  return `${Array.isArray(type) ? type.join(" or ") : (type ?? "any")}${range}`;
}

/// The objects that a schema can be, in lists and alternatives too.
function objects(schema) {
  const found = resolve(schema);
  if (found.properties) return [found];
  if (found.anyOf) return found.anyOf.flatMap(objects);
  return found.items ? objects(found.items) : [];
}

function fields(schema, depth = 0) {
  return objects(schema).flatMap((object) => {
    const rows = Object.entries(object.properties).map(([name, property]) => {
      const needed = (object.required ?? []).includes(name);
      const said = property.description ?? resolve(property).description ?? "";
      const standard = property.default === undefined ? "" : ` Default: ${JSON.stringify(property.default)}.`;
      const cell = filled(make("td"), make("code", name), needed ? " *" : "");
      const text = filled(make("td"), `${said}${standard}`);
      if (depth < DEPTH_MAX && objects(property).length > 0) text.append(lazily("Fields", () => table(property, depth + 1)));
      return filled(make("tr"), cell, make("td", kind(property)), text);
    });
    return rows;
  });
}

function table(schema, depth = 0) {
  const head = filled(make("tr"), make("th", "Field"), make("th", "Kind"), make("th", "What"));
  return filled(make("table"), filled(make("thead"), head), filled(make("tbody"), ...fields(schema, depth)));
}

/// A part that is made when somebody opens it.
function lazily(title, content) {
  const part = filled(make("details"), make("summary", title));
  part.addEventListener("toggle", () => part.childElementCount === 1 && part.append(content()), { once: true });
  return part;
}

function inputOf(parameter) {
  const words = parameter.schema?.enum;
  const field = words ? make("select") : make("input");
  if (words) field.append(...["", ...words].map((word) => make("option", word, { value: word })));
  field.dataset.name = parameter.name;
  field.dataset.place = parameter.in;
  field.required = parameter.required;
  const name = `${parameter.name}${parameter.required ? " *" : ""} — ${parameter.description ?? ""}`;
  return filled(make("label", name, { class: "wide" }), field);
}

function bodyOf(operation) {
  const [media, content] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
  if (!media) return { parts: [], read: () => ({}) };
  const about = lazily(`Fields of the body (${media})`, () => table(content.schema));
  if (media === "application/json") {
    const text = make("textarea", "", { class: "code", rows: 6, spellcheck: "false" });
    text.value = JSON.stringify(content.example ?? {}, null, 2);
    return { parts: [about, filled(make("label", "Body"), text)], read: () => ({ body: text.value }) };
  }
  const file = make("input", "", { type: "file" });
  if (media !== "multipart/form-data") {
    return { parts: [filled(make("label", "Body"), file)], read: () => ({ body: file.files[0] }) };
  }
  const others = Object.keys(content.schema.properties).filter((name) => name !== "file");
  const inputs = others.map((name) => filled(make("label", name), make("input", "", { "data-part": name })));
  const read = () => {
    const form = new FormData();
    if (file.files[0]) form.append("file", file.files[0]);
    for (const label of inputs) {
      const input = label.querySelector("input");
      if (input.value) form.append(input.dataset.part, input.value);
    }
    return { body: form };
  };
  return { parts: [about, filled(make("label", "file"), file), ...inputs], read };
}

/// The path with its parts, and the query.
function address(path, form) {
  const query = new URLSearchParams();
  for (const field of form.querySelectorAll("[data-place]")) {
    const { name, place } = field.dataset;
    if (place === "path") path = path.replace(`{${name}}`, encodeURIComponent(field.value));
    else if (field.value) query.append(name, field.value);
  }
  return query.size > 0 ? `${path}?${query}` : path;
}

async function send(method, path, form, read, shown) {
  const body = read().body;
  const options = { method: method.toUpperCase(), body };
  shown.state.textContent = "asking…";
  shown.answer.textContent = "";
  const began = performance.now();
  shown.running = new AbortController();
  shown.stop.hidden = false;
  try {
    const answer = await ask(address(path, form), { ...options, signal: shown.running.signal });
    await display(answer, shown.answer);
    shown.state.textContent = `${answer.status}, ${Math.round(performance.now() - began)} ms`;
  } catch (error) {
    shown.state.textContent = error.name === "AbortError" ? "stopped" : error.message;
  }
  shown.running = null;
  shown.stop.hidden = true;
  refocus(shown.send);
}

async function display(answer, place) {
  place.hidden = false;
  if (!/json|text/.test(answer.headers.get("content-type") ?? "")) {
    place.textContent = `${(await answer.blob()).size} bytes`;
    return;
  }
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done || text.length > SHOWN_CHARS_MAX) break;
    text += value;
    place.textContent = text;
  }
  await reader.cancel();
  try {
    place.textContent = JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    place.textContent = text;
  }
}

function formOf(path, method, operation) {
  const { parts, read } = bodyOf(operation);
  const state = make("span", "", { class: "dim", role: "status" });
  const answer = make("pre");
  answer.hidden = true;
  const button = make("button", "Send", { type: "submit", class: "main" });
  const stop = make("button", "Stop", { type: "button" });
  stop.hidden = true;
  const shown = { state, answer, send: button, stop, running: null };
  stop.addEventListener("click", () => shown.running?.abort());
  const form = filled(
    make("form", "", { class: "talk" }),
    make("p", operation.description ?? ""),
    filled(make("div", "", { class: "row" }), ...(operation.parameters ?? []).map(inputOf)),
    ...parts,
    filled(make("div", "", { class: "row" }), button, stop, state),
    answer,
    ...answersOf(operation),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!shown.running) send(method, path, form, read, shown);
  });
  return form;
}

function answersOf(operation) {
  return Object.entries(operation.responses).flatMap(([status, response]) =>
    Object.entries(response.content ?? {})
      .filter(([, content]) => objects(content.schema).length > 0)
      .map(([media, content]) => lazily(`Answer ${status} (${media})`, () => table(content.schema))),
  );
}

function entry(path, method, operation) {
  const summary = filled(make("summary"), make("span", method, { class: "method" }), " ", make("code", path), " ");
  summary.append(make("span", operation.operationId, { class: "dim" }));
  const part = filled(make("details", "", { id: operation.operationId }), summary);
  part.dataset.words = `${method} ${path} ${operation.operationId} ${operation.description}`.toLowerCase();
  part.addEventListener("toggle", () => {
    if (part.open && part.childElementCount === 1) part.append(formOf(path, method, operation));
  });
  return part;
}

function draw() {
  const all = Object.entries(document_.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => [path, method, operation]),
  );
  const parts = document_.tags.map((tag) => {
    const own = all.filter(([, , operation]) => operation.tags.includes(tag.name));
    const section = filled(make("section"), make("h2", tag.name), make("p", tag.description, { class: "dim" }));
    return filled(section, ...own.map(([path, method, operation]) => entry(path, method, operation)));
  });
  at("operations").replaceChildren(...parts);
  const linked = location.hash ? at(decodeURIComponent(location.hash.slice(1))) : null;
  if (linked) {
    linked.open = true;
    linked.scrollIntoView();
  }
}

function find() {
  const words = at("find").value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const part of document.querySelectorAll("[data-words]")) {
    part.hidden = !words.every((word) => part.dataset.words.includes(word));
  }
  for (const section of document.querySelectorAll("#operations > section")) {
    section.hidden = !section.querySelector("[data-words]:not([hidden])");
  }
}

keepKey(at("api-key"), () => {});
at("find").addEventListener("input", find);
try {
  document_ = await (await ask("/openapi.json")).json();
  draw();
} catch (error) {
  at("problem").textContent = error.message;
  at("problem").hidden = false;
}
