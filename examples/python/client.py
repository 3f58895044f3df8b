"""pip install openai; the server is `npx vecinity serve --model all-MiniLM-L6-v2 --models-dir public/models`."""

import os

from openai import OpenAI

client = OpenAI(base_url=os.environ.get("VECINITY_URL", "http://127.0.0.1:8080") + "/v1", api_key="none")
answer = client.embeddings.create(model="all-MiniLM-L6-v2", input=["a cat sleeps", "a kitten naps"])
cat, kitten = (item.embedding for item in answer.data)
print(f"{sum(a * b for a, b in zip(cat, kitten)):.2f}, {answer.usage.total_tokens} tokens")
