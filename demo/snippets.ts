/** The request of the map written in four ways, ready to be pasted, and its answer shortened for the eye. */
import { type EmbeddingsAnswer, type EmbeddingsBody, type Exchange, embeddingsPath } from './exchange.js';

export const snippetNames = ['fetch', 'HTTP', 'OpenAI SDK', 'vecinity'] as const;
export type SnippetName = (typeof snippetNames)[number];

/** Code or text that makes the same request. */
export function snippet(name: SnippetName, body: EmbeddingsBody, origin: string): string {
  switch (name) {
    case 'fetch':
      return fetchSnippet(body);
    case 'HTTP':
      return httpSnippet(body, origin);
    case 'OpenAI SDK':
      return openaiSnippet(body);
    case 'vecinity':
      return clientSnippet(body);
    default:
      return name satisfies never;
  }
}

function fetchSnippet(body: EmbeddingsBody): string {
  return `const response = await fetch('${embeddingsPath}', {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(${indent(toJson(body))}),
});
const { data, usage } = await response.json();`;
}

function httpSnippet(body: EmbeddingsBody, origin: string): string {
  return `POST ${embeddingsPath} HTTP/1.1
Host: ${new URL(origin).host}
Content-Type: application/json

${toJson(body)}`;
}

function openaiSnippet({ encoding_format: _, ...body }: EmbeddingsBody): string {
  return `import OpenAI from 'openai';

const openai = new OpenAI({
  apiKey: 'not needed',
  baseURL: new URL('/v1', location.href).href,
  dangerouslyAllowBrowser: true,
});
const { data, usage } = await openai.embeddings.create(${toJson(body)});`;
}

function clientSnippet({ model, input, truncate }: EmbeddingsBody): string {
  return `import { createVecinity } from 'vecinity';

const vecinity = await createVecinity({ model: ${JSON.stringify(model)} });
const embeddings = await vecinity.embed(${toJson(input)}${truncate ? ', { truncate: true }' : ''});`;
}

const shownNumbers = 4;

/** The answer as JSON with the first numbers of each vector; says how many were left out. */
export function shortAnswer({ answer }: Exchange): string {
  const marker = '\u0000';
  const { data } = answer;
  const short = { ...answer, data: data.map((item) => ({ ...item, embedding: marker })) };
  let next = 0;
  return toJson(short).replaceAll(JSON.stringify(marker), () => shortVector(data, next++));
}

function shortVector(data: EmbeddingsAnswer['data'], index: number): string {
  const embedding = data[index]?.embedding ?? [];
  const shown = embedding.slice(0, shownNumbers).map((value) => value.toFixed(4));
  const left = embedding.length - shown.length;
  return `[${shown.join(', ')}${left > 0 ? `, … ${left} more` : ''}]`;
}

function toJson(value: unknown): string {
  return JSON.stringify(value, null, 2);
}

function indent(text: string): string {
  return text.replaceAll('\n', '\n  ');
}
