/** A caller's own `fetch`, held to what a `fetch` gives: what reads the answer would fail far from the reason. */
import { type ErrorCode, VecinityError } from '../errors.js';
import { isFunction, wrongOption } from '../rules.js';

/** The same function; it rejects with this code where the answer is no response. */
export function checkedFetch(given: typeof fetch, code: ErrorCode): typeof fetch {
  return async (input, init) => {
    const answer: unknown = await given(input, init);
    if (isResponse(answer)) return answer;
    throw new VecinityError(code, wrongOption('fetch', 'a function that resolves to a Response', answer).message);
  };
}

/** True for responses of other implementations, too. */
function isResponse(value: unknown): value is Response {
  const { headers, text } = Object(value);
  return isFunction(Object(headers).get) && isFunction(text);
}
