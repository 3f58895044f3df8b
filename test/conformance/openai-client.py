"""The official openai package against a server: prints what it got as JSON. Arguments: base URL, model, texts as JSON."""

import json
import sys

import openai

base_url, model, texts = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
client = openai.OpenAI(base_url=base_url, api_key="none", max_retries=2)


def vectors(**options):
    answer = client.embeddings.create(model=model, input=texts, **options)
    return [list(item.embedding) for item in answer.data], answer.usage.total_tokens


packed, tokens = vectors()
floats, _ = vectors(encoding_format="float")
short, _ = vectors(dimensions=16)
try:
    vectors(dimensions=10_000)
    error = None
except openai.APIStatusError as raised:
    error = raised

print(
    json.dumps(
        {
            "vectors": packed,
            "floats": floats,
            "dimensions": len(short[0]),
            "tokens": tokens,
            "error": type(error).__name__,
            "param": getattr(error, "param", None),
            "models": sorted(item.id for item in client.models.list()),
        }
    )
)
