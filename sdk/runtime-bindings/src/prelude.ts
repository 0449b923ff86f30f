// `alga build` puts this module before the extension's own, so that its dependencies meet the same limits.

import { announceEngineGaps } from './engine-gaps.ts';

announceEngineGaps(globalThis);
