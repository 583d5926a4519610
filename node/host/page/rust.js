// Compiling Rust, with the compiler's messages below the lines that they speak of; and having it fixed.

import { at, filled, make, post, refocus } from "./common.js";

let running = null;

/// Makes the part of the page work.
export function start(tell) {
  const compile = (signal) => {
    const body = { code: at("rust-code").value, command: at("rust-command").value };
    return post("/v1/compile", body, signal);
  };
  const fix = (signal) => post("/v1/repair", { code: at("rust-code").value }, signal);
  at("rust-form").addEventListener("submit", (event) => {
    event.preventDefault();
    run(tell, "compiling…", compile, compiled);
  });
  at("rust-fix").addEventListener("click", () => run(tell, "fixing…", fix, fixed));
  at("rust-stop").addEventListener("click", () => running?.abort());
}

async function run(tell, word, work, show) {
  if (running) return;
  tell("");
  running = new AbortController();
  busy(true, word);
  let state = "";
  try {
    state = show(await work(running.signal));
  } catch (error) {
    if (error.name !== "AbortError") tell(error.message);
  }
  running = null;
  busy(false, state);
  refocus(at("rust-send"));
}

function busy(is, state) {
  at("rust-send").disabled = is;
  at("rust-fix").disabled = is;
  at("rust-stop").hidden = !is;
  at("rust-state").textContent = state;
}

function compiled(answer) {
  const parts = [...reasons(answer), ...outputs(answer), ...changes(answer)];
  at("rust-answer").replaceChildren(source(answer.diagnostics ?? []), ...parts);
  const { errors = 0, warnings = 0, tests_passed = 0, tests_failed = 0 } = answer.tally ?? {};
  const tests = tests_passed + tests_failed > 0 ? `, ${tests_passed} tests passed, ${tests_failed} failed` : "";
  const counted = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
  const verdict = answer.verdict.replaceAll("_", " ");
  const told = `${counted(errors, "error")}, ${counted(warnings, "warning")}${tests}`;
  return `${verdict}: ${told}, ${answer.timings?.total_ms ?? 0} ms`;
}

function fixed(answer) {
  const parts = [];
  if (answer.message) parts.push(make("p", answer.message));
  if (answer.diff) parts.push(make("h2", "Changes"), make("pre", answer.diff));
  const report = answer.report ?? {};
  changes(answer);
  const left = answer.success ? [] : outputs(report);
  at("rust-answer").replaceChildren(...parts, source(report.diagnostics ?? []), ...reasons(report), ...left);
  return answer.success ? "fixed" : "not fixed";
}

/// Whether the code is several files behind lines that name them.
function isFlat() {
  return /^\s*\[filename:/m.test(at("rust-code").value);
}

/// Puts changed code in place of what was sent; what has no place there is shown.
function changes(answer) {
  const field = at("rust-code");
  const files = answer.files ?? {};
  if (isFlat()) {
    if (answer.combined_text) field.value = answer.combined_text;
    else return Object.entries(files).flatMap(([path, text]) => [make("h2", path), make("pre", text)]);
  } else {
    field.value = files["src/main.rs"] ?? files["src/lib.rs"] ?? field.value;
  }
  return [];
}

/// The code, with each message below its line. Of several files the messages stand below them all.
function source(diagnostics) {
  const notes = new Map();
  const elsewhere = [];
  for (const diagnostic of diagnostics) {
    const span = diagnostic.spans?.[0];
    const inside = span && !isFlat() && /^src\/(main|lib)\.rs$/.test(span.file);
    if (!inside) elsewhere.push(diagnostic);
    else notes.set(span.line_end, [...(notes.get(span.line_end) ?? []), diagnostic]);
  }
  const list = make("div", "", { class: "lines" });
  const lines = at("rust-code").value.replace(/\n$/, "").split("\n");
  lines.forEach((text, index) => {
    const line = make("div", "", { class: "line" });
    list.append(filled(line, make("span", `${index + 1}`, { class: "number" }), make("span", text)));
    for (const diagnostic of notes.get(index + 1) ?? []) list.append(note(diagnostic));
  });
  elsewhere.forEach((diagnostic) => list.append(note(diagnostic)));
  return list;
}

function note(diagnostic) {
  const kind = diagnostic.level === "error" ? "bad" : "warn";
  const code = diagnostic.code ? ` [${diagnostic.code}]` : "";
  const head = make("strong", `${diagnostic.level}${code}: `, { class: kind });
  const span = diagnostic.spans?.[0];
  const place = span && isFlat() ? ` (${span.file}:${span.line_start})` : "";
  const box = filled(make("div", "", { class: `note ${kind}` }), head, (diagnostic.message ?? "") + place);
  for (const child of diagnostic.children ?? []) box.append(make("div", `${child.level}: ${child.message}`, { class: "dim" }));
  return box;
}

function reasons(answer) {
  const all = [...(answer.reasons ?? []), ...(answer.notes ?? [])];
  return all.map((reason) => make("p", reason, { class: "bad" }));
}

function outputs(answer) {
  const parts = [];
  for (const test of answer.tests ?? []) {
    const kind = test.status === "passed" ? "good" : "bad";
    parts.push(make("p", `${test.name}: ${test.status}`, { class: kind }));
    if (test.output) parts.push(make("pre", test.output));
  }
  if (answer.stdout) parts.push(make("h2", "Output"), make("pre", answer.stdout));
  if (answer.stderr) parts.push(filled(make("details"), make("summary", "Standard error"), make("pre", answer.stderr)));
  return parts;
}
