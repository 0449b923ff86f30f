import { createServer } from 'node:net';
import { ProcessStartError } from './supervised-process.ts';

const PORT_TAKEN = /EADDRINUSE|address already in use/i;
const ATTEMPTS = 4;

/** A loopback port that was free a moment ago: the preferred one, or else undefined; without a preference any free one. */
async function probe(port: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(undefined);
      else reject(error);
    });
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(address !== null && typeof address === 'object' ? address.port : undefined));
    });
  });
}

/** Whether nothing listens on this loopback port at this moment. */
export async function isPortFree(port: number): Promise<boolean> {
  return (await probe(port)) !== undefined;
}

/** Any loopback port that is free at this moment. Somebody else may take it before it is used: see `onFreePort`. */
export async function freePort(): Promise<number> {
  const port = await probe(0);
  if (port === undefined)
    throw new Error('No free loopback port is left: end some of the programs that listen on this machine.');
  return port;
}

/**
 * Starts something that listens, on `preferred` or any free port, and again on another port when it died because somebody was
 * faster. Between asking for a port and listening on it there is always a gap; other tests and stacks run on the same machine.
 */
export async function onFreePort<T>(preferred: number | undefined, start: (port: number) => Promise<T>): Promise<T> {
  let port = preferred ?? (await freePort());
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(port);
    } catch (error) {
      const taken = error instanceof ProcessStartError && PORT_TAKEN.test(error.logTail);
      if (!taken || attempt === ATTEMPTS) throw error;
      port = await freePort();
    }
  }
}
