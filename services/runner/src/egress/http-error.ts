/** The WIT enum `http-error`, and nothing else, is what a guest learns of a failed fetch. */
export type HttpError = 'denied' | 'invalid-url' | 'not-allowed' | 'timeout' | 'too-large' | 'unreachable' | 'internal';
