import type { FromSandbox } from '../sandbox/protocol.ts';
import { parseGuestResponse, responseTooLarge } from './guest-response.ts';
import type { Outcome } from './outcome.ts';
import { trapMessage } from './trap-message.ts';

/** The sandbox's word that a call has ended. */
export type EndMessage = Extract<FromSandbox, { type: 'finished' | 'failed' }>;

export function toOutcome(message: EndMessage, maxResponseBytes: number): Outcome {
  if (message.type === 'finished') return parseGuestResponse(message.response, maxResponseBytes);
  const guest = message.guest === undefined ? {} : { guest: message.guest };
  switch (message.reason) {
    case 'timeout':
      return { kind: 'timeout' };
    case 'cpu_exceeded':
    case 'out_of_memory':
      return { kind: message.reason, ...guest };
    case 'response_too_large':
      return responseTooLarge(maxResponseBytes);
    case 'lifted_bytes_exceeded':
      return { kind: 'limit_exceeded', limit: 'liftedBytes', message: 'it hands too much to the host', ...guest };
    case 'trap':
      return { kind: 'trap', message: trapMessage(message.message), ...guest };
  }
}
