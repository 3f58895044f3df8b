/** The page of `/docs`: every route with its fields and answers, as plain HTML that needs no script. */
import type { OpenApiDocument, Operation, ResponseObject } from './document.js';
import { formsOf, type JsonSchema } from './json-schema.js';

/** The page's style sheet, a file of its own so that a strict Content-Security-Policy allows it. */
export const style = `:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
details { border: 1px solid #8886; border-radius: .5rem; margin: .5rem 0; padding: .5rem 1rem; }
summary { cursor: pointer; }
code, pre { font: .875rem/1.5 ui-monospace, monospace; }
pre { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid #8884; padding: .25rem .75rem .25rem 0; text-align: left; vertical-align: top; }
`;

/** The document as HTML. Links are relative, so the page works below every prefix. */
export function toPage({ info, paths }: OpenApiDocument): string {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => toSection(`${method.toUpperCase()} ${path}`, operation)),
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(info.title)} API</title>
<link rel="stylesheet" href="docs.css">
</head>
<body>
<main>
<h1>${escapeHtml(info.title)} ${escapeHtml(info.version)}</h1>
<p>${escapeHtml(info.description)}</p>
<p>For programs: <a href="openapi.json">openapi.json</a>.</p>
${operations.join('\n')}
</main>
</body>
</html>
`;
}

function toSection(title: string, { summary, requestBody, responses, security }: Operation): string {
  const body = requestBody?.content['application/json'];
  const examples = Object.values(body?.examples ?? {}).map(({ value }) => example('Example', value));
  const answers = Object.entries(responses).map(([status, { description, content }]) => [
    code(status),
    escapeHtml(description),
    Object.entries(content)
      .map(([type, { example: body }]) => code(status === '200' ? type : JSON.stringify(body)))
      .join('<br>'),
  ]);
  return `<details>
<summary>${code(title)} ${escapeHtml(summary)}</summary>
${security.length > 0 ? `<p>Needs ${code('Authorization: Bearer <key>')}.</p>` : ''}
${body ? [...toForms('Body', body.schema), ...examples].join('\n') : ''}
<h2>Answers</h2>
${toTable(['Status', 'Meaning', 'Body'], answers)}
${toAnswer(responses[200])}
</details>`;
}

/** The fields of a successful answer, and what one looks like. */
function toAnswer(response: ResponseObject | undefined): string {
  const answer = response?.content['application/json'];
  if (!answer) return '';
  return [...toForms('Answer', answer.schema), example('Example of an answer', answer.example)].join('\n');
}

function toForms(title: string, schema: JsonSchema): string[] {
  const forms = formsOf(schema);
  return forms.map((form, at) => {
    const heading = forms.length > 1 ? `${title}, form ${at + 1} of ${forms.length}` : title;
    const fields = form.properties ? toTable(['Field', 'Value', ''], toFields(form)) : `<p>${code(describe(form))}</p>`;
    return `<h2>${heading}</h2>\n${fields}${toNeeds(form)}`;
  });
}

function example(title: string, value: unknown): string {
  return `<h2>${title}</h2>\n<pre>${escapeHtml(JSON.stringify(value, null, 2))}</pre>`;
}

/** Which sets of fields there are of which a body needs one. */
function toNeeds({ properties, anyOf }: JsonSchema): string {
  if (!properties || !anyOf) return '';
  return `<p>Needs ${anyOf.map(({ required = [] }) => required.map(code).join(' with ')).join(', or ')}.</p>`;
}

function toFields({ properties = {}, required = [] }: JsonSchema): string[][] {
  return Object.entries(properties).map(([name, schema]) => [
    code(name),
    escapeHtml(describe(schema)),
    required.includes(name) ? 'required' : '',
  ]);
}

/** A schema in a few words: `integer ≥ 1 or null`, `array of strings`. */
function describe(schema: JsonSchema): string {
  const { items, enum: values, const: value } = schema;
  const forms = formsOf(schema);
  if (forms[0] !== schema) return forms.map(describe).join(' or ');
  if (value !== undefined) return JSON.stringify(value);
  if (values) return values.map((word) => JSON.stringify(word)).join(', ');
  const types = [schema.type ?? 'any value'].flat().join(' or ');
  if (items) return `${types} of ${toBounds(schema.minItems, schema.maxItems)}(${describe(items)})`;
  if (schema.properties) {
    const fields = Object.entries(schema.properties).map(([name, field]) => `${name}: ${describe(field)}`);
    return `{ ${fields.join(', ')} }`;
  }
  return schema.minimum === undefined ? types : `${types} ≥ ${schema.minimum}`;
}

function toBounds(least = 0, most: number | null = null): string {
  if (most !== null) return `${least} to ${most} × `;
  return least > 0 ? `${least} or more × ` : '';
}

function toTable(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const head = heads.map((cell) => `<th>${cell}</th>`).join('');
  const body = rows.map((row) => `<tr>${row.map((cell) => `<td>${cell}</td>`).join('')}</tr>`);
  return `<table><thead><tr>${head}</tr></thead><tbody>\n${body.join('\n')}\n</tbody></table>`;
}

function code(text: string): string {
  return `<code>${escapeHtml(text)}</code>`;
}

function escapeHtml(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}
