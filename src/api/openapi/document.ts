/**
 * The routes as an OpenAPI 3.1 document: bodies from the validators that check them, answers from those that tests hold
 * them against, errors from the dialects' own words. Loaded when it is asked for, so that no engine worker carries it.
 */
import * as z from 'zod/mini';
import { version } from '../../../package.json';
import type { ApiConfig } from '../../config.js';
import { type ErrorCode, VecinityError } from '../../errors.js';
import type { Answers } from '../answers.js';
import { compatFormat } from '../compat.js';
import { errorResponse } from '../error-response.js';
import type { Route } from '../route.js';
import type { BodySchema } from '../validate.js';
import { exampleOf } from './example.js';
import type { JsonSchema } from './json-schema.js';

/** One response of an operation. */
export interface ResponseObject {
  description: string;
  content: Record<string, { schema: JsonSchema; example?: unknown }>;
}

/** One method of one path. */
export interface Operation {
  operationId: string;
  summary: string;
  parameters: object[];
  requestBody?: { required: true; content: { 'application/json': RequestContent } };
  responses: Record<string, ResponseObject>;
  security: Record<string, string[]>[];
}

/** A body, and a good one for each of its forms. */
export interface RequestContent {
  schema: JsonSchema;
  examples: Record<string, { value: object }>;
}

/** The part of the document that the page of `/docs` reads too. */
export interface OpenApiDocument {
  openapi: '3.1.0';
  info: { title: string; version: string; description: string; license: { name: string; identifier: string } };
  servers: { url: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { securitySchemes: Record<string, object> };
}

const keyScheme = 'apiKey';

const description =
  'Text embeddings and reranking behind the APIs of OpenAI, Cohere, Jina, TEI, vLLM, llama.cpp and Ollama.';

/** Failures that every guarded route with a body can meet, with an example message each. */
const failures: readonly [
  code: ErrorCode,
  description: string,
  appliesTo: (route: Route, api: ApiConfig) => boolean,
][] = [
  ['invalid_request', 'A field of the body is wrong, or the inputs do not fit the model.', ({ body }) => body !== null],
  ['invalid_json', 'The body is not JSON.', ({ body }) => body !== null],
  ['context_length_exceeded', 'An input is too long for the model.', ({ body }) => body !== null],
  ['invalid_api_key', 'The API key is missing or wrong.', ({ guarded }, { apiKey }) => guarded && apiKey !== null],
  ['unsupported_task', 'The model cannot do this.', ({ body }) => body !== null],
  ['model_not_found', 'No model has this name.', ({ body, paths }) => body !== null || hasId(paths)],
  ['payload_too_large', 'The body is too large.', ({ body }) => body !== null],
  [
    'unsupported_media_type',
    'The body is not said to be JSON.',
    (route) => route.body !== null && !route.anyContentType,
  ],
  ['overloaded', 'The queue is full; the headers say when to try again.', ({ body }) => body !== null],
  ['model_not_loaded', 'No model is ready.', ({ body, paths }) => body !== null || paths.includes('/health')],
  ['internal_error', 'Something failed on our side.', ({ body }) => body !== null],
  ['download_failed', 'The files of a model, or another server, could not be reached.', ({ body }) => body !== null],
  ['timeout', 'The run took too long and was given up.', ({ body }) => body !== null],
];

/** Describes the routes as they are mounted with these options. */
export async function toOpenApi(routes: readonly Route[], api: ApiConfig): Promise<OpenApiDocument> {
  const paths: OpenApiDocument['paths'] = {};
  for (const route of routes) {
    const operation = await toOperation(route, api);
    for (const pattern of route.paths) {
      const path = toTemplate(pattern);
      const operationId = `${route.method}${path}`.replace(/\W+/g, '_').replace(/_$/, '').toLowerCase();
      paths[path] = { ...paths[path], [route.method.toLowerCase()]: { ...operation, operationId } };
    }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Vecinity', version, description, license: { name: 'Apache 2.0', identifier: 'Apache-2.0' } },
    servers: [{ url: api.routePrefix || '/' }],
    paths,
    components: { securitySchemes: { [keyScheme]: { type: 'http', scheme: 'bearer' } } },
  };
}

async function toOperation(route: Route, api: ApiConfig): Promise<Omit<Operation, 'operationId'>> {
  const id = { name: 'id', in: 'path', required: true, schema: { type: 'string' } };
  return {
    summary: route.summary,
    parameters: hasId(route.paths) ? [id] : [],
    ...(route.body && { requestBody: toRequestBody(route.body, route.examples ?? []) }),
    responses: { 200: { description: 'Done.', content: toContent(route.answers) }, ...(await toFailures(route, api)) },
    security: route.guarded && api.apiKey !== null ? [{ [keyScheme]: [] }] : [],
  };
}

/** The examples stand in the order of the body's forms. */
function toRequestBody(body: BodySchema, examples: readonly object[]): NonNullable<Operation['requestBody']> {
  const named = Object.fromEntries(examples.map((value, at) => [`form${at + 1}`, { value }]));
  return { required: true, content: { 'application/json': { schema: toSchema(body), examples: named } } };
}

/** The schemas of answers by media type; an example of JSON follows from its schema. */
function toContent(answers: Answers): ResponseObject['content'] {
  return Object.fromEntries(
    Object.entries(answers).map(([type, answer]) => {
      if (answer === null) return [type, { schema: type.startsWith('text/') ? { type: 'string' } : {} }];
      const schema = toSchema(answer);
      return [type, { schema, example: exampleOf(schema) }];
    }),
  );
}

/** What clients send, not what transforms make of it. */
function toSchema(body: BodySchema): JsonSchema {
  const { $schema: _, ...schema } = z.toJSONSchema(body, { io: 'input' });
  // Our validators produce nothing but these keywords.
  return schema as JsonSchema;
}

/** The dialect's own error responses, written by the code that writes them, for every kind of body that it tells apart. */
async function toFailures(route: Route, api: ApiConfig): Promise<Record<string, ResponseObject>> {
  const responses: Record<string, ResponseObject> = {};
  const format = compatFormat(api, route.formatError);
  for (const [code, sentence, appliesTo] of failures) {
    if (!appliesTo(route, api)) continue;
    for (const request of requestsOf(route)) {
      const response = errorResponse(new VecinityError(code, sentence), { format, request });
      const example: unknown = await response.json();
      const described = responses[response.status] ?? { description: sentence, content: {} };
      responses[response.status] = described;
      addExample(described, example);
    }
  }
  return responses;
}

/** None, a good one of each form, and those with nothing to do. */
function requestsOf({ examples = [] }: Route): unknown[] {
  const emptied = examples.map((example) => Object.fromEntries(Object.keys(example).map((key) => [key, []])));
  return [undefined, ...examples, ...emptied];
}

/** Errors of one status may have several shapes where several APIs share a path. */
function addExample({ content }: ResponseObject, example: unknown): void {
  const schema = schemaOf(example);
  const known = content['application/json'];
  if (known === undefined) {
    content['application/json'] = { schema, example };
    return;
  }
  const shapes = known.schema.anyOf ?? [known.schema];
  const isNew = shapes.every((shape) => JSON.stringify(shape) !== JSON.stringify(schema));
  if (isNew) known.schema = { anyOf: [...shapes, schema] };
}

/** The schema of an error: every key is always there, and null stands for a text that is not. */
function schemaOf(example: unknown): JsonSchema {
  if (example === null) return { type: ['string', 'null'] };
  if (typeof example === 'number') return { type: 'integer' };
  if (typeof example !== 'object') return { type: 'string' };
  const properties = Object.fromEntries(Object.entries(example).map(([key, value]) => [key, schemaOf(value)]));
  return { type: 'object', properties, required: Object.keys(example) };
}

/** `/v1/models/:id{.+}` → `/v1/models/{id}` */
function toTemplate(pattern: string): string {
  return pattern.replace(/:(\w+)(?:\{[^}]*\})?/g, '{$1}');
}

function hasId(paths: readonly string[]): boolean {
  return paths.some((path) => path.includes(':id'));
}
