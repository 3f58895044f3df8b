/** How many bytes of large bodies an API holds at a time, from their first byte until their request is answered. */
import { VecinityError } from '../errors.js';

/** Eight bodies of the largest size. Parsed, a body may take several times its bytes. */
const maxHeldBytes = 256 * 1024 * 1024;
const retryAfterMs = 1_000;

/** One request's part of the room. */
export interface Held {
  /** Holds so many bytes from now on, in all. Throws `overloaded` where there is no room for them. */
  take(sizeBytes: number): void;
  leave(): void;
}

export class BodyRoom {
  #heldBytes = 0;

  enter(): Held {
    let own = 0;
    const take = (sizeBytes: number): void => {
      this.#heldBytes += sizeBytes - own;
      own = sizeBytes;
    };
    return {
      take: (sizeBytes) => {
        if (this.#heldBytes + sizeBytes - own > maxHeldBytes) throw noRoom();
        take(sizeBytes);
      },
      leave: () => take(0),
    };
  }
}

function noRoom(): VecinityError {
  const message = `Large bodies of other requests fill the ${maxHeldBytes / 2 ** 20} MiB that are kept for them.`;
  return new VecinityError('overloaded', message, { retryAfterMs });
}
