import type { FromSandbox } from '../sandbox/protocol.ts';
import { parseGuestResponse } from './guest-response.ts';
import type { Outcome } from './outcome.ts';
import { trapMessage } from './trap-message.ts';

/** The sandbox's word that a call has ended. */
export type EndMessage = Extract<FromSandbox, { type: 'finished' | 'failed' }>;

export function toOutcome(message: EndMessage): Outcome {
  if (message.type === 'finished') {
    const parsed = parseGuestResponse(message.response);
    return parsed.ok ? { kind: 'response', ...parsed.response } : { kind: 'invalid_response', message: parsed.message };
  }
  switch (message.reason) {
    case 'out_of_memory':
      return { kind: 'out_of_memory' };
    case 'response_too_large':
      return { kind: 'invalid_response', message: 'the response is too large' };
    case 'host_call_too_large':
      return { kind: 'trap', message: 'the arguments of a host call are too large' };
    case 'trap':
      return { kind: 'trap', message: trapMessage(message.message) };
  }
}
