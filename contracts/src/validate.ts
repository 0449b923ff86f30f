import { readdirSync, readFileSync } from 'node:fs';
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import type { FieldError } from './errors.ts';
import type { Messages } from './generated/types.ts';

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly errors: FieldError[] };

const SCHEMA_DIR = new URL('../schemas/v1/', import.meta.url);
const BASE = 'https://alga.dev/schemas/v1/';
/** Enough to correct a message by; a hostile one could otherwise make the refusal larger than itself. */
const MAX_ERRORS = 8;

// `strictTypes`/`strictRequired` off: oneOf branches state type and required once, in the branch.
const ajv = new Ajv2020({
  strict: true,
  strictTypes: false,
  strictRequired: false,
  allErrors: false,
  ownProperties: true,
});
for (const file of readdirSync(SCHEMA_DIR)) {
  if (file.endsWith('.schema.json')) ajv.addSchema(JSON.parse(readFileSync(new URL(file, SCHEMA_DIR), 'utf8')));
}

const compiled = new Map<keyof Messages, ValidateFunction>();

function validatorOf(schema: keyof Messages): ValidateFunction {
  let validate = compiled.get(schema);
  if (validate === undefined) {
    validate = ajv.getSchema(`${BASE}${schema}.schema.json`);
    if (validate === undefined) throw new Error(`no schema named ${schema} in contracts/schemas/v1`);
    compiled.set(schema, validate);
  }
  return validate;
}

/** Compiles the named schemas now rather than at their first message. */
export function compileSchemas(schemas: Iterable<keyof Messages>): void {
  for (const schema of schemas) validatorOf(schema);
}

/** Checks a value that came from outside against its schema. The value itself is returned, typed; nothing is coerced. */
export function parse<S extends keyof Messages>(schema: S, value: unknown): Parsed<Messages[S]> {
  const validate = validatorOf(schema);
  if (validate(value)) return { ok: true, value: value as Messages[S] };
  return { ok: false, errors: (validate.errors ?? []).slice(0, MAX_ERRORS).map(toFieldError) };
}

// The offending value is never part of the reason: it may be a secret (I3).
function toFieldError(error: ErrorObject): FieldError {
  const params = error.params as Record<string, unknown>;
  const extra = params.additionalProperty ?? params.missingProperty ?? params.unevaluatedProperty;
  const field = `${error.instancePath}${typeof extra === 'string' ? `/${extra.slice(0, 64)}` : ''}` || '/';
  const reason =
    error.keyword === 'additionalProperties' ? 'is not a known property' : (error.message ?? 'is not valid');
  const allowed = Array.isArray(params.allowedValues) ? `: ${params.allowedValues.join(', ')}` : '';
  return { field, reason: error.keyword === 'required' ? 'is required' : `${reason}${allowed}` };
}
