"""All scenarios, in the order in which they are measured."""

from . import embeddings, memory, mixed, prefix, streams, structured

ALL = {module.SCENARIO.name: module.SCENARIO
       for module in (streams, prefix, mixed, embeddings, structured, memory)}
