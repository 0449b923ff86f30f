// `alga build` puts this module before the extension's own, so that its dependencies meet the same limits.

import type { ExecuteRequest, ExecuteResponse } from 'alga:extension/types@1.0.0';
import { guardBuildTime } from './build-time.ts';
import { announceEngineGaps } from './engine-gaps.ts';
import { lastWords } from './last-words.ts';

announceEngineGaps(globalThis);
const beginServing = guardBuildTime(globalThis);

type Exported = (request: ExecuteRequest) => ExecuteResponse | Promise<ExecuteResponse>;

/** The extension's export as the component exports it. */
export function serving(extension: Exported): (request: ExecuteRequest) => Promise<ExecuteResponse> {
  return async (request) => {
    beginServing();
    try {
      return await extension(request);
    } catch (error) {
      throw lastWords(error);
    }
  };
}
