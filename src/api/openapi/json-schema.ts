/** JSON Schema of draft 2020-12, as far as validators produce it. */
export interface JsonSchema {
  type?: string | string[];
  properties?: Record<string, JsonSchema>;
  required?: string[];
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  enum?: unknown[];
  const?: unknown;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  examples?: unknown[];
}

/** The forms of a value. Beside `properties`, `anyOf` has none: it says of which of them there must be some. */
export function formsOf(schema: JsonSchema): readonly JsonSchema[] {
  return schema.anyOf && !schema.properties ? schema.anyOf : [schema];
}
