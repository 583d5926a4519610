"""Vector stores with the official openai package. See checks.py for the environment."""

import io
import time

import httpx
import openai

import checks

client = openai.OpenAI(base_url=checks.url() + "/v1", api_key=checks.KEY, max_retries=0)
FOXES = "# Foxes\n\nThe fox is a quick, brown animal that jumps over lazy dogs.\n".encode()
BREAD = "# Bread\n\nBread is baked from flour, water, salt and yeast in a hot oven.\n".encode()
SIZES = {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 20}}
PATIENCE_S = 120


def upload(name: str, content: bytes) -> str:
    return client.files.create(file=(name, content), purpose="assistants").id


def gone(call) -> bool:
    try:
        call()
    except openai.NotFoundError:
        return True
    return False


def settled(store: str):
    end = time.monotonic() + PATIENCE_S
    while (found := client.vector_stores.retrieve(store)).status == "in_progress" and time.monotonic() < end:
        time.sleep(0.1)
    return found


def check_file_search(check):
    """The tool of /v1/responses, whole and streamed."""
    foxes = upload("foxes.md", FOXES)
    store = client.vector_stores.create(file_ids=[foxes])
    settled(store.id)
    asked = {
        "model": checks.CHAT,
        "input": "What is a fox?",
        "max_output_tokens": 16,
        "tools": [{"type": "file_search", "vector_store_ids": [store.id], "max_num_results": 2, "ranking_options": {"score_threshold": 0.1}}],
        "tool_choice": {"type": "file_search"},
        "include": ["file_search_call.results"],
    }
    answer = client.responses.create(**asked)
    call, message = answer.output[0], answer.output[-1]
    check.equal((call.type, call.status, call.queries), ("file_search_call", "completed", ["What is a fox?"]), "a search is an item")
    check.equal((call.results[0].file_id, call.results[0].filename), (foxes, "foxes.md"), "it shows what it found")
    cited = message.content[0].annotations
    check.equal([(one.type, one.file_id, one.filename) for one in cited], [("file_citation", foxes, "foxes.md")], "the answer cites the file")
    with client.responses.stream(**asked) as stream:
        events = list(stream)
    kinds, final = [event.type for event in events], events[-1]
    check.that("response.file_search_call.completed" in kinds, "a stream tells of the search", kinds)
    check.that(final.type in ("response.completed", "response.incomplete"), "it ends, with all of the answer or what fits", final.type)
    check.equal(final.response.output[0].type, "file_search_call", "and ends with it")
    client.vector_stores.delete(store.id)
    client.files.delete(foxes)


def check_life(check):
    foxes, bread = upload("foxes.md", FOXES), upload("bread.md", BREAD)
    store = client.vector_stores.create(
        name="animals",
        metadata={"team": "a"},
        file_ids=[foxes],
        chunking_strategy=SIZES,
        expires_after={"anchor": "last_active_at", "days": 7},
    )
    check.equal((store.object, store.name, store.metadata), ("vector_store", "animals", {"team": "a"}), "a store is made")
    check.equal(store.expires_at, store.last_active_at + 7 * 86400, "it knows when it goes")
    check.equal(settled(store.id).file_counts.completed, 1, "its file is brought in")
    file = client.vector_stores.files.create_and_poll(
        bread, vector_store_id=store.id, attributes={"kind": "food", "year": 2020}
    )
    check.equal((file.status, file.last_error, file.object), ("completed", None, "vector_store.file"), "another comes later")
    listed = {file.id for file in client.vector_stores.files.list(store.id, limit=1)}
    check.equal(listed, {foxes, bread}, "files are listed, page by page")
    check.equal(client.vector_stores.files.retrieve(foxes, vector_store_id=store.id).chunking_strategy.static.max_chunk_size_tokens, 100, "a file keeps how it was cut")
    content = "".join(part.text for part in client.vector_stores.files.content(bread, vector_store_id=store.id))
    check.that("flour" in content, "a file's text comes back", content)
    changed = client.vector_stores.update(store.id, name="all", metadata={})
    check.equal((changed.name, changed.metadata), ("all", {}), "a store can be renamed")
    check.that(store.id in {one.id for one in client.vector_stores.list()}, "stores are listed")
    check.that(client.vector_stores.files.delete(foxes, vector_store_id=store.id).deleted, "a file can be let go")
    check.that(gone(lambda: client.vector_stores.files.retrieve(foxes, vector_store_id=store.id)), "then it is gone")
    found = client.vector_stores.search(store.id, query="fox").data
    check.that(foxes not in {one.file_id for one in found}, "and is found no more")
    check.equal(client.files.content(foxes).read(), FOXES, "the file itself stays")
    client.files.delete(bread)
    check.that(gone(lambda: client.vector_stores.files.retrieve(bread, vector_store_id=store.id)), "a deleted file leaves its stores")
    check.that(client.vector_stores.delete(store.id).deleted, "a store can be deleted")
    check.refused(lambda: client.vector_stores.retrieve(store.id), 404, "then it is gone")
    client.files.delete(foxes)


def check_search(check):
    foxes, bread = upload("foxes.md", FOXES), upload("bread.md", BREAD)
    store = client.vector_stores.create(name="search").id
    files = [{"file_id": foxes, "attributes": {"kind": "animal", "n": 1}}, {"file_id": bread, "attributes": {"kind": "food", "n": 2}}]
    batch = client.vector_stores.file_batches.create_and_poll(store, files=files)
    check.equal((batch.status, batch.file_counts.completed), ("completed", 2), "a batch is brought in")
    check.equal(len(list(client.vector_stores.file_batches.list_files(batch.id, vector_store_id=store))), 2, "and lists its files")
    page = client.vector_stores.search(store, query="Which animal is quick?")
    check.equal((page.data[0].file_id, page.data[0].filename), (foxes, "foxes.md"), "the right file is found first")
    check.that(0 <= page.data[0].score <= 1 and "fox" in page.data[0].content[0].text, "with its score and text")
    check.equal(page.data[0].attributes, {"kind": "animal", "n": 1}, "and its attributes")
    one = client.vector_stores.search(store, query=["fox", "oven"], max_num_results=1).data
    check.equal(len(one), 1, "a limit is kept over several questions")
    food = {"type": "eq", "key": "kind", "value": "food"}
    check.equal({hit.file_id for hit in client.vector_stores.search(store, query="fox", filters=food).data}, {bread}, "filters hold")
    both = {"type": "and", "filters": [food, {"type": "lt", "key": "n", "value": 2}]}
    check.equal(client.vector_stores.search(store, query="fox", filters=both).data, [], "also together")
    client.vector_stores.files.update(bread, vector_store_id=store, attributes={"kind": "bread"})
    check.equal(client.vector_stores.search(store, query="fox", filters=food).data, [], "changed attributes count at once")
    strict = client.vector_stores.search(store, query="fox", ranking_options={"ranker": "none", "score_threshold": 0.99}).data
    check.equal(strict, [], "a threshold holds")
    check.refused(lambda: client.vector_stores.search(store, query="fox", rewrite_query=True), 400, "rewriting is refused", "rewrite_query")
    check.refused(lambda: client.vector_stores.search(store, query=""), 400, "so is an empty question", "query")
    client.vector_stores.delete(store)
    for file in (foxes, bread):
        client.files.delete(file)


def check_failures(check):
    image = upload("image.png", b"\x89PNG\r\n\x1a\n\x00\x00")
    store = client.vector_stores.create(name="failures").id
    file = client.vector_stores.files.create_and_poll(image, vector_store_id=store)
    check.equal((file.status, file.last_error.code), ("failed", "unsupported_file"), "an image fails with its reason")
    poll = client.vector_stores.files.upload_and_poll(vector_store_id=store, file=("up.txt", io.BytesIO(FOXES)))
    check.equal(poll.status, "completed", "a file is uploaded and brought in at once")
    check.refused(lambda: client.vector_stores.files.create(store, file_id="file-none"), 404, "an unknown file is refused", "file_id")
    wrong = {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 60}}
    check.refused(lambda: client.vector_stores.files.create(store, file_id=poll.id, chunking_strategy=wrong), 400, "so is too much overlap", "chunk_overlap_tokens")
    check.refused(lambda: client.vector_stores.create(metadata={"a": "x" * 513}), 400, "and a long note", "metadata")
    client.vector_stores.delete(store)
    for one in (image, poll.id):
        client.files.delete(one)


def check_rag(check):
    """gaianet's own route, which no SDK has."""
    url = checks.url() + "/v1"
    form = {"vdb_collection_name": f"rag-{time.time_ns()}"}
    made = httpx.post(url + "/create/rag", data=form, files={"file": ("foxes.md", FOXES)}, timeout=PATIENCE_S)
    check.equal(made.status_code, 200, "a collection is made from a file")
    usage = made.json()["embeddings"]["usage"]
    check.that(usage["prompt_tokens"] == usage["total_tokens"] > 0, "its tokens are counted", usage)
    body = {"messages": [{"role": "user", "content": "fox"}], "score_threshold": 0.0, "limit": 1, **form}
    points = httpx.post(url + "/retrieve", json=body, timeout=PATIENCE_S).json()[0]["points"]
    check.that("fox" in points[0]["source"], "and can be searched", points)
    wrong = httpx.post(url + "/create/rag", data={**form, "vdb_server_url": "http://x"}, files={"file": ("a.md", FOXES)})
    check.equal((wrong.status_code, wrong.json()["error"]["param"]), (400, "vdb_server_url"), "another server is refused")
    httpx.delete(f"{url}/knowledge/collections/{form['vdb_collection_name']}")


checks.run({"life": check_life, "search": check_search, "file_search": check_file_search, "failures": check_failures, "rag": check_rag})
