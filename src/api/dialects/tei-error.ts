/** TEI's words for failures: one flat sentence, its kind, and the status that its clients know. */
import type { VecinityError } from '../../errors.js';
import { fieldOf } from '../../json-object.js';

/** A failure in TEI's words; an empty list is one of its own. */
export function formatError(error: VecinityError, request: unknown): { status: number; body: object } {
  const { message, code, status } = error;
  const as = (newStatus: number, kind: string) => ({ status: newStatus, body: { error: message, error_type: kind } });
  if (code === 'invalid_request' && asksNothing(request)) return as(400, 'Empty');
  if (code === 'invalid_request' || code === 'context_length_exceeded') return as(422, 'Validation');
  if (code === 'unsupported_task' || code === 'backend_failed') return as(424, 'Backend');
  if (code === 'overloaded') return as(429, 'Overloaded');
  if (status === 503) return as(503, 'Unhealthy');
  return as(status, status < 500 ? 'Validation' : 'Backend');
}

function asksNothing(request: unknown): boolean {
  return ['inputs', 'texts'].some((key) => {
    const value = fieldOf(request, key);
    return Array.isArray(value) && value.length === 0;
  });
}
