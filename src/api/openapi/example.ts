/** A value that a schema allows, as a reader of the document wants to see it: short, with every field that there is. */
import type { JsonSchema } from './json-schema.js';

/** The schema's own example where it has one, else the simplest value of its first form. */
export function exampleOf(schema: JsonSchema): unknown {
  const { examples, anyOf, enum: values, properties } = schema;
  const given = examples ?? values;
  if (given) return given[0];
  if (Object.hasOwn(schema, 'const')) return schema.const;
  if (anyOf?.[0]) return exampleOf(anyOf[0]);
  if (properties) return mapValues(properties, exampleOf);
  return simplest(schema);
}

function simplest({ type, items }: JsonSchema): unknown {
  const [first] = [type ?? []].flat();
  if (first === 'array') return items ? [exampleOf(items)] : [];
  if (first === 'object') return {};
  if (first === 'string') return '';
  if (first === 'boolean') return true;
  return first === 'number' || first === 'integer' ? 1 : null;
}

function mapValues<In, Out>(record: Readonly<Record<string, In>>, map: (value: In) => Out): Record<string, Out> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}
