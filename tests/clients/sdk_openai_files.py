"""Files with the official openai package. See checks.py for the environment."""

import openai

import checks

client = openai.OpenAI(base_url=checks.url() + "/v1", api_key=checks.KEY, max_retries=0)
CONTENT = "# Foxes\n\nThe fox is quick. Ünïcode, too.\n".encode()


def check_life(check):
    made = client.files.create(file=("notes.md", CONTENT), purpose="assistants")
    check.equal((made.object, made.filename, made.bytes), ("file", "notes.md", len(CONTENT)), "a file is kept")
    again = client.files.create(file=("notes.md", CONTENT), purpose="assistants")
    check.that(made.id != again.id, "the same file twice is two files")
    check.that({made.id, again.id} <= {file.id for file in client.files.list()}, "files are listed")
    check.equal(client.files.retrieve(made.id).bytes, len(CONTENT), "one is described")
    check.equal(client.files.content(made.id).read(), CONTENT, "its bytes come back")
    check.that(client.files.delete(made.id).deleted, "it can be deleted")
    check.refused(lambda: client.files.retrieve(made.id), 404, "then it is gone")
    check.that(made.id not in {file.id for file in client.files.list()}, "from the list too")
    check.equal(client.files.content(again.id).read(), CONTENT, "the other stays")
    client.files.delete(again.id)


def check_names(check):
    made = client.files.create(file=("../../etc/passwd", CONTENT), purpose="assistants")
    check.equal(client.files.content(made.id).read(), CONTENT, "a name is never a path")
    client.files.delete(made.id)
    for wrong in ("../secret", "file-none", "file-%2e%2e%2fx"):
        check.refused(lambda wrong=wrong: client.files.content(wrong).read(), (400, 404), f"{wrong} is no file")


checks.run({"life": check_life, "names": check_names})
