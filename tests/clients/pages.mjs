// The scripts of the node's pages, without a browser: what they make of hostile text, and of events that
// come in pieces. The stand-in for the document knows elements, text and nothing else: a script that
// reached for markup would fail on it.
//
//   node pages.mjs FOLDER_OF_THE_PAGES

import assert from "node:assert/strict";
import path from "node:path";
import { pathToFileURL } from "node:url";

const KNOWN = new Set(["p", "pre", "code", "h2", "ul", "ol", "li", "strong", "em"]);

class Element {
  constructor(name) {
    assert.ok(KNOWN.has(name), `an element that Markdown does not need: ${name}`);
    this.name = name;
    this.children = [];
    Object.seal(this);
  }

  append(...children) {
    for (const child of children) assert.ok(typeof child === "string" || child instanceof Element);
    this.children.push(...children);
  }

  set textContent(text) {
    this.children = [text];
  }

  setAttribute(name) {
    assert.fail(`an attribute that Markdown does not need: ${name}`);
  }
}

globalThis.document = { createElement: (name) => new Element(name) };

const folder = path.resolve(process.argv[2]);
const load = (name) => import(pathToFileURL(path.join(folder, name)));
const { markdown } = await load("markdown.js");
const { events } = await load("common.js");

const words = (part) => (typeof part === "string" ? part : part.children.map(words).join(""));
const shape = (part) => (typeof part === "string" ? part : [part.name, ...part.children.map(shape)]);
const shapes = (text) => markdown(text).map(shape);

const hostile = [
  "<img src=x onerror=alert(1)>",
  "<script>alert(1)</script>",
  "[click](javascript:alert(1))",
  "![x](https://evil.example/track.png)",
  "<a href='https://evil.example'>here</a>",
  "&lt;b&gt; &#x3c;script&#x3e;",
];
for (const text of hostile) {
  for (const wrapped of [text, `# ${text}`, `- ${text}`, `**${text}**`, `\`${text}\``, `\`\`\`\n${text}\n\`\`\``]) {
    const said = markdown(wrapped).map(words).join("");
    assert.ok(said.includes(text), `${wrapped} was shown as ${said}`);
  }
}

// What never ends, or nests without end, ends all the same.
const many = 20_000;
for (const piece of ["*", "`", "```\n", "- ", "#", "**a", "*a ", "1. \n"]) {
  const text = piece.repeat(many);
  assert.ok(markdown(text).length > 0);
}

assert.deepEqual(shapes("# A\nb *c*\nd\n\n1. **e**\n2. `f`\n```rust\n*g*\n```\nh"), [
  ["h2", "A"],
  ["p", "b ", ["em", "c"], "\nd"],
  ["ol", ["li", "", ["strong", "e"], ""], ["li", "", ["code", "f"], ""]],
  ["pre", ["code", "*g*"]],
  ["p", "h"],
]);
assert.deepEqual(shapes("```\nunfinished"), [["pre", ["code", "unfinished"]]]);
assert.deepEqual(shapes(""), []);

/// A body that comes in pieces of so many bytes.
function pieces(text, size) {
  const bytes = new TextEncoder().encode(text);
  return new ReadableStream({
    start(controller) {
      for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.slice(at, at + size));
      controller.close();
    },
  });
}

const stream = ':\n\ndata: {"a":"é"}\n\nevent: x\ndata: b\n\n:\n\ndata: [DONE]\n\ndata: cut off';
for (const size of [1, 2, 7, 1000]) {
  const found = [];
  for await (const data of events({ body: pieces(stream, size) })) found.push(data);
  assert.deepEqual(found, ['{"a":"é"}', "b", "[DONE]"]);
}

console.log("all checks passed");
