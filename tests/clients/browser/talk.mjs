// Chat, search and models. The node serves `chat`, a real model, `embed`, and two apps without a mind of
// their own: `echo`, which says what it is told, and `flood`, which never ends; they load on demand. Its
// collection `facts` holds documents with hostile names, headings and texts.

import { HOSTILE, check, equal, metric, nothingHappened, until, withBrowser } from "./visit.mjs";

const message = (page) => page.getByRole("textbox", { name: "Message", exact: true });
const model = (page) => page.getByRole("combobox", { name: "Model", exact: true });
const button = (page, name) => page.getByRole("button", { name, exact: true });
const last = (page) => page.locator("#talk .turn").last();

async function send(page, text) {
  await message(page).fill(text);
  await message(page).press("Enter");
}

async function answered(page) {
  await page.locator("#talk .turn.busy").waitFor({ state: "detached" });
  return last(page).innerText();
}

/// The messages that the page sends while something is done.
async function sent(page, act) {
  const [request] = await Promise.all([page.waitForRequest((one) => one.url().endsWith("/chat/completions")), act()]);
  return request.postDataJSON().messages.map(({ role, content }) => [role, content]);
}

async function anAnswerStreamsAndStops(page) {
  equal(await model(page).locator("option").allTextContents(), ["chat", "echo", "flood"], "the chat models are offered");
  await model(page).selectOption("chat");
  await send(page, "What is the capital of France? One sentence.");
  check((await answered(page)).length > 0, "a question is answered");
  await page.evaluate(() => {
    globalThis.states = [];
    const note = () => globalThis.states.push(document.querySelector("#talk .turn:last-child")?.textContent ?? "");
    new MutationObserver(note).observe(document.getElementById("talk"), { childList: true, subtree: true });
  });
  const cancelled = () => metric("gaia_sequences_cancelled_total", '"chat"');
  const before = await cancelled();
  await send(page, "Write a long story about a fox and a crow.");
  await page.waitForFunction(() => new Set(globalThis.states).size > 4);
  check(await button(page, "Send").isDisabled(), "one answer at a time");
  await button(page, "Stop").click();
  const text = await answered(page);
  check(text.length > 0, "what was said before the stop stays");
  await until("the node stops computing it", async () => (await cancelled()) === before + 1);
  await until("nothing is computed", async () => (await metric("gaia_sequences_active")) === 0);
  check(await message(page).evaluate((field) => field === document.activeElement), "the next message can be written");
}

async function aConversationIsWhatIsShown(page) {
  await button(page, "New").click();
  await model(page).selectOption("echo");
  equal(await sent(page, () => send(page, "one")), [["user", "one"]], "New begins anew");
  equal(await answered(page), "one", "a model on demand is loaded and answers");
  const wanted = [["user", "one"], ["assistant", "one"], ["user", "two"]];
  equal(await sent(page, () => send(page, "two")), wanted, "a conversation goes on");
  await answered(page);
  await model(page).selectOption("flood");
  await send(page, "sleep");
  await last(page).getByText("well").waitFor();
  await button(page, "New").click();
  equal(await page.locator("#talk .turn").count(), 0, "New takes away an answer that runs");
  await model(page).selectOption("echo");
  equal(await sent(page, () => send(page, "three")), [["user", "three"]], "and nothing of it is said again");
  await answered(page);
  equal(await page.locator("#talk .turn").count(), 2, "one question and one answer are shown");
}

async function whatFailsIsToldAndCanBeSentAgain(page) {
  await page.context().setOffline(true);
  await send(page, "four");
  await page.getByRole("alert").filter({ hasText: "The node does not answer" }).waitFor();
  equal(await message(page).inputValue(), "four", "the message is back in its field");
  await page.context().setOffline(false);
  await message(page).press("Enter");
  equal(await answered(page), "four", "and is sent once more");
  check(await page.getByRole("alert").isHidden(), "the problem is gone");
  await model(page).selectOption("flood");
  await send(page, "flood");
  await page.getByRole("alert").filter({ hasText: "longer than this page shows" }).waitFor();
  await answered(page);
  await send(page, "trap");
  await page.getByRole("alert").filter({ hasText: "trapped" }).waitFor();
  check((await answered(page)).includes("well"), "a broken answer stays as far as it came");
}

async function hostileTextStaysText(page) {
  await button(page, "New").click();
  await model(page).selectOption("echo");
  const text = `${HOSTILE} **${HOSTILE}** \`${HOSTILE}\``;
  await send(page, text);
  check((await answered(page)).includes(HOSTILE), "a hostile answer is shown as it is");
  check((await page.locator("#talk .turn.user").innerText()).includes(text), "and so is the question");
  await send(page, `# ${HOSTILE}\n- ${HOSTILE}\n\`\`\`html\n${HOSTILE}\n\`\`\``);
  await answered(page);
  equal(await last(page).locator("h2, li, pre").allInnerTexts(), [HOSTILE, HOSTILE, HOSTILE], "in Markdown, too");
  await nothingHappened(page);
}

async function knowledgeIsFoundAndCited(page) {
  await button(page, "New").click();
  await model(page).selectOption("chat");
  await page.getByRole("combobox", { name: "Knowledge base" }).selectOption("facts");
  await send(page, "When does the zoo open?");
  await answered(page);
  await last(page).getByText(/^Sources \(\d\)$/).click();
  check((await last(page).innerText()).includes("opens at seven"), "an answer shows its sources");
  await page.getByRole("tab", { name: "Search" }).click();
  await page.getByRole("textbox", { name: "Question" }).fill("When does the zoo open?");
  await page.getByRole("textbox", { name: "Question" }).press("Enter");
  await page.getByText(/^found: [1-9]/).waitFor();
  const passages = await page.locator("#search-answer .card").allInnerTexts();
  check(passages[0].includes("zoo.md") && passages[0].includes("opens at seven"), "the best passage comes first", passages[0]);
  const hostile = passages.find((passage) => passage.includes("hostile"));
  check(hostile?.split(HOSTILE).length > 2, "hostile headings and texts are shown as they are", passages);
  await nothingHappened(page);
}

async function modelsShowHowTheyAre(page, fresh) {
  const state = (page, name) =>
    page.locator("#models-answer .card", { has: page.getByRole("heading", { name, exact: true }) }).innerText();
  await fresh.getByRole("tab", { name: "Models" }).click();
  await fresh.locator("#models-answer .card").first().waitFor();
  check(/State\s+ready/.test(await state(fresh, "chat")), "a model that serves is ready");
  check(/State\s+unloaded/.test(await state(fresh, "echo")), "one on demand is not loaded", await state(fresh, "echo"));
  return async () => {
    await button(fresh, "Reload").click();
    await until("once it was asked, it is ready", async () => /State\s+ready/.test(await state(fresh, "echo")));
    check(/gaia-node \d/.test(await fresh.getByRole("status").last().innerText()), "the node says its version");
    await page.close();
  };
}

await withBrowser(async ({ open }) => {
  const page = await open();
  await page.waitForFunction(() => document.querySelectorAll("#chat-base option").length > 1);
  const later = await modelsShowHowTheyAre(page, await open());
  await anAnswerStreamsAndStops(page);
  await aConversationIsWhatIsShown(page);
  await whatFailsIsToldAndCanBeSentAgain(page);
  await hostileTextStaysText(page);
  await knowledgeIsFoundAndCited(page);
  await later();
}, /ERR_INTERNET_DISCONNECTED/);
