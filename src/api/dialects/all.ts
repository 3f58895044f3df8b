/** The list of all dialects, and of what describes them. */

import { documentsOf } from '../openapi/routes.js';
import type { Dialect } from '../route.js';
import { cohere } from './cohere.js';
import { llamaServer } from './llama-cpp-server.js';
import { multiVector } from './multi-vector.js';
import { ollama } from './ollama.js';
import { openai } from './openai.js';
import { shared } from './shared.js';
import { system } from './system.js';
import { tei } from './tei.js';
import { vllm } from './vllm.js';

const described: readonly Dialect[] = [openai, cohere, shared, multiVector, tei, ollama, vllm, llamaServer, system];

/** Every dialect that is answered, and what describes them. */
export const dialects: readonly Dialect[] = [...described, documentsOf(described)];
