// The pages for everyone: by keyboard, for those who listen, in the dark, and in a narrow window.

import { accessible, check, equal, fits, withBrowser } from "./visit.mjs";

/// As narrow as a wide window seen four times as large, which is what WCAG asks for.
const NARROW = { width: 320, height: 640 };
const WIDE = { width: 1280, height: 800 };
const LONG = "x".repeat(300);

async function inEveryLook(page, what) {
  for (const [look, size, colorScheme] of [
    ["wide", WIDE, "light"],
    ["wide and dark", WIDE, "dark"],
    ["narrow", NARROW, "light"],
    ["narrow and dark", NARROW, "dark"],
  ]) {
    await page.setViewportSize(size);
    await page.emulateMedia({ colorScheme });
    await fits(page, `${what}, ${look}`);
    await accessible(page, `${what}, ${look}`);
  }
  await page.setViewportSize(WIDE);
}

/// What Tab leads to, one after the other, and whether one sees where one is.
async function stops(page) {
  const found = [];
  await page.evaluate(() => {
    for (const one of document.querySelectorAll("[data-seen]")) delete one.dataset.seen;
    const top = document.querySelector("h1");
    top.tabIndex = -1;
    top.focus();
    top.removeAttribute("tabindex");
  });
  for (let left = 200; left > 0; left--) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate(() => {
      const one = document.activeElement;
      if (one === document.body || one.dataset.seen) return null;
      one.dataset.seen = "yes";
      const { outlineStyle, outlineWidth } = getComputedStyle(one);
      const name = one.id || one.textContent.trim().slice(0, 40) || one.outerHTML;
      return { name, marked: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 };
    });
    if (!stop) break;
    found.push(stop);
  }
  return found;
}

const controls = (page) =>
  page.locator("a[href], button, input, select, textarea, summary").evaluateAll((all) =>
    all.filter((one) => one.checkVisibility() && !one.disabled && one.tabIndex >= 0)
      .map((one) => one.id || one.textContent.trim().slice(0, 40) || one.outerHTML),
  );

async function byKeyboard(page, what) {
  const wanted = await controls(page);
  const found = await stops(page);
  equal(found.map((stop) => stop.name), wanted, `${what}: Tab leads to each control, in the order that one reads`);
  equal(found.filter((stop) => !stop.marked), [], `${what}: one sees where one is`);
}

async function tab(page, name) {
  await page.getByRole("tab", { name, exact: true }).click();
  await page.getByRole("tabpanel", { name, exact: true }).waitFor();
}

async function chat(page) {
  await page.waitForFunction(() => document.querySelectorAll("#chat-base option").length > 1);
  await byKeyboard(page, "chat");
  await page.getByRole("combobox", { name: "Model", exact: true }).selectOption("echo");
  const text = `# Title\n${LONG}\n\n1. one **two** \`three\`\n\n\`\`\`rust\n// ${LONG} ${"word ".repeat(60)}\n\`\`\``;
  await page.getByRole("textbox", { name: "Message" }).fill(text);
  await page.keyboard.press("Enter");
  await page.locator("#talk .turn:not(.user):not(.busy) pre").waitFor();
  await inEveryLook(page, "chat");
}

async function rust(page) {
  await tab(page, "Rust");
  await byKeyboard(page, "Rust");
  await page.getByRole("textbox", { name: "Rust code" }).fill(`fn main() {\n    let ${LONG}: u8 = "${LONG}";\n    let unused = 1;\n}\n`);
  await page.getByRole("button", { name: "Compile" }).click();
  await page.locator("#rust-answer .note.bad").first().waitFor();
  await inEveryLook(page, "Rust");
}

async function search(page) {
  await tab(page, "Search");
  await page.getByRole("textbox", { name: "Question" }).fill("When does the zoo open?");
  await page.keyboard.press("Enter");
  await page.locator("#search-answer .card").first().waitFor();
  await byKeyboard(page, "search");
  await inEveryLook(page, "search");
}

async function models(page) {
  await tab(page, "Models");
  await page.locator("#models-answer .card").first().waitFor();
  await byKeyboard(page, "models");
  await inEveryLook(page, "models");
}

async function problem(page) {
  await tab(page, "Chat");
  await page.context().setOffline(true);
  await page.getByRole("textbox", { name: "Message" }).fill(LONG);
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByRole("alert").filter({ hasText: "does not answer" }).waitFor();
  await inEveryLook(page, "a problem");
  await page.context().setOffline(false);
}

async function docs(page) {
  await page.locator("#operations summary").first().waitFor();
  for (const id of ["list_models", "chat_completions", "upload_file", "load_model"]) {
    const part = page.locator(`details[id="${id}"]`);
    await part.locator("summary").first().click();
    for (const more of await part.locator("form > details > summary").all()) await more.click();
  }
  await page.locator('details[id="list_models"]').getByRole("button", { name: "Send" }).click();
  await page.locator('details[id="list_models"]').getByText(/^200, /).waitFor();
  await inEveryLook(page, "docs");
  await page.reload();
  await page.locator("#operations summary").first().waitFor();
  await byKeyboard(page, "docs");
}

/// All of a visit without a mouse.
async function withoutAMouse(page) {
  await page.waitForFunction(() => document.querySelectorAll("#chat-base option").length > 1);
  const focused = () => page.evaluate(() => document.activeElement.id);
  await page.keyboard.press("Tab");
  equal(await focused(), "tab-chat", "the first stop are the tabs");
  const visited = [];
  for (const key of ["ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft", "Home", "End", "Home", "ArrowRight"]) {
    await page.keyboard.press(key);
    visited.push(await focused());
  }
  equal(visited, ["rust", "search", "models", "chat", "models", "chat", "models", "chat", "rust"].map((name) => `tab-${name}`), "arrows move among them");
  for (let left = 4; left > 0 && (await focused()) !== "rust-code"; left--) await page.keyboard.press("Tab");
  await page.keyboard.press("Control+A");
  await page.keyboard.type('fn main() { println!("by keyboard") }');
  await page.keyboard.press("Tab");
  await page.keyboard.type("run");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.locator("#rust-answer pre", { hasText: "by keyboard" }).waitFor();
  equal(await focused(), "rust-send", "a program is written and run, and the focus stays");
}

await withBrowser(async ({ open }) => {
  const page = await open();
  for (const part of [chat, rust, search, models, problem]) await part(page);
  await docs(await open("/docs"));
  await withoutAMouse(await open());
}, /ERR_INTERNET_DISCONNECTED/);
