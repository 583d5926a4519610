// The page of the API: every route of /openapi.json, and a form that asks the node.

import { HOSTILE, check, equal, nothingHappened, until, url, withBrowser } from "./visit.mjs";

const described = await (await fetch(`${url}/openapi.json`)).json();
const routes = Object.values(described.paths).flatMap((methods) => Object.values(methods).map((one) => one.operationId));
const part = (page, id) => page.locator(`details[id="${id}"]`);

async function opened(page, id) {
  const form = part(page, id).locator("form");
  if (!(await form.isVisible())) await part(page, id).locator("summary").first().click();
  await form.waitFor();
  return form;
}

async function answer(page, id) {
  const form = await opened(page, id);
  await form.getByRole("button", { name: "Send" }).click();
  await form.getByRole("button", { name: "Stop" }).waitFor({ state: "hidden" });
  return [await form.getByRole("status").innerText(), await form.locator("pre").last().textContent()];
}

async function eachRouteHasItsForm(page) {
  const shown = await page.locator("#operations details[data-words]").evaluateAll((all) => all.map((one) => one.id));
  equal([...shown].sort(), [...routes].sort(), "each route is shown once");
  for (const id of routes) {
    await part(page, id).evaluate((one) => (one.open = true));
    await part(page, id).getByRole("button", { name: "Send" }).waitFor();
  }
  const unnamed = await page.locator("input, select, textarea").evaluateAll((all) =>
    all.filter((one) => one.labels.length === 0).map((one) => one.outerHTML),
  );
  equal(unnamed, [], "each field has its name");
  for (const table of await page.locator("#operations form > details > summary").all()) await table.click();
  check((await page.locator("#operations td code").count()) > routes.length, "fields are described");
}

async function routesAreFound(page) {
  await page.getByRole("searchbox", { name: "Find" }).fill("post embeddings");
  await until("a route is found by its words", async () =>
    (await page.locator("#operations details[data-words]:visible").count()) < 4 && (await part(page, "embeddings").isVisible()));
  await page.getByRole("searchbox", { name: "Find" }).fill("");
}

async function requestsAreSent(page) {
  const [state, models] = await answer(page, "list_models");
  check(state.startsWith("200") && JSON.parse(models).data.length === 2, "a list is asked for", [state, models]);
  const body = (await opened(page, "tokenize")).getByRole("textbox", { name: "Body" });
  await body.fill(JSON.stringify({ model: "chat", content: HOSTILE, with_pieces: true }));
  const [said, tokens] = await answer(page, "tokenize");
  check(said.startsWith("200") && JSON.parse(tokens).tokens.length > 10, "a body is sent", [said, tokens]);
  await body.fill("{");
  check((await answer(page, "tokenize"))[0].includes("JSON"), "a refusal is told in its own words");
  const missing = (await opened(page, "get_model")).getByRole("textbox");
  await missing.fill("../a b?#%");
  check((await answer(page, "get_model"))[0].includes("../a b?#%"), "a part of a path stays one part");
  await nothingHappened(page);
}

async function filesGoUp(page) {
  const form = await opened(page, "upload_file");
  await form.getByLabel("file", { exact: true }).setInputFiles({ name: "a.txt", mimeType: "text/plain", buffer: Buffer.from(HOSTILE) });
  await form.getByLabel("purpose").fill("assistants");
  const [state, text] = await answer(page, "upload_file");
  check(state.startsWith("200") && JSON.parse(text).bytes === HOSTILE.length, "a file goes up", [state, text]);
}

async function aStreamIsShownAndStopped(page) {
  const form = await opened(page, "chat_completions");
  const messages = [{ role: "user", content: "Write a long story about a fox and a crow." }];
  await form.getByRole("textbox", { name: "Body" }).fill(JSON.stringify({ model: "chat", stream: true, messages }));
  await form.getByRole("button", { name: "Send" }).click();
  await form.locator("pre", { hasText: "chat.completion.chunk" }).waitFor();
  await form.getByRole("button", { name: "Stop" }).click();
  await form.getByText("stopped").waitFor();
  check(true, "a stream is shown while it comes, and stops");
}

await withBrowser(async ({ open }) => {
  const page = await open("/docs");
  await part(page, routes[0]).waitFor();
  await requestsAreSent(page);
  await filesGoUp(page);
  await aStreamIsShownAndStopped(page);
  await routesAreFound(page);
  await eachRouteHasItsForm(page);
  const linked = await open("/docs#embeddings");
  await part(linked, "embeddings").getByRole("button", { name: "Send" }).waitFor();
  check(true, "a route can be linked to");
}, /status of 40[04]/);
