// A node that asks for keys: the page asks a person for one, sends it, and forgets it with the tab.
//
//   GAIA_TEST_KEY  a key of the node

import { check, equal, url, withBrowser } from "./visit.mjs";

const key = process.env.GAIA_TEST_KEY;
const field = (page) => page.getByLabel("API key");
const problem = (page) => page.getByRole("alert");
const models = (page) => page.locator("#chat-model option");

async function enter(page, text) {
  await field(page).fill(text);
  await field(page).press("Enter");
}

async function asksAndUses(page) {
  await problem(page).filter({ hasText: "asks for an API key" }).waitFor();
  equal(await field(page).getAttribute("aria-invalid"), "true", "the field for the key is marked");
  equal(await models(page).count(), 0, "nothing is shown without a key");
  await Promise.all([page.waitForResponse(`${url}/v1/info`), enter(page, "wrong")]);
  await problem(page).filter({ hasText: "asks for an API key" }).waitFor();
  equal(await models(page).count(), 0, "nor with a wrong one");
  await enter(page, "ключ");
  await problem(page).filter({ hasText: "No API key has such" }).waitFor();
  await enter(page, key);
  await models(page).first().waitFor({ state: "attached" });
  equal([await problem(page).isHidden(), await field(page).getAttribute("aria-invalid")], [true, "false"], "the right one opens");
  await page.getByRole("textbox", { name: "Message" }).fill("What is the capital of France? One sentence.");
  await page.getByRole("button", { name: "Send" }).click();
  await page.locator("#talk .turn:not(.user):not(.busy)").getByText(/\w/).first().waitFor();
  check(true, "it is sent with questions");
}

async function staysInItsTab(page, open) {
  await page.reload();
  await models(page).first().waitFor({ state: "attached" });
  await page.goto(`${url}/docs#models`);
  equal(await field(page).inputValue(), key, "the key lasts in its tab, on both pages");
  equal(await field(page).getAttribute("type"), "password", "where nobody reads it");
  const kept = await page.evaluate(() => [localStorage.length, document.cookie]);
  equal(kept, [0, ""], "and is kept nowhere else");
  const next = await page.context().newPage();
  await next.goto(url);
  await problem(next).filter({ hasText: "asks for an API key" }).waitFor();
  equal(await field(next).inputValue(), "", "the next tab has no key");
  const other = await open("/docs");
  equal(await field(other).inputValue(), "", "nor has another person");
}

await withBrowser(async ({ open }) => {
  const page = await open();
  await asksAndUses(page);
  await staysInItsTab(page, open);
}, /status of 401/);
