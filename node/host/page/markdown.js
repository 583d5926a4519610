// A little Markdown, for what models write: paragraphs, headings, lists, code, bold and italic. What
// comes in is hostile: it only ever becomes text of elements that are made here. There are no links, no
// images and no markup from outside.

import { filled, make } from "./common.js";

const ITEM = /^\s*(?:[-*+]|\d{1,3}[.)])\s+/;
const HEADING = /^(#{1,4})\s+/;
const FENCE = /^\s*```/;

/// The elements of a text.
export function markdown(text) {
  const lines = text.split("\n");
  const parts = [];
  let index = 0;
  const take = (fits) => {
    const taken = [];
    while (index < lines.length && fits(lines[index])) taken.push(lines[index++]);
    return taken;
  };
  while (index < lines.length) {
    const line = lines[index];
    if (FENCE.test(line)) {
      index += 1;
      const code = take((next) => !FENCE.test(next));
      index += 1;
      parts.push(filled(make("pre"), make("code", code.join("\n"))));
    } else if (HEADING.test(line)) {
      index += 1;
      parts.push(filled(make("h2"), ...inline(line.replace(HEADING, ""))));
    } else if (ITEM.test(line)) {
      const ordered = /^\s*\d/.test(line);
      const items = take((next) => ITEM.test(next));
      const of = (item) => filled(make("li"), ...inline(item.replace(ITEM, "")));
      parts.push(filled(make(ordered ? "ol" : "ul"), ...items.map(of)));
    } else if (line.trim() === "") {
      index += 1;
    } else {
      const isPlain = (next) => next.trim() !== "" && ![FENCE, HEADING, ITEM].some((mark) => mark.test(next));
      parts.push(filled(make("p"), ...inline(take(isPlain).join("\n"))));
    }
  }
  return parts;
}

function inline(text) {
  const marks = /(`[^`\n]+`|\*\*[^*\n]+\*\*|\*[^*\s][^*\n]*\*)/;
  return text.split(marks).map((part, place) => {
    if (place % 2 === 0) return part;
    if (part.startsWith("`")) return make("code", part.slice(1, -1));
    if (part.startsWith("**")) return make("strong", part.slice(2, -2));
    return make("em", part.slice(1, -1));
  });
}
