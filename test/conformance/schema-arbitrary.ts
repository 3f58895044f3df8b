/** Arbitrary bodies from the schemas of the OpenAPI document: mostly what a schema allows, sometimes anything at all. */
import * as fc from 'fast-check';
import { formsOf, type JsonSchema } from '../../src/api/openapi/json-schema.js';

/** Texts that have broken tokenizers and encoders: empty, controls, lone surrogates, long, other scripts. */
const text = fc.oneof(
  fc.constantFrom('', ' ', 'a', '\u0000', '\ud800', '\u202e', '😀'.repeat(40), 'word '.repeat(400), '[MASK] [SEP]'),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 40 }),
);

const integer = fc.oneof(
  fc.integer({ min: 0, max: 40 }),
  fc.constantFrom(-1, 1, 8, 32, 512, 30_521, 2 ** 31, Number.MAX_SAFE_INTEGER),
);

/** Values of no schema, `__proto__` and numbers that JSON cannot hold exactly among them. */
const anything = fc.oneof(
  fc.jsonValue({ maxDepth: 3, stringUnit: 'binary' }),
  fc.constantFrom<unknown>(
    null,
    '',
    [],
    {},
    [[]],
    [null],
    -1,
    0.5,
    1e308,
    { text: null },
    JSON.parse('{"__proto__":[]}'),
  ),
);

/** Values for fields by their name; the schema alone would never name a model that is there. */
export type FieldValues = Readonly<Record<string, fc.Arbitrary<unknown>>>;

/** Bodies that a route's schema allows, and bodies that differ from these in single values. */
export function bodyOf(schema: JsonSchema, fields: FieldValues): fc.Arbitrary<unknown> {
  const allowed = valueFor(schema, { fields, wildness: 0 });
  const close = valueFor(schema, { fields, wildness: 1 });
  return fc.oneof(
    { arbitrary: allowed, weight: 4 },
    { arbitrary: close, weight: 4 },
    { arbitrary: anything, weight: 1 },
  );
}

interface Options {
  fields: FieldValues;
  /** How often a value is anything, out of ten times. */
  wildness: number;
}

function valueFor(schema: JsonSchema, options: Options): fc.Arbitrary<unknown> {
  const { wildness } = options;
  const allowed = allowedBy(schema, options);
  if (wildness === 0) return allowed;
  return fc.oneof({ arbitrary: allowed, weight: 10 - wildness }, { arbitrary: anything, weight: wildness });
}

function allowedBy(schema: JsonSchema, options: Options): fc.Arbitrary<unknown> {
  const forms = formsOf(schema);
  if (forms[0] !== schema) return fc.oneof(...forms.map((form) => valueFor(form, options)));
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (Object.hasOwn(schema, 'const')) return fc.constant(schema.const);
  const types = [schema.type ?? []].flat();
  if (types.length === 0) return anything;
  return fc.oneof(...types.map((type) => ofType(type, schema, options)));
}

function ofType(type: string, schema: JsonSchema, options: Options): fc.Arbitrary<unknown> {
  if (type === 'null') return fc.constant(null);
  if (type === 'boolean') return fc.boolean();
  if (type === 'string') return text;
  if (type === 'integer') return integer;
  if (type === 'number') return fc.oneof(integer, fc.double());
  if (type === 'array') {
    return fc.array(valueFor(schema.items ?? {}, options), { minLength: schema.minItems ?? 0, maxLength: 4 });
  }
  return ofObject(schema, options);
}

function ofObject({ properties = {}, required = [], anyOf }: JsonSchema, options: Options): fc.Arbitrary<unknown> {
  if (anyOf) {
    const needs = anyOf.map((needed) => [...required, ...(needed.required ?? [])]);
    return fc.oneof(...needs.map((needed) => ofObject({ properties, required: needed }, options)));
  }
  const { fields, wildness } = options;
  const values = Object.entries(properties).map(([name, field]) => {
    const known = fields[name];
    return [name, known && wildness === 0 ? known : valueFor(field, options)] as const;
  });
  const needed = wildness === 0 ? required : required.filter((_, at) => at > 0);
  return fc.record(Object.fromEntries(values), { requiredKeys: needed });
}
