// What the scripts of this folder share: a real browser, pages that are watched, and checks. Each script
// drives the pages of one node, prints a line for each check, and ends with "all checks passed" or with 1.
//
//   GAIA_TEST_URL           http://HOST:PORT of the node
//   GAIA_TEST_BROWSER       a Chromium or Chrome
//   GAIA_TEST_NODE_MODULES  where playwright-core and axe-core are
//
// How long things take is never checked: the patience below only ends what would hang.

import { createRequire } from "node:module";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const PATIENCE_MS = 120_000;

const given = (name) => process.env[name] || fail(`${name} is not set: run scripts/test`);
export const url = given("GAIA_TEST_URL");
const require = createRequire(join(given("GAIA_TEST_NODE_MODULES"), "x.js"));
const { chromium } = require("playwright-core");
const AXE = require.resolve("axe-core/axe.min.js");

function fail(what) {
  throw new Error(`FAILED: ${what}`);
}

export function check(condition, what, found) {
  if (!condition) fail(found === undefined ? what : `${what}; found ${JSON.stringify(found)?.slice(0, 2000)}`);
  console.log(`ok: ${what}`);
}

export const equal = (found, wanted, what) => check(JSON.stringify(found) === JSON.stringify(wanted), what, found);

/// Asks again and again, for a limited time, until it is so.
export async function until(what, holds) {
  for (let left = PATIENCE_MS / 100; left > 0; left--) {
    if (await holds()) return check(true, what);
    await sleep(100);
  }
  fail(`never came: ${what}`);
}

/// The sum of a metric of the node's over all lines that hold the label.
export async function metric(name, label = "") {
  const text = await (await fetch(`${url}/metrics`)).text();
  const lines = text.split("\n").filter((line) => line.startsWith(name) && line.includes(label));
  return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

/// Runs the work in a browser. What pages complain of fails it, unless it is `expected`: errors and warnings
/// (what a page's policy forbids is one), dialogs, new windows, and requests to anything but the node.
export async function withBrowser(work, expected = null) {
  const complaints = [];
  // The browser opens this node alone, and root can't have its sandbox.
  const browser = await chromium.launch({ executablePath: given("GAIA_TEST_BROWSER"), chromiumSandbox: false });
  try {
    await work({ open: (path, options) => open(browser, complaints, path, options), browser });
  } finally {
    await browser.close();
  }
  equal(complaints.filter((complaint) => !expected?.test(complaint)), [], "the pages complain of nothing");
  console.log("all checks passed");
}

async function open(browser, complaints, path = "/", options = {}) {
  const context = await browser.newContext({ viewport: { width: 1000, height: 800 }, ...options });
  context.setDefaultTimeout(PATIENCE_MS);
  await context.addInitScript({ path: AXE });
  context.on("page", (page) => watch(page, complaints));
  context.on("request", (request) => {
    const asked = new URL(request.url());
    if (asked.protocol !== "data:" && asked.origin !== url) complaints.push(`request to ${asked.href}`);
  });
  const page = await context.newPage();
  await page.goto(url + path);
  return page;
}

function watch(page, complaints) {
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(`uncaught: ${error.message}`));
  page.on("popup", (other) => complaints.push(`a window: ${other.url()}`));
  page.on("dialog", (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
}

/// Texts that would do something if they were taken for markup.
export const HOSTILE =
  '<img src=x onerror="globalThis.hacked=1"><script>globalThis.hacked=1</script><a href="javascript:globalThis.hacked=1">a</a>';

export async function nothingHappened(page) {
  const made = await page.locator("main").locator("img, script, iframe, a, style, object, svg").count();
  equal([made, await page.evaluate(() => globalThis.hacked)], [0, undefined], "hostile text made no element and ran nothing");
}

/// What axe finds, whole: nothing is waved through.
export async function accessible(page, what) {
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const told = violations.map(({ id, impact, nodes }) => [id, impact, nodes.map((node) => node.html.slice(0, 200))]);
  equal(told, [], `${what}: axe finds nothing`);
}

export async function fits(page, what) {
  const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  check(content <= window, `${what}: nothing is wider than the window`, [content, window]);
}
