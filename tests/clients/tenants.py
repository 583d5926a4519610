"""Two tenants behind one long shared beginning: neither sees anything of the other.

Usage: tenants.py [--prompts 12] [--rounds 2] [--quick]
Needs a running node with two keys of different names: GAIA_TEST_KEY and GAIA_TEST_OTHER_KEY. See
checks.py for the rest of the environment.

Both tenants' prompts begin with the same text, so that they share what the node has computed of it,
and go on with a secret of their own. Each prompt is answered greedily while the node is otherwise
idle, and again while the other tenant asks, too. No answer may hold the other's secret, and the first
token's probability may differ by what another batch size rounds differently, and no more. That the
model would tell a secret which it sees is checked with each tenant's own.
"""

import argparse
import os
import random
import sys
from concurrent.futures import ThreadPoolExecutor

import checks
from requests_of_all_kinds import text
from wire import Node

PREFIX_WORDS = 300
TOKENS = 16
AT_ONCE = 8
# Natural logarithms. Another batch size moved them by 0.14 on the small model; another prompt moves them by more than 1.
ROUNDING_MAX = 0.5
SAME_SHARE_MIN = 0.5


class Tenant:
    def __init__(self, name: str, key: str, secret: str) -> None:
        self.name, self.secret, self.node = name, secret, Node(checks.url(), key)

    def prompts(self, shared: str, count: int) -> list[str]:
        """Every third one asks without telling: only a leak could answer it."""
        return [f"{shared}\n{self._told(number)}Note {number}: the password of this account is"
                for number in range(count)]

    def _told(self, number: int) -> str:
        return "" if number % 3 == 2 else f"The password of this account is {self.secret}. " * 3

    def told_in(self, answer: dict) -> bool:
        """Or a part of it, of which no other text speaks."""
        words, _, number = self.secret.rpartition("-")
        return words in content(answer) or number in content(answer)

    def ask(self, prompt: str) -> dict:
        body = {"model": checks.CHAT, "prompt": prompt, "max_tokens": TOKENS, "temperature": 0, "logprobs": 3}
        reply = self.node.post("/v1/completions", body)
        if reply.status != 200:
            raise ValueError(f"{self.name}: {reply.status} {reply.body[:300]!r}")
        return reply.json()


def main() -> None:
    options = read_options()
    tenants = [Tenant("first", checks.KEY, "violet-meadow-4821"), Tenant("second", other_key(), "amber-castle-9377")]
    check = checks.Checks()
    shared = "Notes of a shared handbook: " + text(random.Random(options.seed), PREFIX_WORDS) + "."
    alone = [[tenant.ask(prompt) for prompt in tenant.prompts(shared, options.prompts)] for tenant in tenants]
    for number in range(options.rounds):
        beside = together(tenants, shared, options.prompts)
        for tenant, other, before, after in zip(tenants, reversed(tenants), alone, beside):
            compare(check, f"round {number + 1}, {tenant.name} tenant", before, after)
            secret_kept(check, f"round {number + 1}, {tenant.name} tenant", other, after)
    for tenant, other, before in zip(tenants, reversed(tenants), alone):
        secret_kept(check, f"alone, {tenant.name} tenant", other, before)
        told = sum(tenant.told_in(answer) for answer in before)
        check.that(told >= options.prompts / 6, f"the model tells the {tenant.name} tenant its own secret ({told} of {options.prompts}): "
                   "it would tell another's", [content(answer) for answer in before[:3]])
    check_belongings(check, *tenants)
    check.finish()


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--prompts", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.quick:
        options.prompts, options.rounds = 6, 1
    return options


def other_key() -> str:
    key = os.environ.get("GAIA_TEST_OTHER_KEY", "")
    if not key or key == checks.KEY:
        sys.exit("GAIA_TEST_OTHER_KEY is not set, or is GAIA_TEST_KEY: give the key of another tenant")
    return key


def together(tenants: list[Tenant], shared: str, count: int) -> list[list[dict]]:
    """Both at once, turn by turn."""
    turns = [(tenant, prompt) for pair in zip(*[[(tenant, prompt) for prompt in tenant.prompts(shared, count)]
                                               for tenant in tenants]) for tenant, prompt in pair]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda turn: turn[0].ask(turn[1]), turns))
    return [answers[place::len(tenants)] for place in range(len(tenants))]


def content(answer: dict) -> str:
    return answer["choices"][0]["text"]


def secret_kept(check: checks.Checks, when: str, other: Tenant, answers: list[dict]) -> None:
    found = [content(answer) for answer in answers if other.told_in(answer)]
    check.that(not found, f"{when}: {len(answers)} answers without the other's secret", found)


def compare(check: checks.Checks, when: str, before: list[dict], after: list[dict]) -> None:
    same = sum(content(one) == content(two) for one, two in zip(before, after))
    check.that(same >= SAME_SHARE_MIN * len(before), f"{when}: {same} of {len(before)} answers are the same beside the other's traffic")
    far = max(distance(one, two) for one, two in zip(before, after))
    check.that(far <= ROUNDING_MAX, f"{when}: first tokens' log probabilities differ by {far:.3f} at most")


def distance(one: dict, two: dict) -> float:
    """Over the first token's candidates that both name; without any, infinitely far."""
    first, second = (answer["choices"][0]["logprobs"]["top_logprobs"][0] for answer in (one, two))
    return max((abs(first[token] - second[token]) for token in first.keys() & second.keys()), default=float("inf"))


def check_belongings(check: checks.Checks, mine: Tenant, other: Tenant) -> None:
    """What one tenant keeps on the node is not there for the other."""
    body = {"model": checks.CHAT, "input": "Hello.", "max_output_tokens": 16}
    answer = mine.node.post("/v1/responses", body).json()["id"]
    check.equal(mine.node.get(f"/v1/responses/{answer}").status, 200, "a kept answer is there for its owner")
    check.equal(other.node.get(f"/v1/responses/{answer}").status, 404, "and not for the other")
    after = other.node.post("/v1/responses", {**body, "previous_response_id": answer})
    check.that(after.status in (400, 404), "who can't go on from it either", after.status)
    check.equal(other.node.delete(f"/v1/responses/{answer}").status, 404, "nor delete it")
    form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.md"\r\n\r\nMine.\r\n--b--\r\n'
    file = mine.node.post("/v1/files", form, "multipart/form-data; boundary=b").json()["id"]
    check.equal(mine.node.get(f"/v1/files/{file}/content").body, b"Mine.", "a file is there for its owner")
    check.equal(other.node.get(f"/v1/files/{file}/content").status, 404, "and not for the other")
    check.equal(other.node.delete(f"/v1/files/{file}").status, 404, "who can't delete it either")
    check.that(file not in other.node.get("/v1/files").body.decode(), "nor see it in a list")
    check.equal(mine.node.delete(f"/v1/files/{file}").status, 200, "its owner can")


if __name__ == "__main__":
    main()
