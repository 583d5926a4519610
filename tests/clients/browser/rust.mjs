// The compiler's part of the page, on a node without documents: what is wrong is shown below its line, and
// mended.

import { HOSTILE, check, equal, metric, nothingHappened, until, withBrowser } from "./visit.mjs";

const code = (page) => page.getByRole("textbox", { name: "Rust code" });
const status = (page) => page.locator("#rust").getByRole("status");
const button = (page, name) => page.getByRole("button", { name, exact: true });

async function compile(page, command, text) {
  await page.getByRole("combobox", { name: "Do", exact: true }).selectOption(command);
  if (text !== undefined) await code(page).fill(text);
  await button(page, "Compile").click();
  return ended(page);
}

async function ended(page) {
  await page.waitForFunction(() => !document.getElementById("rust-send").disabled);
  const problem = page.locator("#problem");
  check(await problem.isHidden(), "the node has no complaint", await problem.textContent());
  return status(page).innerText();
}

/// The lines as they are shown, with N: before the notes.
const lines = (page) =>
  page.locator("#rust-answer .lines > *").evaluateAll((all) =>
    all.map((one) => (one.classList.contains("note") ? `N:${one.textContent}` : one.lastElementChild.textContent)),
  );

async function aMistakeIsShownBelowItsLineAndMended(page) {
  check((await compile(page, "check")).startsWith("compile error: 1 error"), "the example holds a mistake");
  const shown = await lines(page);
  const note = shown.findIndex((line) => line.startsWith("N:error [E0382]"));
  check(shown[note - 1]?.includes("words[1]"), "the message stands below its line", shown);
  await button(page, "Fix it").click();
  equal(await ended(page), "fixed", "it is mended");
  check((await page.locator("#rust-answer").innerText()).includes("Changes"), "what changed is shown");
  check((await compile(page, "run")).startsWith("ok: 0 errors"), "what is mended compiles");
  equal(await page.locator("#rust-answer pre").first().innerText(), "Hello, World!\n", "and says what it should");
}

async function severalFilesAndTests(page) {
  const flat = '[filename: Cargo.toml]\n[package]\nname = "p"\nversion = "0.1.0"\nedition = "2021"\n' +
    "[filename: src/lib.rs]\n#[test]\nfn fails() { assert_eq!(1, 2); }\n#[test]\nfn passes() {}\n";
  check((await compile(page, "test", flat)).includes("1 tests passed, 1 failed"), "tests are counted");
  const said = await page.locator("#rust-answer").innerText();
  check(/fails: failed/.test(said) && said.includes("left: 1"), "what failed is shown", said);
}

async function hostileProgramsAreText(page) {
  const quoted = JSON.stringify(HOSTILE);
  await compile(page, "run", `fn main() { print!("{}", ${quoted}); eprint!("{}", ${quoted}); }`);
  equal(await page.locator("#rust-answer pre").first().innerText(), HOSTILE, "hostile output is shown as it is");
  await compile(page, "check", `#[deprecated(note = ${quoted})]\nfn old() {}\nfn main() { old(); }`);
  const note = (await lines(page)).find((line) => line.startsWith("N:"));
  check(note?.includes(HOSTILE), "so is a hostile message of the compiler", note);
  await nothingHappened(page);
}

async function aJobIsStopped(page) {
  const sleeper = "fn main() { std::thread::sleep(std::time::Duration::from_secs(3000)); }";
  await page.getByRole("combobox", { name: "Do", exact: true }).selectOption("run");
  await code(page).fill(sleeper);
  await button(page, "Compile").click();
  await until("a job runs", async () => (await metric("gaia_compile_jobs_running")) === 1);
  await button(page, "Stop").click();
  await until("it has ended", async () => (await metric("gaia_compile_jobs_running")) === 0);
  await ended(page);
  check(await button(page, "Compile").evaluate((one) => one === document.activeElement), "the focus is where one goes on");
}

async function whatIsNotThereIsNotOffered(page) {
  check(await page.getByRole("tab", { name: "Search" }).isHidden(), "without documents nothing is searched");
  await page.getByRole("tab", { name: "Rust" }).press("ArrowRight");
  check(await page.getByRole("tabpanel", { name: "Models" }).isVisible(), "the keyboard leaves it out, too");
}

await withBrowser(async ({ open }) => {
  const page = await open();
  await page.getByRole("tab", { name: "Rust" }).click();
  await aMistakeIsShownBelowItsLineAndMended(page);
  await severalFilesAndTests(page);
  await hostileProgramsAreText(page);
  await aJobIsStopped(page);
  await whatIsNotThereIsNotOffered(page);
});
