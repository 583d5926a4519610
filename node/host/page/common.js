// What both pages share: elements, the API key, requests.

const KEY = "gaia-api-key";

/// The element of that id.
export const at = (id) => document.getElementById(id);

/// An element with text and attributes. Text is never read as markup.
export function make(name, text = "", attributes = {}) {
  const element = document.createElement(name);
  if (text !== "") element.textContent = text;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

/// The same with these inside.
export function filled(element, ...children) {
  element.append(...children);
  return element;
}

/// Keeps the key for as long as this tab is open, and tells when it changes.
export function keepKey(field, changed) {
  field.value = sessionStorage.getItem(KEY) ?? "";
  field.addEventListener("change", () => {
    sessionStorage.setItem(KEY, field.value.trim());
    changed();
  });
}

/// Puts the focus there if what had it can't have it any more.
export function refocus(element) {
  const had = document.activeElement;
  if (!had || had === document.body || had.hidden || had.disabled) element.focus();
}

/// Asks the node; a refusal is thrown with its own words.
export async function ask(path, options = {}) {
  const headers = { ...options.headers };
  const key = sessionStorage.getItem(KEY);
  if (/[^\x21-\x7e]/.test(key ?? "")) throw new Error("No API key has such characters: enter another one above.");
  if (key) headers.authorization = `Bearer ${key}`;
  if (typeof options.body === "string") headers["content-type"] ??= "application/json";
  const answer = await reach(path, { ...options, headers });
  at("api-key").setAttribute("aria-invalid", String(answer.status === 401));
  if (!answer.ok) throw new Error(await reason(answer));
  return answer;
}

async function reach(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The node does not answer. Is it running?");
  }
}

/// Posts an object and reads an object.
export async function post(path, body, signal) {
  const answer = await ask(path, { method: "POST", body: JSON.stringify(body), signal });
  return answer.json();
}

async function reason(answer) {
  if (answer.status === 401) return "This node asks for an API key: enter a valid one above.";
  const text = (await answer.text()).slice(0, 2000);
  try {
    const body = JSON.parse(text);
    return body.error?.message ?? body.detail ?? text;
  } catch {
    return text || `the node answered ${answer.status}`;
  }
}

/// The data of server-sent events, one by one.
export async function* events(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const parts = (rest + value).split("\n\n");
      rest = parts.pop();
      for (const part of parts) {
        const lines = part.split("\n").filter((line) => line.startsWith("data:"));
        if (lines.length > 0) yield lines.map((line) => line.slice(5).trimStart()).join("\n");
      }
    }
  } finally {
    // Who stops listening lets the answer go.
    reader.cancel().catch(() => {});
  }
}
